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

mod change;
mod context;
mod error;
mod home;
mod leftovers;
mod pools;
mod registry;
mod spec;
mod timers;
mod turn;
mod whole;

pub(crate) use context::BoxContext;
pub use error::BreakerError;
pub(crate) use leftovers::{Kind, Leftover, Leftovers};
pub(crate) use pools::PoolTurn;
use pools::Pools;
use registry::{Answer, Registry, Wanted};
pub use spec::BreakerBoxSpec;
use turn::Turn;
pub(crate) use whole::Whole;

/// A box of circuit breakers: their supervisor, and the way to find them.
///
/// A box is a value, not a global: two boxes in one process never meet, and a breaker's
/// name is unique only within its box. Cloning gives another handle on the same box.
///
/// A box's breakers and pools are also handles on the box: dropping the last handle,
/// on any thread, ends the box in the background. After [`shutdown`](Self::shutdown)
/// the remaining breakers admit or reject as [`BreakerConfig::orphaned`] says.
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

/// A handle on a [`BreakerBox`] that does not keep it alive.
///
/// Use it in children of the box's own tree; see [`WeakBreaker`](crate::WeakBreaker).
#[derive(Clone)]
pub struct WeakBreakerBox {
    inner: Weak<Inner>,
}

impl WeakBreakerBox {
    /// Returns the box, or None once it has no other handle left.
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
    /// The shared state of each pool, whose type only the pool knows.
    pools: Pools,
    registry: Mutex<Registry>,
    /// The task that retires idle breakers.
    _retirement: Option<AbortOnDrop>,
    supervisor: Supervisor,
}

