//! Several endpoints that stand in for one another, as one thing to call.
//!
//! Failover by hand is a list of breakers and a loop over them. What that loop
//! gets wrong shows only in an outage: it repeats what must not be repeated,
//! triples the load on what is left, and sends everybody back at once. So a pool
//! is one roster of endpoints with an owner, and a call that knows the rules.
//!
//! A pick reads what the owner published and a few numbers of the endpoints; it
//! never waits for the owner. What changes, and only that, is told in messages.
//!
//! # Invariants
//!
//! 1. A call has at most as many attempts as its pool's configuration says, and
//!    a `FnOnce` one.
//! 2. Retries and hedges in flight stay within the budget.
//! 3. However a call ends, nothing of it stays in flight.

mod answer_history;
mod calling;
mod checker;
mod discovery;
mod dns;
mod endpoint;
mod error;
mod event;
mod explain;
mod extras;
mod failure_rate;
mod flight;
mod handle;
mod health_check;
mod judge;
mod latency;
mod limits;
mod lineup;
mod log;
mod membership;
mod owner;
mod peak;
mod progress;
mod quantile;
mod renewal;
mod round;
mod search;
mod shared;
mod shortage;
mod slot;
mod snapshot;
mod tried;
mod weak;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{PoolConfig, Repeat, Verdict};
use futures_util::TryFutureExt;

pub use dns::dns;
pub use endpoint::Endpoint;
pub use error::{PoolError, PoolStartError, Unavailable};
pub use event::{PoolEvent, PoolEvents};
pub use explain::PickRecord;
pub use flight::PoolPermit;
pub use health_check::{CheckError, HealthCheck, TcpCheck};
pub use progress::{Progress, Upload};
pub use snapshot::{EndpointSnapshot, PoolSnapshot};
pub use weak::WeakPool;

use crate::breaker_box::{PoolTurn, Whole};
use crate::{Breaker, BreakerBox, ChildSpec, Events, OnLimit, RestartIntensity, clock};
use calling::Calling;
use handle::SharedHandle;
use owner::Owner;
use shared::{Joins, Shared};

/// A pool of endpoints: calls go to one that works.
///
/// It is a handle; cloning gives another one on the same pool. It keeps its
/// [`BreakerBox`] alive, and the pool lasts as long as that, or until it is
/// [closed](Self::close): the owner, the health checks and a breaker for each
/// endpoint, named `pool/endpoint`, are children of the box's supervisor.
/// [`BreakerBox::find_pool`] gives another handle. Once the box has ended, calls go
/// on by what the owner knew last. A child of the box's own tree holds a
/// [`WeakPool`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::{BreakerBox, Endpoint, PoolConfig};
///
/// # #[derive(Clone)] struct Ledger(&'static str);
/// # impl Ledger { async fn balance(&self) -> Result<u64, std::io::Error> { Ok(7) } }
/// let breakers = BreakerBox::start("checkout").await?;
/// let endpoints = [
///     Endpoint::new("eu", Ledger("ledger.eu")),
///     Endpoint::new("us", Ledger("ledger.us")).tier(1),
/// ];
/// let ledger = breakers.pool("ledger", PoolConfig::new(), endpoints).await?;
/// let balance = ledger.call_idempotent(|ledger| async move { ledger.balance().await }).await?;
/// # assert_eq!(balance, 7);
/// # Ok(())
/// # }
/// ```
pub struct Pool<T> {
    breakers: BreakerBox,
    client: Option<u64>,
    key: Option<u64>,
    shared: SharedHandle<T>,
}

