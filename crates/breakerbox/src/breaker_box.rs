use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use breakerbox_core::{BreakerConfig, ConfigError};

use crate::breaker::{Owner, Shared};
use crate::event::EventBus;
use crate::{
    AddError, Breaker, ChildSpec, Endpoint, Events, OnLimit, Pool, PoolConfig, PoolStartError,
    Report, RestartIntensity, Snapshot, StartError, Supervisor, SupervisorSpec, clock, lock,
};

mod entry;
mod spec;

use entry::Entry;
pub use spec::BreakerBoxSpec;

/// A box of circuit breakers: their supervisor, and the way to find them.
///
/// It is a value, not a global: two boxes in one process never meet, and a
/// breaker's name is unique in its box only. Cloning gives another handle on the
/// same box.
///
/// Dropping the last handle ends the box in the background. A [`Breaker`] that
/// outlives it then admits or rejects as [`BreakerConfig::orphaned`] says.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::{BreakerBox, BreakerConfig};
///
/// let breakers = BreakerBox::start("checkout").await?;
/// breakers.breaker("payments", BreakerConfig::new()).await?;
/// breakers.breaker("stock", BreakerConfig::new()).await?;
/// for breaker in breakers.snapshots().await {
///     println!("{}: {}, {}", breaker.name, breaker.state, breaker.counts);
/// }
/// breakers.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BreakerBox {
    inner: Arc<Inner>,
}

/// A box that may have no handle left.
#[derive(Clone)]
pub(crate) struct WeakBreakerBox {
    inner: Weak<Inner>,
}

impl WeakBreakerBox {
    pub(crate) fn upgrade(&self) -> Option<BreakerBox> {
        let inner = self.inner.upgrade()?;
        Some(BreakerBox { inner })
    }
}

struct Inner {
    bus: EventBus,
    /// Held while a breaker is made or removed, so that a name is made once.
    changing: tokio::sync::Mutex<()>,
    entries: Mutex<BTreeMap<Arc<str>, Entry>>,
    maximum: usize,
    retire_idle_after: Option<Duration>,
    supervisor: Supervisor,
}

impl BreakerBox {
    /// Starts an empty box.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing behind.
    pub async fn start(name: impl Into<Arc<str>>) -> Result<Self, StartError> {
        BreakerBoxSpec::new(name).start().await
    }

    async fn new(supervisor: SupervisorSpec, spec: &BreakerBoxSpec) -> Result<Self, StartError> {
        let inner = Arc::new(Inner {
            bus: EventBus::new(),
            changing: tokio::sync::Mutex::new(()),
            entries: Mutex::new(BTreeMap::new()),
            maximum: spec.maximum,
            retire_idle_after: spec.retire_idle_after,
            supervisor: supervisor.intensity(PER_BOX).start().await?,
        });
        if let Some(span) = spec.retire_idle_after {
            tokio::spawn(Inner::retire_forever(Arc::downgrade(&inner), span));
        }
        Ok(Self { inner })
    }

    /// The breaker of this name, made now unless there is one.
    ///
    /// Its owner is restarted whenever it crashes, with all it knew, but not
    /// more than ten times in ten seconds: then the breaker is orphaned.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Config`] if the configuration contradicts itself,
    /// [`BreakerError::Conflict`] if there is a breaker of this name that was
    /// made with another one, [`BreakerError::Full`] if the box holds as many as
    /// it may and none is idle, [`BreakerError::Stopped`] if the box has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the breaker made.
    pub async fn breaker(
        &self,
        name: impl Into<Arc<str>>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        let name = name.into();
        // One that exists is found though another one is being made or removed.
        if let Some(existing) = self.existing(&name, config) {
            return existing;
        }
        let _one_at_a_time = self.inner.changing.lock().await;
        match self.existing(&name, config) {
            Some(existing) => existing,
            None => self.make(name, config).await,
        }
    }

