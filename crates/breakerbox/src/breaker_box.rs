use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::Duration;

use breakerbox_core::BreakerConfig;
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::abort_on_drop::AbortOnDrop;
use crate::breaker::{Housed, Shared};
use crate::guarded::Guarded;
use crate::{
    Breaker, Endpoint, Events, Pool, PoolConfig, PoolStartError, Report, RestartIntensity,
    Snapshot, StartError, Supervisor, SupervisorSpec, clock, lock,
};

mod context;
mod error;
mod home;
mod registry;
mod spec;
mod turn;
mod whole;

pub(crate) use context::BoxContext;
pub use error::BreakerError;
use registry::{Answer, Registry, Wanted};
pub use spec::BreakerBoxSpec;
use turn::Turn;
pub(crate) use whole::Whole;

/// A box of circuit breakers: their supervisor, and the way to find them.
///
/// It is a value, not a global: two boxes in one process never meet, and a
/// breaker's name is unique in its box only. Cloning gives another handle on the
/// same box.
///
/// Its breakers and pools are handles on it, too: dropping the last of them all, on
/// whatever thread, ends the box in the background. After
/// [`shutdown`](Self::shutdown) the breakers that are left admit or reject as
/// [`BreakerConfig::orphaned`] says.
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

/// A handle on a [`BreakerBox`] that does not keep it.
///
/// For children of the box's own tree; see [`WeakBreaker`](crate::WeakBreaker).
#[derive(Clone)]
pub struct WeakBreakerBox {
    inner: Weak<Inner>,
}

impl WeakBreakerBox {
    /// The box; None once it has no handle left.
    #[must_use]
    pub fn upgrade(&self) -> Option<BreakerBox> {
        let inner = self.inner.upgrade()?;
        Some(BreakerBox { inner })
    }
}

impl fmt::Debug for WeakBreakerBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakBreakerBox").finish_non_exhaustive()
    }
}

struct Inner {
    context: Arc<BoxContext>,
    /// What its pools share, which only a pool knows the type of.
    pools: Mutex<BTreeMap<Arc<str>, PoolEntry>>,
    registry: Mutex<Registry>,
    /// Retires what is idle.
    _retirement: Option<AbortOnDrop>,
    supervisor: Supervisor,
}

/// A pool of a box.
pub(crate) struct PoolEntry {
    /// Whether anybody has asked for it since it was made.
    pub(crate) is_wanted: bool,
    shared: Arc<dyn Any + Send + Sync>,
}

impl BreakerBox {
    /// Starts an empty box, which lives on this runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started: there is no tokio runtime,
    /// or it has no timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing behind.
    pub async fn start(name: impl Into<Arc<str>>) -> Result<Self, StartError> {
        BreakerBoxSpec::new(name).start().await
    }

