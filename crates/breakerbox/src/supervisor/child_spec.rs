use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Backoff, ChildPolicy, Ending, Exit, OnLimit, Restart, RestartIntensity};
use futures_util::{FutureExt, TryFutureExt};
use ractor::Actor;
use tokio_util::sync::CancellationToken;

use super::actor_child::ActorChild;
use super::address::Address;
use super::down_hook::DownHook;
use super::runnable::Runnable;
use super::shutdown::Shutdown;
use super::spec::SupervisorSpec;
use super::start_time::StartTime;
use super::supervisor_child::SupervisorChild;
use super::task_child::{Ready, TaskChild, TaskScope};
use super::tasked::Tasked;
use super::{ChildKey, Scope};

/// The recipe of a child: what it is, when it is restarted, how it is stopped.
#[must_use = "a child is started by the supervisor that it is given to"]
pub struct ChildSpec {
    pub(super) address: Address,
    pub(super) down_hook: DownHook,
    pub(super) name: Arc<str>,
    pub(super) policy: ChildPolicy,
    /// The most messages that wait for it while it is down.
    pub(super) queue_limit: Option<usize>,
    pub(super) runnable: Arc<dyn Runnable>,
    pub(super) shutdown: Shutdown,
    pub(super) start_time: StartTime,
}