    /// A breaker of this name that nobody else has;
    /// [`BreakerError::Taken`] if there is one.
    pub(crate) async fn new_breaker(
        &self,
        name: Arc<str>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        let _one_at_a_time = self.inner.changing.lock().await;
        match self.find(&name) {
            Some(_) => Err(BreakerError::Taken(name)),
            None => self.make(name, config).await,
        }
    }

    async fn make(&self, name: Arc<str>, config: BreakerConfig) -> Result<Breaker, BreakerError> {
        self.inner.make_room().await?;
        let shared = Shared::new(Arc::clone(&name), config, self.inner.bus.clone())
            .map_err(BreakerError::Config)?;
        let breaker = Breaker::new(Arc::new(shared));
        self.inner
            .supervisor
            .add(owner_spec(&breaker))
            .await
            .map_err(|error| match error {
                AddError::Duplicate { .. } => BreakerError::Taken(Arc::clone(&name)),
                _ => BreakerError::Stopped,
            })?;
        let entry = Entry::new(breaker.clone(), config, clock::now());
        lock::with(&self.inner.entries, |entries| entries.insert(name, entry));
        Ok(breaker)
    }

    /// The breaker of this name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Breaker> {
        lock::with(&self.inner.entries, |entries| {
            entries.get(name).map(|entry| entry.breaker.clone())
        })
    }

    /// Removes the breaker of this name; its name is free when this returns.
    ///
    /// Handles on it that are left follow [`BreakerConfig::orphaned`]. Returns
    /// the breaker, or None if there was none.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the breaker removed.
    pub async fn remove(&self, name: &str) -> Option<Breaker> {
        let _one_at_a_time = self.inner.changing.lock().await;
        self.inner.remove(name).await
    }

    /// Makes a pool of endpoints that stand in for one another.
    ///
    /// The pool and its endpoints' breakers, named `pool/endpoint`, become
    /// children of the box's supervisor.
    ///
    /// # Errors
    ///
    /// [`PoolStartError`] if the configuration contradicts itself, two endpoints
    /// have the same name, a breaker cannot be made, the box has a child of the
    /// pool's name, or it has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave a part of the pool in the box.
    pub async fn pool<T: Clone + Send + Sync + 'static>(
        &self,
        name: impl Into<Arc<str>>,
        config: PoolConfig,
        endpoints: impl IntoIterator<Item = Endpoint<T>>,
    ) -> Result<Pool<T>, PoolStartError> {
        Pool::start(self, name.into(), config, endpoints).await
    }

    /// Everything there is to know about its breakers now, by name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn snapshots(&self) -> Vec<Snapshot> {
        let breakers: Vec<_> = lock::with(&self.inner.entries, |entries| {
            entries
                .values()
                .map(|entry| entry.breaker.clone())
                .collect()
        });
        let mut snapshots = Vec::with_capacity(breakers.len());
        for breaker in breakers {
            snapshots.push(breaker.snapshot().await);
        }
        snapshots
    }

    /// What happens to any of its breakers from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.inner.bus.subscribe()
    }

    /// The supervisor of its breakers: to inspect, and for children of your own.
    ///
    /// What works with the breakers can be added here, so that all is one tree:
    /// it is stopped before the breakers that were there before it. A worker that
    /// keeps crashing should have a limit of its own: beyond the supervisor's,
    /// which bears any number of crashes, nobody gives up on it.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.inner.supervisor
    }

    /// Stops its breakers' owners in reverse order of their making.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not stop the shutdown.
    pub async fn shutdown(&self) -> Report {
        self.inner.supervisor.shutdown().await
    }

    pub(crate) fn downgrade(&self) -> WeakBreakerBox {
        WeakBreakerBox {
            inner: Arc::downgrade(&self.inner),
        }
    }

    pub(crate) fn event_bus(&self) -> EventBus {
        self.inner.bus.clone()
    }

    /// The breaker of this name, or why it is not the one that was asked for.
    fn existing(&self, name: &str, config: BreakerConfig) -> Option<Result<Breaker, BreakerError>> {
        lock::with(&self.inner.entries, |entries| {
            let Entry {
                breaker, declared, ..
            } = entries.get(name)?;
            let same = *declared == config || breaker.shared().config() == config;
            Some(if same {
                Ok(breaker.clone())
            } else {
                Err(BreakerError::Conflict(name.into()))
            })
        })
    }
}