impl<T: Clone + Send + Sync + 'static> Pool<T> {
    pub(crate) async fn start(
        breakers: &BreakerBox,
        name: Arc<str>,
        config: PoolConfig,
        endpoints: impl IntoIterator<Item = Endpoint<T>>,
    ) -> Result<Self, PoolStartError> {
        config
            .check_for_contradictions()
            .map_err(PoolStartError::Config)?;
        let endpoints = endpoints.into_iter().collect();
        let Some(turn) = breakers.turn_of_new_pool(&name).await else {
            return Err(PoolStartError::Taken(name));
        };
        let pool = Self::of(breakers.clone(), Arc::new(Shared::new(name, config)));
        let starting = pool.start_with(endpoints, turn);
        let started = Whole::begin(breakers.runtime(), starting, take_back).await;
        started.unwrap_or(Err(PoolStartError::Stopped))
    }

    async fn start_with(
        self,
        endpoints: Vec<Endpoint<T>>,
        turn: PoolTurn,
    ) -> Result<Self, PoolStartError> {
        let (name, supervisor) = (&self.shared.name, self.breakers.supervisor());
        let owner = self.owner();
        let key = owner.key();
        if let Err(error) = supervisor.add(owner).await {
            let why = supervisor.why_not_added(error, name, &key).await;
            return Err(PoolStartError::of_child(why, name));
        }
        self.shared.owner.get_or_init(|| key);
        for endpoint in endpoints {
            if let Err(error) = self.admit(endpoint, Joins::AtStart).await {
                self.dismantle().await;
                return Err(error);
            }
        }
        turn.arrive(Arc::<Shared<T>>::clone(&self.shared));
        Ok(self)
    }

    pub(crate) fn find(breakers: &BreakerBox, name: &str) -> Option<Self> {
        let shared = breakers.pool_shared(name)?;
        Some(Self::of(breakers.clone(), shared))
    }

    fn of(breakers: BreakerBox, shared: Arc<Shared<T>>) -> Self {
        Self {
            breakers,
            client: None,
            key: None,
            shared: SharedHandle::new(shared),
        }
    }

    /// Makes a call that must not be made twice; an `Err` is a failure.
    ///
    /// It goes to another endpoint only while breakers reject it.
    ///
    /// # Errors
    ///
    /// [`PoolError::Rejected`] if no endpoint may be used, and then `make` is not
    /// called; [`PoolError::Failed`] with the call's own error;
    /// [`PoolError::TimedOut`] if it took longer than the limit of an attempt or
    /// the pool's deadline.
    ///
    /// # Panics
    ///
    /// When `make` or its future does: that is a failure of the endpoint, and the
    /// panic goes on. Where there is a limit of time, a retry or a hedge to wait for,
    /// outside of a tokio runtime with timers: that judges no endpoint.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the attempts under way, which says nothing about their
    /// endpoints unless [`BreakerConfig::abandoned`](crate::BreakerConfig::abandoned)
    /// says so.
    pub fn call<R, E, F>(
        &self,
        make: impl FnOnce(T) -> F,
    ) -> impl Future<Output = Result<R, PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        self.call_with(by_result, make)
    }

    /// A [`call`](Self::call) that `classify` judges.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub fn call_with<R, E, F>(
        &self,
        classify: impl Fn(&Result<R, E>) -> Verdict,
        make: impl FnOnce(T) -> F,
    ) -> impl Future<Output = Result<R, PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        let begin = || self.calling(|| Repeat::Never.into(), at_once(classify));
        calling::once(begin, make).map_ok(|(answer, _)| answer)
    }

    /// Makes a call, and makes it again elsewhere where nothing had been sent.
    ///
    /// Whether that is so, only a classifier can say: `classify` gives
    /// [`Verdict::NotSent`] for it.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub fn call_unsent<R, E, F>(
        &self,
        classify: impl Fn(&Result<R, E>) -> Verdict,
        make: impl Fn(T) -> F,
    ) -> impl Future<Output = Result<R, PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        let begin = || self.calling(|| Repeat::Unsent.into(), at_once(classify));
        calling::repeatedly(begin, make).map_ok(|(answer, _)| answer)
    }

    /// Makes a call that may be made twice, and makes it again elsewhere when it
    /// fails; an `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub fn call_idempotent<R, E, F>(
        &self,
        make: impl Fn(T) -> F,
    ) -> impl Future<Output = Result<R, PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        self.call_idempotent_with(by_result, make)
    }

    /// A [`call_idempotent`](Self::call_idempotent) that `classify` judges.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub fn call_idempotent_with<R, E, F>(
        &self,
        classify: impl Fn(&Result<R, E>) -> Verdict,
        make: impl Fn(T) -> F,
    ) -> impl Future<Output = Result<R, PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        let begin = || self.calling(|| Repeat::Idempotent.into(), at_once(classify));
        calling::repeatedly(begin, make).map_ok(|(answer, _)| answer)
    }

    /// Makes a call whose answer goes on after it has begun: a streamed body.
    ///
    /// Where `classify` has no verdict yet, the answer comes with a permit, to be
    /// settled when it has ended; until then the call is in flight. No verdict on
    /// an `Err` means [`Verdict::Sent`]. `progress` is asked before each attempt:
    /// what a call sends may be used up, and then it must not be made again. The
    /// limits of time are for the beginning of the answer, and count from when the
    /// endpoint has taken what is sent; whether it has, they ask `progress`. One
    /// that sends nothing bit by bit gives just a [`Repeat`].
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), of the last attempt.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{Pool, PoolError, Repeat, Verdict};
    /// # #[derive(Clone)] struct Log;
    /// # struct Lines; impl Lines { async fn next(&mut self) -> std::io::Result<Option<String>> { Ok(None) } }
    /// # impl Log { async fn tail(&self) -> std::io::Result<Lines> { Ok(Lines) } }
    /// # async fn example(logs: Pool<Log>) -> Result<(), PoolError<std::io::Error>> {
    /// let begun = |lines: &Result<Lines, _>| lines.is_err().then_some(Verdict::Sent);
    /// let (mut lines, permit) = logs
    ///     .call_streaming(|| Repeat::Idempotent, begun, |log| async move { log.tail().await })
    ///     .await?;
    /// let verdict = loop {
    ///     match lines.next().await {
    ///         Ok(Some(line)) => println!("{line}"),
    ///         Ok(None) => break Verdict::Success,
    ///         Err(_) => break Verdict::Sent,
    ///     }
    /// };
    /// if let Some(permit) = permit {
    ///     permit.settle(verdict).await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_streaming<R, E, F, P: Into<Progress>>(
        &self,
        progress: impl Fn() -> P,
        classify: impl Fn(&Result<R, E>) -> Option<Verdict>,
        make: impl Fn(T) -> F,
    ) -> impl Future<Output = Result<(R, Option<PoolPermit>), PoolError<E>>>
    where
        F: Future<Output = Result<R, E>>,
    {
        let progress = move || progress().into();
        calling::repeatedly(|| self.calling(progress, classify), make)
    }

    /// The same pool, for calls that belong to `key`: they go to the same
    /// endpoint, as long as that may be used.
    ///
    /// When an endpoint is lost, only its own keys move. A pick costs time in
    /// proportion to the endpoints, unlike without a key.
    #[must_use]
    pub fn for_key(&self, key: impl Hash) -> Self {
        Self {
            key: Some(hash(key)),
            ..self.clone()
        }
    }

    /// Returns the same pool, for calls on behalf of one client, such as an address.
    ///
    /// An exchange that breaks off while its client has a part in it
    /// ([`Verdict::Ambiguous`]) says nothing about the endpoint, unless clients that
    /// have nothing to do with each other meet it one after the other. Who the client
    /// is decides nothing else. Calls without one never count as such.
    #[must_use]
    pub fn for_client(&self, client: impl Hash) -> Self {
        Self {
            client: Some(hash(client)),
            ..self.clone()
        }
    }

    /// Its name, unique in its box.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The names of its endpoints, in the order in which they were added.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Arc<str>> {
        self.shared.names()
    }

    /// The breaker of the endpoint of this name, if there is one.
    #[must_use]
    pub fn breaker(&self, endpoint: &str) -> Option<Breaker> {
        let (_, slot) = self.shared.find(endpoint)?;
        Some(Breaker::new(
            self.breakers.clone(),
            Arc::clone(&slot.breaker),
        ))
    }

    /// How its tiers and endpoints are now.
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        self.shared.snapshot()
    }

    /// Why its latest calls went where they went, the oldest first; up to 256.
    #[must_use]
    pub fn explain(&self) -> Vec<PickRecord> {
        self.shared.memory.latest()
    }

    /// Returns a handle that keeps neither the pool nor its box alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakPool<T> {
        WeakPool::new(self)
    }

    /// What happens in it from now on, until it is closed or its box has ended.
    #[must_use]
    pub fn events(&self) -> PoolEvents {
        PoolEvents {
            inbox: self.shared.subscribe(),
        }
    }

    fn calling<C, P>(&self, progress: P, classify: C) -> Calling<'_, T, C, P> {
        Calling {
            began: clock::now(),
            classify,
            client: self.client,
            key: self.key,
            limits: self.shared.limits(),
            progress,
            shared: &self.shared,
        }
    }

    /// How the pool's owner is made, each time anew.
    fn owner(&self) -> ChildSpec {
        let (shared, ended) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
        let context = Arc::clone(self.breakers.context());
        let box_context = Arc::clone(&context);
        ChildSpec::actor(Arc::clone(&self.shared.name), move || {
            let events = Events::of_all(context.events.subscribe());
            (Owner::new(), (Arc::clone(&shared), events))
        })
        .intensity(PER_POOL, OnLimit::StopChild)
        .on_down(move |why| ended.end(why, &box_context))
        .side_by_side()
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self {
            breakers: self.breakers.clone(),
            client: self.client,
            key: self.key,
            shared: self.shared.clone(),
        }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// Closes a pool that was made for somebody who has stopped waiting, unless somebody
/// else has asked for it since.
fn take_back<T: Clone + Send + Sync + 'static>(started: Result<Pool<T>, PoolStartError>) {
    let Ok(pool) = started else { return };
    let shared = &pool.shared;
    if let Some(turn) = pool.breakers.turn_of_old_pool(&shared.name, shared, false) {
        let runtime = pool.breakers.runtime().clone();
        runtime.spawn(async move {
            pool.close().await;
            drop(turn);
        });
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A classifier of answers that are complete.
fn at_once<R, E>(
    classify: impl Fn(&Result<R, E>) -> Verdict,
) -> impl Fn(&Result<R, E>) -> Option<Verdict> {
    move |result| Some(classify(result))
}

/// Without a classifier every error counts as sent.
fn by_result<R, E>(result: &Result<R, E>) -> Verdict {
    match result {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::Sent,
    }
}

/// As a breaker's owner.
const PER_POOL: RestartIntensity = RestartIntensity::new(10, Duration::from_secs(10));
