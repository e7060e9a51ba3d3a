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

/// The recipe of a child: its code, when it is restarted, and how it is stopped.
#[must_use = "a child is started by the supervisor that it is given to"]
pub struct ChildSpec {
    pub(super) address: Address,
    pub(super) down_hook: DownHook,
    pub(super) name: Arc<str>,
    pub(super) policy: ChildPolicy,
    /// The limit on the messages that wait for it while it is down.
    pub(super) queue_limit: Option<usize>,
    pub(super) runnable: Arc<dyn Runnable>,
    pub(super) shutdown: Shutdown,
    pub(super) start_time: StartTime,
}

impl ChildSpec {
    /// Makes a child of a ractor actor; `make` returns the actor and its arguments.
    ///
    /// The supervisor calls `make` for each incarnation. The name must be unique among the
    /// children of one supervisor, and nowhere else: ractor's registry does not contain
    /// the actor.
    ///
    /// The child's `ActorRef` outlives a crash: `handle`, `post_start` and
    /// `handle_supervisor_evt` may return an error or panic, and the messages in the
    /// mailbox wait for the next incarnation. The message that the actor failed on is not
    /// handled again, and its reply port is dropped. `post_stop` does not run after a
    /// crash or a kill.
    ///
    /// What the actor sets going on its address, such as ractor's `send_interval`,
    /// outlives a crash too. [`actor_with`](Self::actor_with) ties it to the incarnation,
    /// and [`new_address`](Self::new_address) ends the address with the incarnation.
    pub fn actor<A, F>(name: impl Into<Arc<str>>, make: F) -> Self
    where
        A: Actor,
        F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    {
        Self::new(name.into(), Arc::new(ActorChild::new(make)))
    }

    /// Makes a child of a ractor actor whose incarnations each have a [`Scope`].
    ///
    /// The timers, subscriptions, messages to itself, groups and monitors of the scope end
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

    /// Makes a child of an async function; `run` is called for each incarnation.
    ///
    /// The supervisor stops a task by cancelling its token. A task that goes on for longer
    /// than its [`Shutdown`] allows is killed, which drops its future at an await. The
    /// token is cancelled after every end, so whatever the function has spawned can end
    /// too. The task's own timers are part of the future and are dropped with it.
    ///
    /// A task is up once its future has been polled. If `run` panics before there is a
    /// future, the start has failed. `Ok` is [`Exit::Normal`], after which a
    /// [`Restart::Permanent`] task, the default, is started again. `Err` is
    /// [`Exit::Error`] with the text of the error.
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

    /// Makes a [`task`](Self::task) that can find its siblings by a [`TaskScope`].
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

    /// Makes a [`task`](Self::task) that is up only when it says so.
    ///
    /// A task that ends before it has called [`Ready::notify`], or has not called it
    /// within its [`start_timeout`](Self::start_timeout), has failed to start.
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

    /// Makes a child that is itself a supervisor, so that there is a tree.
    ///
    /// The supervisor above calls `make` for each incarnation.
    ///
    /// The child is up when all its own children are, and they start one after another.
    /// Unless set, its [`start_timeout`](Self::start_timeout) is the sum of theirs, and 5
    /// seconds for itself. When it gives up, this child has exited with an error. It stops
    /// its children in order, and may take as long as they take, unless
    /// [`shutdown`](Self::shutdown) or its own
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
    /// Use it for an actor that relies on its own end: ractor's `Factory`, for instance,
    /// has timers and workers that go on for as long as the address. Use it also where
    /// other actors monitor the child or wait for its end. The child's `ActorRef` ends
    /// with the incarnation, whatever ends the incarnation, and the mailbox is dropped. A
    /// [`Child`](crate::Child) leads to the new address as soon as the next incarnation is
    /// up. Until then, `cast` and `ask` are refused as
    /// [`NotRunning`](crate::AskError::NotRunning).
    ///
    /// Unless set, the address and the messages in the mailbox outlive the incarnation.
    /// The setting makes no difference to a task or a supervisor, which has no address.
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