impl Inner {
    async fn remove(&self, name: &str) -> Option<Breaker> {
        let entry = lock::with(&self.entries, |entries| entries.remove(name))?;
        // An error means that the box has ended, and the breaker with it.
        let _ended = self.supervisor.remove(name).await;
        Some(entry.breaker)
    }

    /// Sees to it that one more breaker may be made.
    async fn make_room(&self) -> Result<(), BreakerError> {
        if self.is_full() {
            self.retire_idle().await;
        }
        if self.is_full() {
            return Err(BreakerError::Full(self.maximum));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        lock::with(&self.entries, |entries| entries.len() >= self.maximum)
    }

    /// Removes what has been idle for long enough.
    async fn retire_idle(&self) {
        let Some(span) = self.retire_idle_after else {
            return;
        };
        let now = clock::now();
        let mut retired = Vec::new();
        // Under one lock, so that nobody gets a handle on what is retired.
        lock::with(&self.entries, |entries| {
            entries.retain(|name, entry| {
                let idle = entry.has_been_idle(span, now);
                if idle {
                    retired.push(Arc::clone(name));
                }
                !idle
            });
        });
        for name in retired {
            // An error means that the box has ended, and the breaker with it.
            let _ended = self.supervisor.remove(&name).await;
        }
    }

    /// Retires what is idle, until the box is gone.
    async fn retire_forever(inner: Weak<Self>, span: Duration) {
        let mut rounds = tokio::time::interval(span / 2);
        loop {
            rounds.tick().await;
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let _one_at_a_time = inner.changing.lock().await;
            inner.retire_idle().await;
        }
    }
}

impl fmt::Debug for BreakerBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = lock::with(&self.inner.entries, |entries| {
            entries.keys().cloned().collect()
        });
        f.debug_struct("BreakerBox")
            .field("breakers", &names)
            .finish()
    }
}

/// A box has no such breaker to give.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BreakerError {
    /// The configuration contradicts itself.
    Config(ConfigError),
    /// There is a breaker of this name that was made with another configuration.
    Conflict(Arc<str>),
    /// The box holds this many breakers already, which is its maximum.
    Full(usize),
    /// The box has ended.
    Stopped,
    /// A child of the box's supervisor that is no breaker has this name.
    Taken(Arc<str>),
}

impl Error for BreakerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Conflict(_) | Self::Full(_) | Self::Stopped | Self::Taken(_) => None,
        }
    }
}

impl fmt::Display for BreakerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => f.write_str("the breaker's configuration contradicts itself"),
            Self::Conflict(name) => write!(
                f,
                "there is a breaker {name:?} with another configuration: \
                 use `reconfigure` to change it, or another name"
            ),
            Self::Full(maximum) => write!(
                f,
                "the box holds {maximum} breakers, its maximum, and none of them is idle"
            ),
            Self::Stopped => f.write_str("the box has ended"),
            Self::Taken(name) => write!(
                f,
                "the box's supervisor has a child {name:?} that is no breaker"
            ),
        }
    }
}

/// How a breaker's owner is made, each time anew from what the last one left.
fn owner_spec(breaker: &Breaker) -> ChildSpec {
    let (maker, orphaned) = (Arc::clone(breaker.shared()), Arc::clone(breaker.shared()));
    ChildSpec::actor(Arc::clone(maker.name()), move || {
        (Owner, Arc::clone(&maker))
    })
    .intensity(PER_BREAKER, OnLimit::StopChild)
    .on_down(move |_| orphaned.orphan())
}

/// No breaker's crashes are the business of another one.
const PER_BOX: RestartIntensity = RestartIntensity::new(u32::MAX, Duration::from_secs(1));

/// An owner crashes when a trip policy of the user's own does, so this is how
/// many wrong decisions in a row it takes to stop asking that policy.
const PER_BREAKER: RestartIntensity = RestartIntensity::new(10, Duration::from_secs(10));