impl ChildSpec {
    /// A ractor actor; `make` gives the actor and its arguments, for each start.
    ///
    /// The name is unique among the children of one supervisor, and nowhere
    /// else: the actor is spawned without a name in ractor's registry.
    ///
    /// The child's `ActorRef` outlives a crash: `handle`, `post_start` and
    /// `handle_supervisor_evt` may return an error or panic, and the messages in
    /// its mailbox wait for the next incarnation. The one that it failed on is not
    /// handled again, and its reply port is dropped.
    ///
    /// What it sets going on its address, such as ractor's `send_interval`, outlives a
    /// crash too. [`actor_with`](Self::actor_with) ties that to the incarnation, and
    /// [`new_address`](Self::new_address) has the address end with the incarnation.
    pub fn actor<A, F>(name: impl Into<Arc<str>>, make: F) -> Self
    where
        A: Actor,
        F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(name.into(), Arc::new(ActorChild::new(make)))
    }

    /// A ractor actor whose incarnations each have a [`Scope`].
    ///
    /// Timers, subscriptions, messages to itself, groups and monitors of the scope end
    /// with the incarnation. What an actor sets going on its bare address goes on beside
    /// the next incarnation, because the address stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use breakerbox::{ChildSpec, Scope, Strategy, SupervisorSpec};
    /// use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
    ///
    /// enum PollerMessage {
    ///     Polls(RpcReplyPort<u64>),
    ///     Tick,
    /// }
    ///
    /// struct Poller {
    ///     scope: Scope<PollerMessage>,
    /// }
    ///
    /// impl Actor for Poller {
    ///     type Msg = PollerMessage;
    ///     type State = u64;
    ///     type Arguments = ();
    ///
    ///     async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<u64, ActorProcessingErr> {
    ///         // The next incarnation sets an interval of its own; this one ends by then.
    ///         self.scope.send_interval(Duration::from_secs(1), || PollerMessage::Tick);
    ///         Ok(0)
    ///     }
    ///
    ///     async fn handle(
    ///         &self,
    ///         _: ActorRef<Self::Msg>,
    ///         message: PollerMessage,
    ///         polls: &mut u64,
    ///     ) -> Result<(), ActorProcessingErr> {
    ///         match message {
    ///             PollerMessage::Polls(reply) => reply.send(*polls)?,
    ///             PollerMessage::Tick => *polls += 1,
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = SupervisorSpec::new("orders", Strategy::OneForOne)
    ///     .child(ChildSpec::actor_with("poller", |scope| (Poller { scope }, ())))
    ///     .start()
    ///     .await?;
    /// orders.restart("poller").await?;
    /// tokio::time::sleep(Duration::from_millis(10_500)).await;
    /// let poller = orders.child::<PollerMessage>("poller")?;
    /// let polls = poller.ask(PollerMessage::Polls, Duration::from_secs(1)).await?;
    /// assert_eq!(polls, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn actor_with<A, F>(name: impl Into<Arc<str>>, make: F) -> Self
    where
        A: Actor,
        F: Fn(Scope<A::Msg>) -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(name.into(), Arc::new(ActorChild::with_scope(make)))
    }

    /// An async function; `run` is called for each start.
    ///
    /// To stop it, its token is cancelled; it is killed, which drops its future
    /// where it awaits, when it goes on for longer than its [`Shutdown`] allows.
    /// The token is cancelled after every end, so what the function spawned can
    /// end with it. Its own timers are part of the future and are dropped with that.
    ///
    /// It is up when its future is first polled; a panic of `run` before there is
    /// a future is a start that failed. `Ok` is [`Exit::Normal`], after which a
    /// [`Restart::Permanent`] task is started again.
    ///
    /// [`Exit::Normal`]: breakerbox_core::Exit::Normal
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use breakerbox::{CancellationToken, ChildSpec, Strategy, SupervisorSpec};
    ///
    /// async fn consume(stop: CancellationToken) -> io::Result<()> {
    ///     stop.cancelled().await;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = SupervisorSpec::new("orders", Strategy::OneForOne)
    ///     .child(ChildSpec::task("consumer", consume))
    ///     .start()
    ///     .await?;
    /// assert_eq!(orders.shutdown().await.unclean().count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn task<F, R, E>(name: impl Into<Arc<str>>, run: F) -> Self
    where
        F: Fn(CancellationToken) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let run = Arc::new(run);
        let task = TaskChild::new(move |stop, ready| {
            let run = Arc::clone(&run);
            // Text inside, as the error need not be `Send`.
            async move {
                let task = run(stop).map_err(|error| error.to_string());
                ready.when_polled(task).await
            }
            .boxed()
        });
        Self::new(name.into(), Arc::new(Tasked::new(Arc::new(task))))
    }

    /// A [`task`](Self::task) that is given a [`TaskScope`], to find its siblings.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use breakerbox::{ChildSpec, Strategy, SupervisorSpec, TaskScope};
    /// # use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
    /// # struct Prices;
    /// # impl Actor for Prices {
    /// #     type Msg = RpcReplyPort<u64>;
    /// #     type State = ();
    /// #     type Arguments = ();
    /// #     async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
    /// #         Ok(())
    /// #     }
    /// #     async fn handle(
    /// #         &self,
    /// #         _: ActorRef<Self::Msg>,
    /// #         reply: RpcReplyPort<u64>,
    /// #         (): &mut (),
    /// #     ) -> Result<(), ActorProcessingErr> {
    /// #         Ok(reply.send(42)?)
    /// #     }
    /// # }
    ///
    /// async fn sell(scope: TaskScope) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    ///     let shop = scope.supervisor().upgrade().ok_or("the shop is closing")?;
    ///     let prices = shop.child::<RpcReplyPort<u64>>("prices")?;
    ///     drop(shop); // or it would keep its own tree from ending
    ///     let price = prices.ask(|reply| reply, Duration::from_secs(1)).await?;
    ///     assert_eq!(price, 42);
    ///     scope.token().cancelled().await;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let shop = SupervisorSpec::new("shop", Strategy::RestForOne)
    ///     .child(ChildSpec::actor("prices", || (Prices, ())))
    ///     .child(ChildSpec::task_with("sales", sell))
    ///     .start()
    ///     .await?;
    /// # tokio::task::yield_now().await;
    /// # assert_eq!(shop.snapshot().child("sales").unwrap().restarts, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn task_with<F, R, E>(name: impl Into<Arc<str>>, run: F) -> Self
    where
        F: Fn(TaskScope) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let run = Arc::new(run);
        let task = TaskChild::new(move |stop, ready| {
            let run = Arc::clone(&run);
            let scope = TaskScope::new(stop, ready.weak_supervisor());
            async move {
                let task = run(scope).map_err(|error| error.to_string());
                ready.when_polled(task).await
            }
            .boxed()
        });
        Self::new(name.into(), Arc::new(Tasked::new(Arc::new(task))))
    }

    /// A [`task`](Self::task) that is up only when it says so.
    ///
    /// One that ends before it has called [`Ready::notify`], or has not called it
    /// within its [`start_timeout`](Self::start_timeout), did not come up.
    pub fn task_with_readiness<F, R, E>(name: impl Into<Arc<str>>, run: F) -> Self
    where
        F: Fn(CancellationToken, Ready) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let run = Arc::new(run);
        let task = TaskChild::new(move |stop, ready| {
            let run = Arc::clone(&run);
            async move {
                let future = run(stop, ready);
                future.await.map_err(|error| error.to_string())
            }
            .boxed()
        });
        Self::new(name.into(), Arc::new(Tasked::new(Arc::new(task))))
    }

    /// A supervisor, so that there is a tree; `make` is called for each start.
    ///
    /// It is up when all its children are, which start one after another. So it has
    /// their start timeouts added up, and 5 seconds for itself, unless its own
    /// [`start_timeout`](Self::start_timeout) is set. When it gives up, that is an
    /// error of this child. It is stopped in order, and has all the time for that
    /// which its own children take, unless [`shutdown`](Self::shutdown) or its own
    /// [`shutdown_within`](SupervisorSpec::shutdown_within) is set.
    ///
    /// Children that were added to it at run time are not there after a restart.
    pub fn supervisor(
        name: impl Into<Arc<str>>,
        make: impl Fn() -> SupervisorSpec + Send + Sync + 'static,
    ) -> Self {
        Self::of_supervisor(name.into(), Arc::new(SupervisorChild::new(make)))
    }

    pub(super) fn of_supervisor(name: Arc<str>, supervisor: Arc<SupervisorChild>) -> Self {
        Self::new(name, Arc::new(Tasked::new(supervisor))).shutdown(Shutdown::Within(Duration::MAX))
    }

    fn new(name: Arc<str>, runnable: Arc<dyn Runnable>) -> Self {
        Self {
            address: Address::Kept,
            down_hook: DownHook::none(),
            name,
            policy: ChildPolicy::new(),
            queue_limit: None,
            runnable,
            shutdown: Shutdown::Within(STOP_TIMEOUT),
            start_time: StartTime::Unset,
        }
    }

    /// Gives each incarnation an address of its own, as ractor alone would.
    ///
    /// It is for actors that rely on the end of an actor: their own, as ractor's
    /// `Factory` does, whose timers and workers go on as long as the address; or that of
    /// a child that they monitor or wait for. The child's `ActorRef` ends with the
    /// incarnation, whatever ends that, and its mailbox is dropped. A
    /// [`Child`](crate::Child) leads to the new one as soon as that is up; until then
    /// nobody takes messages.
    ///
    /// Unless set, the address and the messages in the mailbox outlive the incarnation. It
    /// makes no difference to a child that is no actor, as that has no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use breakerbox::{ChildSpec, Strategy, SupervisorSpec};
    /// use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
    ///
    /// struct Greeter;
    ///
    /// impl Actor for Greeter {
    ///     type Msg = RpcReplyPort<&'static str>;
    ///     type State = ();
    ///     type Arguments = ();
    ///
    ///     async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle(
    ///         &self,
    ///         _: ActorRef<Self::Msg>,
    ///         reply: RpcReplyPort<&'static str>,
    ///         (): &mut (),
    ///     ) -> Result<(), ActorProcessingErr> {
    ///         Ok(reply.send("hello")?)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let desk = SupervisorSpec::new("desk", Strategy::OneForOne)
    ///     .child(ChildSpec::actor("greeter", || (Greeter, ())).new_address())
    ///     .start()
    ///     .await?;
    /// let greeter = desk.child::<RpcReplyPort<&str>>("greeter")?;
    /// let former = greeter.actor();
    /// desk.restart("greeter").await?;
    /// former.wait(None).await?;
    /// assert_ne!(greeter.actor(), former);
    /// assert_eq!(greeter.ask(|reply| reply, Duration::from_secs(1)).await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new_address(mut self) -> Self {
        self.address = Address::New;
        self
    }

    /// After which exits it is restarted; [`Restart::Permanent`] unless set.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.policy = self.policy.restart(restart);
        self
    }

    /// Restarts it after an abnormal exit only if `is_worth_it` says so of that.
    ///
    /// See [`ChildPolicy::restart_if`] for when it is asked, and what follows.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{CancellationToken, ChildSpec, Exit};
    ///
    /// async fn log_in(stop: CancellationToken) -> Result<(), String> {
    ///     Err("wrong password".to_owned())
    /// }
    ///
    /// let session = ChildSpec::task("session", log_in)
    ///     .restart_if(|exit| !matches!(exit, Exit::Error(text) if text.contains("password")));
    /// ```
    pub fn restart_if(mut self, is_worth_it: fn(&Exit) -> bool) -> Self {
        self.policy = self.policy.restart_if(is_worth_it);
        self
    }

    /// A limit of its own, looked at before the supervisor's; none unless set.
    ///
    /// See [`ChildPolicy::intensity`] for what is charged to whom.
    pub fn intensity(mut self, intensity: RestartIntensity, on_limit: OnLimit) -> Self {
        self.policy = self.policy.intensity(intensity, on_limit);
        self
    }

    /// How long to wait before the n-th restart in a row; not at all unless set.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy = self.policy.backoff(backoff);
        self
    }

    /// How long it must be up for its backoff to begin anew; a minute unless set.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub fn calm_after(mut self, uptime: Duration) -> Self {
        self.policy = self.policy.calm_after(uptime);
        self
    }

    /// Its end can end its supervisor; see [`AutoShutdown`](crate::AutoShutdown).
    pub fn significant(mut self) -> Self {
        self.policy = self.policy.significant();
        self
    }

    /// Lets it stop at the same time as its neighbours, when its supervisor ends.
    ///
    /// One that takes long, or is stuck, then delays none of the neighbours of which
    /// the same is true; see [`ChildPolicy::side_by_side`].
    pub fn side_by_side(mut self) -> Self {
        self.policy = self.policy.side_by_side();
        self
    }

    /// How it is stopped; within 5 seconds unless set, as in OTP.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// How long each incarnation has to come up; 5 seconds unless set.
    ///
    /// A supervisor has as long as its children have one after another, and 5 seconds
    /// for itself, unless set. That is found out at each start, from the spec that is
    /// made for it. A level below counts with what it has itself, which is known once it
    /// starts: then nobody above minds the time, as that level is given up in its own.
    /// Set it where a group of children that restarts while others start must not
    /// delay the start.
    ///
    /// An actor has come up when its `pre_start` has returned. A start that blocks its
    /// thread instead of awaiting is given up a second later, and what it blocks is
    /// waited for before the next one. Where something of the former incarnation is
    /// left, that has as long to go.
    pub fn start_timeout(mut self, within: Duration) -> Self {
        self.start_time = StartTime::Within(within);
        self
    }

    /// Limits the messages that wait for it while it is down; no limit unless set.
    ///
    /// An actor is down while it waits for its restart or that of its group, is paused,
    /// or ends and starts again. Then [`Child::ask`](crate::Child::ask) and
    /// [`Child::cast`](crate::Child::cast) are refused once `limit` messages wait. ractor
    /// accepts what is sent to the bare `ActorRef`. Of that, and of what was in the
    /// mailbox when the child went down, messages beyond the limit are dropped, the latest
    /// first, and counted in [`ChildSnapshot::dropped`](crate::ChildSnapshot::dropped).
    /// Their reply ports are dropped with them, so whoever has asked learns it. Nothing is
    /// dropped while an incarnation starts: it finds what came meanwhile.
    ///
    /// At most `limit` messages wait, and one more for each caller that has just seen the
    /// child up. A message that `cast` has accepted is dropped only where others use the
    /// bare `ActorRef` at the same time. With zero, none waits.
    ///
    /// There is no limit unless set, because messages that wait are a promise: the queue
    /// outlives the crash. Nor is there one while the child is up, so only you know how
    /// much is too much. Set one where messages come in faster than callers wait for
    /// replies, and the child may be down for long, as in a pause. Tasks and supervisors
    /// take no messages; for them it changes nothing.
    pub fn queue_while_down(mut self, limit: usize) -> Self {
        self.queue_limit = Some(limit);
        self
    }

    /// What tells the child that it makes from another one of its name.
    pub(crate) fn key(&self) -> ChildKey {
        ChildKey::of(&self.runnable)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls `hook` once, when it is certain that the child stays down.
    ///
    /// It runs in the supervisor's actor: as soon as the supervisor gives up,
    /// before the mailbox is dropped; otherwise when the child is down; and also
    /// when the supervisor is killed. It must not block; its panic is caught.
    pub(crate) fn on_down(mut self, hook: impl FnOnce(Ending) + Send + 'static) -> Self {
        self.down_hook = DownHook::new(hook);
        self
    }
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .field("shutdown", &self.shutdown)
            .field("start_time", &self.start_time)
            .finish_non_exhaustive()
    }
}

/// OTP's default for workers.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