impl BreakerBox {
    /// Starts an empty box, which lives on the current runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started: there is no tokio runtime,
    /// or the runtime has no timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn start(name: impl Into<Arc<str>>) -> Result<Self, StartError> {
        BreakerBoxSpec::new(name).start().await
    }

    /// Starts a box on the runtime that polls this future.
    async fn start_here(spec: BreakerBoxSpec) -> Result<Self, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let context = Arc::new(BoxContext::new(runtime));
        let (told, name) = (Arc::clone(&context), Arc::clone(&spec.name));
        let supervisor = SupervisorSpec::new(spec.name, breakerbox_core::Strategy::OneForOne)
            .intensity(PER_BOX)
            .on_end(move |_| {
                told.leftovers.log(&name);
                told.events.close();
            })
            .start()
            .await?;
        let retire_after = spec.retire_idle_after;
        let inner = Arc::new_cyclic(|inner| Inner {
            context,
            pools: Pools::default(),
            registry: Mutex::new(Registry::new(spec.maximum)),
            _retirement: retire_after.map(|span| {
                let inner = Weak::clone(inner);
                AbortOnDrop::spawn(retire_forever(WeakBreakerBox { inner }, span))
            }),
            supervisor,
        });
        Ok(Self { inner })
    }

    /// Returns the breaker of this name, and makes it if there is none.
    ///
    /// The breaker's owner is restarted whenever it crashes, with all it knew, but
    /// not more than ten times in ten seconds: then the breaker is orphaned. A
    /// breaker that has been orphaned, by this or by a command to the box's
    /// supervisor, is made again when somebody asks for it.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Config`] if the configuration contradicts itself,
    /// [`BreakerError::Conflict`] if there is a breaker of this name that was made
    /// with another configuration, [`BreakerError::Full`] if the box holds as many
    /// breakers as it may and each of them is in use or has something to remember,
    /// [`BreakerError::Stopped`] if the box has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind, unless somebody else has asked for
    /// the same breaker meanwhile. A breaker that has had to make room is gone completely.
    pub async fn breaker(
        &self,
        name: impl Into<Arc<str>>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        self.ask(name.into(), config, Wanted::Same).await
    }

    /// Does the same as [`breaker`](Self::breaker) without async, for a box on another
    /// thread.
    ///
    /// So a breaker fits into a `new` or a `LazyLock`. The call blocks this thread
    /// for as long as the box's runtime takes to make the breaker: tens of
    /// microseconds if the runtime is idle.
    ///
    /// # Errors
    ///
    /// The errors of [`breaker`](Self::breaker), and [`BreakerError::WouldBlock`] on
    /// a thread of the runtime that the box lives on. A thread of that runtime that
    /// has [entered](tokio::runtime::Handle::enter) another one is taken for a thread
    /// of the other one, and would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use breakerbox::{Breaker, BreakerBoxSpec, BreakerConfig};
    ///
    /// static PAYMENTS: LazyLock<Breaker> = LazyLock::new(|| {     let breakers =
    /// BreakerBoxSpec::new("checkout").own_thread().start_blocking();     let breakers
    /// = breakers.expect("a thread can be started");     let payments =
    /// breakers.breaker_blocking("payments", BreakerConfig::new());
    /// payments.expect("the box is new") });
    ///
    /// let paid = PAYMENTS.run(|| Ok::<_, std::io::Error>("paid"));
    /// assert_eq!(paid.ok(), Some("paid"));
    /// ```
    pub fn breaker_blocking(
        &self,
        name: impl Into<Arc<str>>,
        config: BreakerConfig,
    ) -> Result<Breaker, BreakerError> {
        let (breakers, name) = (self.clone(), name.into());
        // A breaker that is there is found without the box's runtime, which may be stuck.
        let ask = |names: &mut Registry| names.ask_for_existing(&name, &config, clock::now());
        if let Some(existing) = self.with_registry(ask) {
            return existing.map(|shared| Breaker::new(breakers, shared));
        }
        if home::is_current(self.runtime()) {
            return Err(BreakerError::WouldBlock);
        }
        let (reply, made) = mpsc::sync_channel(1);
        self.runtime().spawn(async move {
            let made = breakers.breaker(name, config).await;
            // The caller waits, but the runtime may end before the answer is sent.
            let _told = reply.send(made);
        });
        made.recv().unwrap_or(Err(BreakerError::Stopped))
    }

    /// Makes a breaker of this name that nobody else has; returns
    /// [`BreakerError::Taken`] if there is one already.
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

    /// Returns the breaker of this name, if there is one that has not been orphaned.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Breaker> {
        let found = self.with_registry(|names| names.find(name, clock::now()))?;
        Some(Breaker::new(self.clone(), found))
    }

    /// Returns the pool of this name, if there is one whose endpoints have values of
    /// type `T`.
    #[must_use]
    pub fn find_pool<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<Pool<T>> {
        Pool::find(self, name)
    }

    /// Removes the breaker of this name; the name is free when this returns.
    ///
    /// The remaining handles on it follow [`BreakerConfig::orphaned`]. Returns the
    /// breaker, or None if there was none. The call waits at most two seconds for the
    /// breaker's owner to end.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the breaker is removed wholly or not at all.
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
    /// [`PoolStartError`] if the configuration contradicts itself, two endpoints have
    /// the same name, a breaker cannot be made, the box has a child of the pool's
    /// name, or the box has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn pool<T: Clone + Send + Sync + 'static>(
        &self,
        name: impl Into<Arc<str>>,
        config: PoolConfig,
        endpoints: impl IntoIterator<Item = Endpoint<T>>,
    ) -> Result<Pool<T>, PoolStartError> {
        Pool::start(self, name.into(), config, endpoints).await
    }

    /// Returns everything there is to know about the box's breakers now, by name.
    ///
    /// The call waits for nobody. A breaker that has been orphaned is included until
    /// it is removed, retired or made again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn snapshots(&self) -> Vec<Snapshot> {
        let breakers = self.with_registry(|names| names.all());
        breakers.iter().map(|breaker| breaker.snapshot()).collect()
    }

    /// Returns the events of all the box's breakers, from now on until the box ends.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::of_all(self.inner.context.events.subscribe())
    }

    /// Returns the supervisor of the box's breakers, to inspect it or add children.
    ///
    /// Children that work with the breakers can be added here, so that all is one
    /// tree: such a child is stopped before the breakers that were there before it.
    /// It holds the box, its breakers and its pools by weak handles, or the tree
    /// would keep itself alive until somebody calls [`shutdown`](Self::shutdown). A
    /// worker that may keep crashing should have a limit of its own: the supervisor's
    /// limit allows any number of crashes, so the supervisor never gives up.
    #[must_use]
    pub fn supervisor(&self) -> &Supervisor {
        &self.inner.supervisor
    }

    /// Stops the children in the reverse order of their making, those that own
    /// breakers side by side.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop the shutdown.
    pub async fn shutdown(&self) -> Report {
        self.inner.supervisor.shutdown().await
    }

    /// Waits until the box has ended, whoever shuts it down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn ended(&self) -> Report {
        self.inner.supervisor.ended().await
    }

    /// Returns a handle that does not keep the box alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakBreakerBox {
        WeakBreakerBox {
            inner: Arc::downgrade(&self.inner),
        }
    }

    /// Returns this very breaker, if it is in the box and has an owner.
    pub(crate) fn find_this(&self, name: &str, breaker: &Weak<Shared>) -> Option<Breaker> {
        let now = clock::now();
        let found = self.with_registry(|names| names.find_this(name, breaker, now))?;
        Some(Breaker::new(self.clone(), found))
    }

    /// Returns the runtime that the box lives on.
    pub(crate) fn runtime(&self) -> &Handle {
        self.inner.context.runtime()
    }

    pub(crate) fn context(&self) -> &Arc<BoxContext> {
        &self.inner.context
    }

    fn with_registry<T>(&self, act: impl FnOnce(&mut Registry) -> T) -> T {
        lock::with(&self.inner.registry, act)
    }
}

/// Takes back a breaker that was made for a caller that has stopped waiting, unless
/// somebody else has asked for it since.
fn take_back(made: Result<Breaker, BreakerError>) {
    let Ok(breaker) = made else { return };
    let (breakers, shared) = (breaker.breakers(), breaker.shared());
    if let Some(leaving) = breakers.with_registry(|names| names.take_back(shared)) {
        breakers.see_off(leaving);
    }
}

/// Retires idle breakers until the box is gone.
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

/// No limit: the crashes of one breaker do not count against another.
const PER_BOX: RestartIntensity = RestartIntensity::new(u32::MAX, Duration::from_secs(1));

/// The resolution of tokio's timers.
const SHORTEST_ROUND: Duration = Duration::from_millis(1);
