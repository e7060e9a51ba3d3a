use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Backoff, Duty, EndpointId, PoolConfig};
use ractor::RpcReplyPort;

use super::owner::PoolMessage;
use super::shared::Joins;
use super::slot::Slot;
use super::{Endpoint, Pool, PoolStartError, checker, discovery};
use crate::{AddError, ChildSpec, CommandError, Restart};

impl<T: Clone + Send + Sync + 'static> Pool<T> {
    /// Adds an endpoint, whose share of the calls ramps up.
    ///
    /// # Errors
    ///
    /// [`PoolStartError`] if its breaker cannot be made, or if the pool has an
    /// endpoint of its name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the endpoint added.
    pub async fn add(&self, endpoint: Endpoint<T>) -> Result<(), PoolStartError> {
        self.admit(endpoint, Joins::Later).await
    }

    /// Removes an endpoint; calls that are under way go on. False if there is none
    /// of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave the endpoint removed.
    pub async fn remove(&self, endpoint: &str) -> bool {
        let Some((id, slot)) = self.shared.find(endpoint) else {
            return false;
        };
        if slot.check.is_some() {
            // An error means that the box has ended, and the check with it.
            let check = self.check_name(endpoint);
            let _ended = self.breakers.supervisor().remove(&check).await;
        }
        self.tell(|reply| PoolMessage::Forget(id, reply)).await;
        self.breakers.remove(slot.breaker.name()).await;
        true
    }

    /// Sends an endpoint no new calls until it is [`enable`](Self::enable)d. False
    /// if there is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn disable(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Disabled).await
    }

    /// Sends an endpoint no new calls, because it is to be removed. False if there
    /// is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn drain(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Draining).await
    }

    /// Sends an endpoint calls again. False if there is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn enable(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Enabled).await
    }

    /// Changes its configuration while it works.
    ///
    /// Endpoints, their breakers' states and calls under way stay as they are;
    /// what is repeated next goes by the new limits.
    ///
    /// # Errors
    ///
    /// [`CommandError::Config`] if the configuration contradicts itself, and then
    /// the old one stays; [`CommandError::Stopped`] if the pool has no owner any
    /// more.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave a part of the breakers with the old configuration.
    pub async fn reconfigure(&self, config: PoolConfig) -> Result<(), CommandError> {
        config
            .check_for_contradictions()
            .map_err(CommandError::Config)?;
        self.tell(|reply| PoolMessage::Reconfigure(Box::new(config), reply))
            .await
            .ok_or(CommandError::Stopped)?;
        for endpoint in self.endpoints() {
            if let Some(breaker) = self.breaker(&endpoint) {
                breaker.reconfigure(config.of_breakers()).await?;
            }
        }
        Ok(())
    }

    /// Removes all endpoints and the pool's owner from the box.
    ///
    /// Calls find no endpoint after that.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave some of them.
    pub async fn close(&self) {
        // Each error means that there is none, or that the box has ended.
        let discovery = discovery::discovery_name(&self.shared.name);
        let _none = self.breakers.supervisor().remove(&discovery).await;
        for endpoint in self.shared.names() {
            self.remove(&endpoint).await;
        }
        let _ended = self.breakers.supervisor().remove(&self.shared.name).await;
    }

    /// Makes these its endpoints: adds who is new, removes who is missing, and
    /// gives the others their tier and weight.
    ///
    /// Whoever stays keeps breaker, value and all that is known of it.
    ///
    /// # Errors
    ///
    /// [`PoolStartError::Empty`] and [`PoolStartError::Duplicate`], and then
    /// nothing has changed; otherwise as [`add`](Self::add), and then those before
    /// were added and nobody was removed.
    ///
    /// # Cancel safety
    ///
    /// Dropping it may leave a part of it done.
    pub async fn update(
        &self,
        endpoints: impl IntoIterator<Item = Endpoint<T>>,
    ) -> Result<(), PoolStartError> {
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        let names = names(&endpoints)?;
        for endpoint in endpoints {
            match self.shared.find(&endpoint.name) {
                None => self.add(endpoint).await?,
                Some((id, _)) => {
                    let spec = endpoint.spec;
                    self.tell(|reply| PoolMessage::Adjust(id, spec, reply))
                        .await;
                }
            }
        }
        for gone in self.endpoints() {
            if !names.contains(&gone) {
                self.remove(&gone).await;
            }
        }
        Ok(())
    }

    pub(super) async fn admit(
        &self,
        endpoint: Endpoint<T>,
        joins: Joins,
    ) -> Result<(), PoolStartError> {
        let name = Arc::clone(&endpoint.name);
        if self.shared.find(&name).is_some() {
            return Err(PoolStartError::Duplicate(name));
        }
        let config = self.shared.config().of_breakers();
        let breaker = format!("{}/{name}", self.shared.name);
        let breaker = self.breakers.breaker(breaker, config).await;
        let breaker = breaker.map_err(PoolStartError::Breaker)?;
        let (spec, is_checked) = (endpoint.spec, endpoint.check.is_some());
        let slot = Box::new(Slot::new(endpoint, breaker));
        let admitted = |reply| PoolMessage::Admit(slot, spec, joins, reply);
        let id = self.tell(admitted).await.ok_or(PoolStartError::Stopped)?;
        if is_checked {
            self.start_checks(id, &name).await?;
        }
        Ok(())
    }

    async fn start_checks(&self, id: EndpointId, endpoint: &str) -> Result<(), PoolStartError> {
        let shared = Arc::clone(&self.shared);
        let check = ChildSpec::task(self.check_name(endpoint), move |stop| {
            checker::run(Arc::clone(&shared), id, stop)
        });
        let check = check.restart(Restart::Transient).backoff(CHECK_AGAIN);
        let added = self.breakers.supervisor().add(check).await;
        added.map_err(|error| match error {
            AddError::Duplicate { .. } => PoolStartError::Taken(self.check_name(endpoint).into()),
            _ => PoolStartError::Stopped,
        })
    }

    async fn assign(&self, endpoint: &str, duty: Duty) -> bool {
        let Some((id, _)) = self.shared.find(endpoint) else {
            return false;
        };
        let told = self
            .tell(|reply| PoolMessage::Assign(id, duty, reply))
            .await;
        told.is_some()
    }

    /// Asks the owner; None if there is none any more.
    async fn tell<R: Send + 'static>(
        &self,
        message: impl FnOnce(RpcReplyPort<R>) -> PoolMessage<T>,
    ) -> Option<R> {
        checker::tell(&self.shared, message).await
    }

    fn check_name(&self, endpoint: &str) -> String {
        format!("{}/{endpoint}/check", self.shared.name)
    }
}

/// Their names, unless there is none or one of them twice.
fn names<T>(endpoints: &[Endpoint<T>]) -> Result<BTreeSet<Arc<str>>, PoolStartError> {
    let mut names = BTreeSet::new();
    for endpoint in endpoints {
        if !names.insert(Arc::clone(&endpoint.name)) {
            return Err(PoolStartError::Duplicate(Arc::clone(&endpoint.name)));
        }
    }
    if names.is_empty() {
        return Err(PoolStartError::Empty);
    }
    Ok(names)
}

/// A check that crashes is a bug of ours, but no reason to spin.
const CHECK_AGAIN: Backoff = Backoff::fixed(Duration::from_secs(1));
