use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use breakerbox_core::{Backoff, Duty, EndpointId, PoolConfig};
use futures_util::future::join_all;
use ractor::RpcReplyPort;

use super::owner::PoolMessage;
use super::shared::Joins;
use super::slot::Slot;
use super::{Endpoint, Pool, PoolStartError, checker, discovery};
use crate::breaker::EndpointBreaker;
use crate::breaker_box::Whole;
use crate::supervisor::catch;
use crate::{BreakerError, ChildSpec, CommandError, Restart, lock};

impl<T: Clone + Send + Sync + 'static> Pool<T> {
    /// Adds an endpoint, whose share of the calls ramps up.
    ///
    /// # Errors
    ///
    /// [`PoolStartError`] if its breaker cannot be made, or if the pool has an
    /// endpoint of its name; then nothing of the endpoint is left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn add(&self, endpoint: Endpoint<T>) -> Result<(), PoolStartError> {
        let added = self.change(|pool| async move { pool.admit(endpoint, Joins::Later).await });
        added.await.unwrap_or(Err(PoolStartError::Stopped))
    }

    /// Removes an endpoint; calls that are under way go on. Returns false if there is
    /// none of this name, or the pool has no owner any more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn remove(&self, endpoint: &str) -> bool {
        let endpoint: Arc<str> = endpoint.into();
        let removed = self.change(|pool| async move { pool.dismiss(&endpoint).await });
        removed.await.unwrap_or(false)
    }

    /// Sends an endpoint no new calls until it is [`enable`](Self::enable)d. Returns
    /// false if there is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn disable(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Disabled).await
    }

    /// Sends an endpoint no new calls, because it is to be removed. Returns false if
    /// there is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn drain(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Draining).await
    }

    /// Sends an endpoint calls again. Returns false if there is none of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn enable(&self, endpoint: &str) -> bool {
        self.assign(endpoint, Duty::Enabled).await
    }

    /// Changes the pool's configuration while it works.
    ///
    /// Endpoints, their breakers' states and calls under way stay as they are;
    /// what is repeated next goes by the new limits.
    ///
    /// # Errors
    ///
    /// [`CommandError::Config`] if the configuration contradicts itself, and then
    /// the old one stays; [`CommandError::Stopped`] if the pool or one of its
    /// breakers has no owner any more, and then the others have changed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn reconfigure(&self, config: PoolConfig) -> Result<(), CommandError> {
        config
            .check_for_contradictions()
            .map_err(CommandError::Config)?;
        let changed = self.change(move |pool| async move { pool.go_by(config).await });
        changed.await.unwrap_or(Err(CommandError::Stopped))
    }

    /// Removes all endpoints and the pool's owner from the box; its name is free then.
    ///
    /// Calls find no endpoint after that.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn close(&self) {
        self.change(|pool| async move { pool.dismantle().await })
            .await;
    }

    pub(super) async fn dismantle(&self) {
        if self.shared.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let (name, shared) = (&self.shared.name, &self.shared);
        let _turn = self.breakers.turn_of_old_pool(name, shared, true);
        let supervisor = self.breakers.supervisor();
        // Each error means that the child has been removed, or that the box has ended.
        let follower = lock::with(&self.shared.follower, Option::take);
        if let Some(follower) = follower {
            let name = discovery::discovery_name(&self.shared.name);
            let _gone = supervisor.remove_this(&name, &follower).await;
        }
        for endpoint in self.shared.names() {
            if !self.dismiss(&endpoint).await {
                self.dismiss_without_owner(&endpoint).await;
            }
        }
        if let Some(owner) = self.shared.owner.get() {
            let _gone = supervisor.remove_this(&self.shared.name, owner).await;
        }
    }

    /// Makes these the pool's endpoints: adds those that are new, removes those that
    /// are missing, and gives the others their tier and weight.
    ///
    /// An endpoint that stays keeps its breaker, its value and all that is known
    /// about it.
    ///
    /// # Errors
    ///
    /// [`PoolStartError::Empty`] and [`PoolStartError::Duplicate`], and then nothing
    /// has changed; otherwise the errors of [`add`](Self::add), and then the
    /// endpoints before that one were added and none was removed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the command back.
    pub async fn update(
        &self,
        endpoints: impl IntoIterator<Item = Endpoint<T>>,
    ) -> Result<(), PoolStartError> {
        let endpoints: Vec<_> = endpoints.into_iter().collect();
        let names = names(&endpoints)?;
        let updated = self.change(|pool| async move {
            for endpoint in endpoints {
                pool.admit_or_adjust(endpoint).await?;
            }
            for gone in pool.endpoints() {
                if !names.contains(&gone) {
                    pool.dismiss(&gone).await;
                }
            }
            Ok(())
        });
        updated.await.unwrap_or(Err(PoolStartError::Stopped))
    }

    /// Makes one change after the other, each to its end, whether or not its caller
    /// still waits. Returns None if the box's runtime has ended.
    pub(super) async fn change<R, F>(
        &self,
        change: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Option<R>
    where
        R: Send + 'static,
        F: Future<Output = R> + Send,
    {
        let pool = self.clone();
        let changing = async move {
            let shared = Arc::clone(&pool.shared);
            let _one_at_a_time = shared.changing.lock().await;
            change(pool).await
        };
        Whole::begin(self.breakers.runtime(), changing, drop).await
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
        let breaker_name: Arc<str> = format!("{}/{name}", self.shared.name).into();
        let made = self.breakers.new_breaker(breaker_name, config);
        let made = made.await.map_err(|error| match error {
            BreakerError::Taken(name) => PoolStartError::Taken(name),
            error => PoolStartError::Breaker(error),
        })?;
        let (spec, is_checked) = (endpoint.spec, endpoint.check.is_some());
        let breaker = EndpointBreaker::new(Arc::clone(made.shared()));
        // Nobody has a handle on it, so that nobody is warned should it be taken back.
        drop(made);
        let pool = Arc::downgrade(&self.shared);
        let slot = Box::new(Slot::new(endpoint, breaker.clone(), pool));
        let admitted = |reply| PoolMessage::Admit(slot, spec, joins, reply);
        let Some(id) = self.tell(admitted).await else {
            self.breakers.remove_this(&breaker).await;
            return Err(self.has_no_owner());
        };
        let checked = match is_checked {
            true => self.start_checks(id, &name).await,
            false => Ok(()),
        };
        if checked.is_err() {
            self.tell(|reply| PoolMessage::Forget(id, reply)).await;
            self.breakers.remove_this(&breaker).await;
        }
        checked
    }

    async fn admit_or_adjust(&self, endpoint: Endpoint<T>) -> Result<(), PoolStartError> {
        let Some((id, _)) = self.shared.find(&endpoint.name) else {
            return self.admit(endpoint, Joins::Later).await;
        };
        let spec = endpoint.spec;
        self.tell(|reply| PoolMessage::Adjust(id, spec, reply))
            .await
            .ok_or_else(|| self.has_no_owner())
    }

    async fn dismiss(&self, endpoint: &str) -> bool {
        let Some((id, slot)) = self.shared.find(endpoint) else {
            return false;
        };
        // This comes first, so that no call meets a breaker without an owner.
        let told = self.tell(|reply| PoolMessage::Forget(id, reply)).await;
        if told.is_none() {
            return false;
        }
        self.clear_away(slot).await;
        true
    }

    /// Removes an endpoint of a closed pool, as the pool's owner would have done.
    async fn dismiss_without_owner(&self, endpoint: &str) {
        if let Some((id, slot)) = self.shared.find(endpoint) {
            self.shared.forget(id);
            self.clear_away(slot).await;
        }
    }

    /// Removes the children that an endpoint had, and lets go of its value.
    async fn clear_away(&self, slot: Arc<Slot<T>>) {
        if let Some(checker) = slot.checker.get() {
            // An error means that it has been removed, or that the box has ended.
            let (name, supervisor) = (self.check_name(&slot.name), self.breakers.supervisor());
            let _gone = supervisor.remove_this(&name, checker).await;
        }
        self.breakers.remove_this(&slot.breaker).await;
        // The value is the user's: its drop must not end this change halfway.
        catch::drop_apart(slot);
    }

    async fn go_by(&self, config: PoolConfig) -> Result<(), CommandError> {
        self.tell(|reply| PoolMessage::Reconfigure(Box::new(config), reply))
            .await
            .ok_or(CommandError::Stopped)?;
        let breakers = self.shared.breakers();
        let config = Arc::new(config.of_breakers());
        let changed = breakers
            .iter()
            .map(|breaker| breaker.reconfigure(Arc::clone(&config)));
        // They change side by side, so that stuck ones take a second together.
        join_all(changed).await.into_iter().collect()
    }

    async fn start_checks(&self, id: EndpointId, endpoint: &str) -> Result<(), PoolStartError> {
        let shared = Arc::clone(&self.shared);
        let check = ChildSpec::task(self.check_name(endpoint), move |stop| {
            checker::run(Arc::clone(&shared), id, stop)
        });
        let check = check.restart(Restart::Transient).backoff(CHECK_AGAIN);
        let (key, name) = (check.key(), self.check_name(endpoint));
        let supervisor = self.breakers.supervisor();
        if let Err(error) = supervisor.add(check.side_by_side()).await {
            let why = supervisor.why_not_added(error, &name, &key).await;
            return Err(PoolStartError::of_child(why, &name));
        }
        if let Some(slot) = self.shared.slot(id) {
            slot.checker.get_or_init(|| key);
        }
        Ok(())
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

    /// Returns the error of a command that the owner was not there for.
    fn has_no_owner(&self) -> PoolStartError {
        match self.breakers.supervisor().ends() {
            true => PoolStartError::Stopped,
            false => PoolStartError::Interrupted(Arc::clone(&self.shared.name)),
        }
    }

    /// Asks the owner; returns None if there is none any more.
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

/// Returns the endpoints' names, unless there is none or one of them occurs twice.
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