    /// Sets after which exits it is restarted; [`Restart::Permanent`] unless set.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.policy = self.policy.restart(restart);
        self
    }

    /// Restarts it after an abnormal exit only if `is_worth_it` returns true.
    ///
    /// Otherwise the child is done, as if it had ended normally, and the exit counts
    /// towards no limit. The supervisor calls the function, so it must not block; a panic
    /// counts as true. [`ChildPolicy::restart_if`] says which exits it is asked about.
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

    /// Sets a limit of its own, checked before the supervisor's; none unless set.
    ///
    /// A failure within it counts towards both limits. A failure beyond it does not count
    /// towards the supervisor's where the child alone is given up or paused.
    pub fn intensity(mut self, intensity: RestartIntensity, on_limit: OnLimit) -> Self {
        self.policy = self.policy.intensity(intensity, on_limit);
        self
    }

    /// Sets the wait before the n-th restart in a row; there is no wait unless set.
    ///
    /// A [`Backoff`] has no jitter unless it sets one.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy = self.policy.backoff(backoff);
        self
    }

    /// Sets how long it must be up for its backoff to start over; a minute unless set.
    ///
    /// # Panics
    ///
    /// Panics if the span is zero or longer than 100 years.
    pub fn calm_after(mut self, uptime: Duration) -> Self {
        self.policy = self.policy.calm_after(uptime);
        self
    }

    /// Lets its end end its supervisor; see [`AutoShutdown`](crate::AutoShutdown).
    ///
    /// A child is not significant unless set, and the setting has no effect unless
    /// [`SupervisorSpec::auto_shutdown`] is set as well.
    pub fn significant(mut self) -> Self {
        self.policy = self.policy.significant();
        self
    }

    /// Lets it stop at the same time as its neighbours, when its supervisor ends.
    ///
    /// A child that takes long, or is stuck, then does not delay neighbours that stop side
    /// by side as well; see [`ChildPolicy::side_by_side`]. Unless set, a child stops when
    /// those after it are down.
    pub fn side_by_side(mut self) -> Self {
        self.policy = self.policy.side_by_side();
        self
    }

    /// Sets how it is stopped; within 5 seconds unless set, as in OTP.
    ///
    /// A supervisor or a set has no time limit unless set.
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Sets how long each incarnation has to come up; 5 seconds unless set.
    ///
    /// Unless set, a supervisor has the timeouts of its children added up, and 5 seconds
    /// for itself. Each start computes that from the spec that it has made. If one of the
    /// children is itself a supervisor without a timeout, there is no sum, because its
    /// spec is made only when it starts; each child is then given up in its own time. Set
    /// a timeout for a supervisor where a group of children that restarts while others
    /// start must not delay the start.
    ///
    /// An actor has come up when its `pre_start` has returned. A start that blocks its
    /// thread instead of awaiting is given up a second later, and the next start waits
    /// until the thread is free. If something of the former incarnation is left, the start
    /// waits for it within the same timeout.
    pub fn start_timeout(mut self, within: Duration) -> Self {
        self.start_time = StartTime::Within(within);
        self
    }

    /// Limits the messages that wait for it while it is down; no limit unless set.
    ///
    /// An actor is down while it waits for its restart or that of its group, while it is
    /// paused, and while it ends and starts again. Once `limit` messages wait,
    /// [`Child::ask`](crate::Child::ask) and [`Child::cast`](crate::Child::cast) are
    /// refused. ractor accepts every message to the bare `ActorRef`, and messages may have
    /// been in the mailbox when the child went down. The shell drops those beyond the
    /// limit, which are the latest ones, and
    /// [`ChildSnapshot::dropped`](crate::ChildSnapshot::dropped) counts them. Their reply
    /// ports are dropped with them, so their callers get an error. The shell drops nothing
    /// while an incarnation starts: the incarnation receives what came in that time.
    ///
    /// At most `limit` messages wait, and one more for each caller that has just seen the
    /// child up. A message that `cast` has accepted is dropped only where others use the
    /// bare `ActorRef` at the same time. With a limit of zero, no message waits.
    ///
    /// There is no limit unless set, because the queue is promised to outlive a crash. Nor
    /// is there a limit while the child is up, so only you know how much is too much. Set
    /// a limit where messages come in without waiting for replies, and where the child may
    /// be down for long, as in a pause. Tasks and supervisors take no messages, so the
    /// setting changes nothing for them.
    pub fn queue_while_down(mut self, limit: usize) -> Self {
        self.queue_limit = Some(limit);
        self
    }

    /// Returns the identity of its child, which no other child of its name shares.
    pub(crate) fn key(&self) -> ChildKey {
        ChildKey::of(&self.runnable)
    }

    /// Returns the name of its child.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls `hook` once, when it is certain that the child stays down.
    ///
    /// The hook runs in the supervisor's actor: as soon as the supervisor gives up,
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