    /// Starts it where this is polled.
    async fn start_here(spec: BreakerBoxSpec) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let context = Arc::new(BoxContext::new(runtime));
        let told = Arc::clone(&context);
        let supervisor = SupervisorSpec::new(spec.name, breakerbox_core::Strategy::OneForOne)
            .intensity(PER_BOX)
            .on_end(move |_| told.events.close())
            .start()
            .await?;
        let retire_after = spec.retire_idle_after;
        let inner = Arc::new_cyclic(|inner| Inner {
            context,
            pools: Mutex::default(),
            registry: Mutex::new(Registry::new(spec.maximum)),
            _retirement: retire_after.map(|span| {
                let inner = Weak::clone(inner);
                AbortOnDrop::spawn(retire_forever(WeakBreakerBox { inner }, span))
            }),
            supervisor,
        });
        Ok(Self { inner })
    }

    /// The breaker of this name, made now unless there is one.
    ///
    /// Its owner is restarted whenever it crashes, with all it knew, but not
    /// more than ten times in ten seconds: then the breaker is orphaned. One that has
    /// been orphaned, by this or by a command to the box's supervisor, is made anew
    /// when it is asked for again.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Config`] if the configuration contradicts itself,
    /// [`BreakerError::Conflict`] if there is a breaker of this name that was
    /// made with another one, [`BreakerError::Full`] if the box holds as many as
    /// it may and each of them is in use or has something to remember,
    /// [`BreakerError::Stopped`] if the box has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing behind, unless somebody else has asked for the same
    /// breaker meanwhile. One that has had to make room has gone, wholly.
    pub async fn breaker(
        &self,
        name: impl Into<Arc<str>>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        self.ask(name.into(), config, Wanted::Same).await
    }

    /// The same without async: for a box that lives on another thread.
    ///
    /// So a breaker fits into a `new` or a `LazyLock`. It blocks this thread for as
    /// long as the box's runtime takes to make the breaker, tens of microseconds where
    /// that is idle.
    ///
    /// # Errors
    ///
    /// As [`breaker`](Self::breaker), and [`BreakerError::WouldBlock`] on a thread of
    /// the runtime that the box lives on. A thread that has
    /// [entered](tokio::runtime::Handle::enter) another runtime meanwhile is taken for
    /// one of that, and would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use breakerbox::{Breaker, BreakerBoxSpec, BreakerConfig};
    ///
    /// static PAYMENTS: LazyLock<Breaker> = LazyLock::new(|| {
    ///     let breakers = BreakerBoxSpec::new("checkout").own_thread().start_blocking();
    ///     let breakers = breakers.expect("a thread can be started");
    ///     let payments = breakers.breaker_blocking("payments", BreakerConfig::new());
    ///     payments.expect("the box is new")
    /// });
    ///
    /// let paid = PAYMENTS.run(|| Ok::<_, std::io::Error>("paid"));
    /// assert_eq!(paid.ok(), Some("paid"));
    /// ```
    pub fn breaker_blocking(
        &self,
        name: impl Into<Arc<str>>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        if home::is_current(self.runtime()) {
            return Err(BreakerError::WouldBlock);
        }
        let (breakers, name) = (self.clone(), name.into());
        let (reply, made) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            let made = breakers.breaker(name, config).await;
            // This thread waits, but the runtime may end before it is told.
            let _told = reply.send(made);
        });
        made.recv().unwrap_or(Err(BreakerError::Stopped))
    }

    /// A breaker of this name that nobody else has;
    /// [`BreakerError::Taken`] if there is one.
    pub(crate) async fn new_breaker(
        &self,
        name: Arc<str>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        self.ask(name, config, Wanted::New).await
    }

    async fn ask(
        &self,
        name: Arc<str>,
        config: BreakerConfig,
        wanted: Wanted,
    ) -> Result<Breaker, BreakerError> {
        config
            .refuse_contradictions()
            .map_err(BreakerError::Config)?;
        loop {
            let is_taken = || self.supervisor().has_child(&name);
            let now = clock::now();
            let answer =
                self.with_registry(|names| names.ask(&name, &config, wanted, is_taken, now))?;
            let making = match answer {
                Answer::Found(shared) => return Ok(Breaker::new(self.clone(), shared)),
                Answer::Wait(done) => {
                    Guarded::new(done.cancelled()).await;
                    continue;
                }
                Answer::Make {
                    change,
                    config,
                    leaves,
                    remains,
                } => {
                    let turn = Turn::new(self, change);
                    leaves.into_iter().for_each(|leaving| self.see_off(leaving));
                    turn.make(config, remains)
                }
            };
            let made = Whole::begin(self.runtime(), making, take_back).await;
            return made.unwrap_or(Err(BreakerError::Stopped));
        }
    }

    /// The breaker of this name, if there is one, and it has not been orphaned.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Breaker> {
        let found = self.with_registry(|names| names.find(name, clock::now()))?;
        Some(Breaker::new(self.clone(), found))
    }

    /// The pool of this name, if there is one whose endpoints have values of type `T`.
    #[must_use]
    pub fn find_pool<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<Pool<T>> {
        let found = lock::with(&self.inner.pools, |pools| {
            let entry = pools.get_mut(name)?;
            entry.is_wanted = true;
            Some(Arc::clone(&entry.shared))
        });
        Pool::of(self.clone(), found?)
    }

    /// Removes the breaker of this name; its name is free when this returns.
    ///
    /// Handles on it that are left follow [`BreakerConfig::orphaned`]. Returns
    /// the breaker, or None if there was none. It waits for the breaker's owner to
    /// end, for two seconds at most.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not keep the breaker.
    pub async fn remove(&self, name: &str) -> Option<Breaker> {
        let gone = self.remove_if(name, |_| true).await?;
        Some(Breaker::new(self.clone(), gone))
    }

    /// Removes this very breaker, if it is in the box.
    pub(crate) async fn remove_this(&self, breaker: &Arc<Shared>) {
        let is_it = |other: &Housed| Arc::ptr_eq(other, breaker);
        self.remove_if(breaker.name(), is_it).await;
    }

    async fn remove_if(&self, name: &str, may_go: impl Fn(&Housed) -> bool) -> Option<Arc<Shared>> {
        let leaving = loop {
            match self.with_registry(|names| names.let_go(name, &may_go)) {
                Ok(leaving) => break leaving?,
                Err(done) => Guarded::new(done.cancelled()).await,
            }
        };
        let removal = Turn::new(self, leaving.change).remove(leaving.owner);
        Whole::begin(self.runtime(), removal, drop).await;
        Some(Arc::clone(&leaving.breaker))
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
    /// Dropping it leaves nothing behind.
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
    /// It waits for nobody. A breaker that has been orphaned is among them until it is
    /// removed, retired or made anew.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn snapshots(&self) -> Vec<Snapshot> {
        let breakers = self.with_registry(|names| names.all());
        breakers.iter().map(|breaker| breaker.snapshot()).collect()
    }

    /// What happens to any of its breakers from now on, until it ends.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::of_all(self.inner.context.events.subscribe())
    }

    /// The supervisor of its breakers: to inspect, and for children of your own.
    ///
    /// What works with the breakers can be added here, so that all is one tree:
    /// it is stopped before the breakers that were there before it. Such a child holds
    /// the box, its breakers and its pools by weak handles, or the tree would keep
    /// itself alive until somebody calls [`shutdown`](Self::shutdown). A worker that
    /// keeps crashing should have a limit of its own: beyond the supervisor's,
    /// which bears any number of crashes, nobody gives up on it.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.inner.supervisor
    }

    /// Stops its children in reverse order of their making; those that own breakers,
    /// side by side.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not stop the shutdown.
    pub async fn shutdown(&self) -> Report {
        self.inner.supervisor.shutdown().await
    }

    /// Waits until it has ended, by a shutdown from whatever side.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn ended(&self) -> Report {
        self.inner.supervisor.ended().await
    }

    /// A handle that does not keep the box.
    #[must_use]
    pub fn downgrade(&self) -> WeakBreakerBox {
        WeakBreakerBox {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// Whether it is this very breaker that is in the box, and has an owner.
    pub(crate) fn holds(&self, breaker: &Arc<Shared>) -> bool {
        self.with_registry(|names| names.holds(breaker, clock::now()))
    }

    /// The runtime that it lives on.
    pub(crate) fn runtime(&self) -> &Handle {
        self.inner.context.runtime()
    }

    pub(crate) fn note_pool(&self, name: &Arc<str>, shared: Arc<dyn Any + Send + Sync>) {
        let entry = PoolEntry {
            is_wanted: false,
            shared,
        };
        let before = lock::with(&self.inner.pools, |pools| {
            pools.insert(Arc::clone(name), entry)
        });
        drop(before);
    }

    /// Forgets this very pool, if `may_go` says so. Returns whether it has.
    pub(crate) fn forget_pool<S>(
        &self,
        name: &str,
        pool: &Arc<S>,
        may_go: impl FnOnce(&PoolEntry) -> bool,
    ) -> bool {
        let forgotten = lock::with(&self.inner.pools, |pools| {
            let entry = pools.get(name)?;
            let is_it = std::ptr::addr_eq(Arc::as_ptr(&entry.shared), Arc::as_ptr(pool));
            (is_it && may_go(entry)).then(|| pools.remove(name))
        });
        // What it is the last handle on is the user's.
        forgotten.is_some()
    }

    pub(crate) fn context(&self) -> &Arc<BoxContext> {
        &self.inner.context
    }

    fn with_registry<T>(&self, act: impl FnOnce(&mut Registry) -> T) -> T {
        lock::with(&self.inner.registry, act)
    }
}

/// Takes a breaker back that was made for somebody who has stopped waiting, unless
/// somebody else has asked for it since.
fn take_back(made: Result<Breaker, BreakerError>) {
    let Ok(breaker) = made else { return };
    let (breakers, shared) = (breaker.breakers(), breaker.shared());
    if let Some(leaving) = breakers.with_registry(|names| names.take_back(shared)) {
        breakers.see_off(leaving);
    }
}

/// Retires what is idle, until the box is gone.
async fn retire_forever(breakers: WeakBreakerBox, span: Duration) {
    loop {
        sleep((span / 2).max(SHORTEST_ROUND)).await;
        let mut last = None;
        loop {
            let Some(breakers) = breakers.upgrade() else {
                return;
            };
            let retire = |names: &mut Registry| names.retire(last.as_ref(), span, clock::now());
            let (idle, next) = breakers.with_registry(retire);
            idle.into_iter()
                .for_each(|leaving| breakers.see_off(leaving));
            drop(breakers);
            if next.is_none() {
                break;
            }
            last = next;
            tokio::task::yield_now().await;
        }
    }
}

impl fmt::Debug for BreakerBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breakers = self.with_registry(|names| names.all());
        let names = breakers.iter().map(|breaker| breaker.name());
        f.debug_struct("BreakerBox")
            .field("breakers", &names.collect::<Vec<_>>())
            .finish()
    }
}

/// No breaker's crashes are the business of another one.
const PER_BOX: RestartIntensity = RestartIntensity::new(u32::MAX, Duration::from_secs(1));

/// tokio's timers know milliseconds.
const SHORTEST_ROUND: Duration = Duration::from_millis(1);
