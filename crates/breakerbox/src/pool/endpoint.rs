use std::fmt;
use std::sync::Arc;

use breakerbox_core::EndpointSpec;

use super::HealthCheck;
use super::renewal::Renew;

/// One of several that stand in for one another, and how it is reached.
///
/// The value is whatever calls need: a client, a connection pool, an address,
/// the [`ActorRef`](ractor::ActorRef) of a worker. Each call gets a clone.
#[must_use = "an endpoint does nothing until a pool has it"]
pub struct Endpoint<T> {
    pub(super) check: Option<Arc<dyn HealthCheck<T>>>,
    pub(super) max_in_flight: u32,
    pub(super) name: Arc<str>,
    pub(super) renew: Option<Renew<T>>,
    pub(super) spec: EndpointSpec,
    pub(super) value: T,
}

impl<T> Endpoint<T> {
    /// In the best tier, with a weight of 1, without a health check.
    pub fn new(name: impl Into<Arc<str>>, value: T) -> Self {
        Self {
            check: None,
            max_in_flight: u32::MAX,
            name: name.into(),
            renew: None,
            spec: EndpointSpec::new(),
            value,
        }
    }

    /// How it is checked beside the calls that it serves; not at all unless set.
    pub fn check(mut self, check: impl HealthCheck<T>) -> Self {
        self.check = Some(Arc::new(check));
        self
    }

    /// How many calls it may have in flight; more go elsewhere.
    pub const fn max_in_flight(mut self, calls: u32) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// How the value lets go of its connections; not at all unless set.
    ///
    /// A connection can die in silence: the other side is gone, and nothing says so.
    /// Calls on it time out and open the breaker, and each probe that took the same
    /// connection would keep it open. So `renew` runs before the first probe after
    /// each opening, and again before each health check once so many have failed as
    /// [`CheckPlan::fall`](crate::CheckPlan::fall) says. It gets the endpoint's value,
    /// of which every call has a clone, and is to see to it that clones made from now
    /// on use new connections; calls under way keep theirs.
    ///
    /// It runs as a part of the call, so it must be quick: dropping is, connecting is
    /// not. It may run twice for one opening, when two probes begin side by side. A
    /// panic in it is a failure of that probe, and the next probe runs it again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// # use breakerbox::Endpoint;
    /// # #[derive(Clone, Default)] struct Client { connection: Arc<Mutex<Option<u8>>> }
    /// # impl Client { fn disconnect(&self) { *self.connection.lock().unwrap() = None; } }
    /// let endpoint = Endpoint::new("north", Client::default()).renew(Client::disconnect);
    /// # drop(endpoint);
    /// ```
    pub fn renew(mut self, renew: impl Fn(&T) + Send + Sync + 'static) -> Self {
        self.renew = Some(Box::new(renew));
        self
    }

    /// The tier it is in; 0, the best, unless set.
    pub const fn tier(mut self, tier: u8) -> Self {
        self.spec = self.spec.tier(tier);
        self
    }

    /// How much of its tier's load it takes beside the others; 1 unless set.
    ///
    /// # Panics
    ///
    /// If it is zero: disable an endpoint that shall get nothing.
    pub const fn weight(mut self, weight: u16) -> Self {
        self.spec = self.spec.weight(weight);
        self
    }
}

impl<T> fmt::Debug for Endpoint<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("name", &self.name)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
