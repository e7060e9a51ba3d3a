//! The supervision of actors and tasks: a child that crashes is started again.
//!
//! An actor that crashes takes its mailbox and its address with it. The code that
//! starts the actor again is where the next outage hides: a restart loop without an
//! end, two incarnations at once, a shutdown that kills. Here that code has two parts.
//! A [`Supervision`](breakerbox_core::Supervision) decides, and a supervisor carries
//! out its directives. A child's address survives its crashes.
//!
//! # Invariants
//!
//! 1. Two incarnations of a child never overlap.
//! 2. While it serves, a supervisor waits for nobody: a stuck child, a hung
//!    start or a caller that gave up leaves it responsive.
//! 3. No child outlives its supervisor, however the supervisor ends. The one exception
//!    is code that blocks its thread, which the report names.
//!
//! # Where things are
//!
//! These files hold what a user sees:
//!
//! | file | holds |
//! |---|---|
//! | `supervisor`, `spec` | `Supervisor`, a handle; `SupervisorSpec`, which starts one |
//! | `child`, `child_spec`, `shutdown` | `Child`, a handle; its recipe; how it is stopped |
//! | `cast` | why a message was not sent |
//! | `child_key` | the identity of a child, which a later child of its name does not share |
//! | `child_set` | `ChildSet`, a handle on children that come and go |
//! | `weak_supervisor` | `WeakSupervisor`, a handle that keeps nothing running |
//! | `supervisor_path`, `child_path` | how a handle finds what it leads to, after a restart too |
//! | `path` | names, and how they stand in a path |
//! | `event`, `snapshot`, `report` | what changes, the state now, how a supervisor ended |
//! | `error` | why a command was not carried out |
//!
//! These files hold what the supervisor's actor does:
//!
//! | file | holds |
//! |---|---|
//! | `actor`, `message` | the ractor actor, and its messages |
//! | `inbox`, `notifier` | what its children report, and how they report it |
//! | `state`, `timer` | its state, which feeds the `Supervision` and carries out directives |
//! | `state/commands`, `state/notices` | what it is asked for, and what has happened |
//! | `state/directives`, `state/dues` | what is decided, and what takes too long |
//! | `state/shutdown` | its end |
//! | `managed_child` | one child: what callers asked of it, and which of them wait |
//! | `backlog` | counts the messages that wait for a child while it is down |
//! | `down_hook` | a function that is called once, when it is certain that a child stays down |
//! | `end_time` | how long the end of a supervisor may take |
//! | `published` | what handles read without asking the actor |
//! | `published/child_entry/log`, `history` | the log lines about a child, and their limit |
//! | `log` | the log lines about the supervisor itself |
//! | `link` | chains as long as a tree is deep, and how they are dropped |
//! | `place` | a supervisor's path in its tree, for its log lines |
//! | `running_supervisor` | one incarnation of a supervisor, as handles have it |
//! | `runnable` | what can be started and stopped |
//! | `actor_child` | a child that is a ractor actor |
//! | `address` | whether an actor's address outlives its incarnations |
//! | `tasked`, `latest_lock` | a child whose starts and stops run in tasks, one at a time |
//! | `start_time` | how long an incarnation has to come up |
//! | `supervisor_child`, `task_child` | a child that is a supervisor or an async function |
//! | `recipe` | the function that makes a child's incarnations, until it is taken away |
//! | `current` | the latest incarnation of a child without a shell |
//!
//! These files hold what a child runs in:
//!
//! | file | holds |
//! |---|---|
//! | `shell` | the actor that callers talk to, which passes callbacks on |
//! | `shell/life` | the way from one incarnation to the next |
//! | `shell/starts`, `shell/ends` | how it starts an incarnation, and ends one or itself |
//! | `shell/incarnation` | the user's actor and its state |
//! | `shell/control`, `shell/control/orders`, `shell/bell` | what the supervisor has ordered; how an idle shell learns of it |
//! | `shell/handle` | the supervisor's side |
//! | `shell/turns` | which message an incarnation handles next: of its mailbox or of its scope |
//! | `shell/waiting` | messages that were taken from the mailbox and wait for an incarnation |
//! | `shell/linked` | ends the actors that an incarnation had linked |
//! | `scope` | what an incarnation sets going, and what ends with it |
//! | `scope/shared`, `scope/held` | what its handles share with the shell; what a scope holds until it ends |
//! | `scope/timers` | the timers of a scope, which one task watches |
//! | `scope/relay`, `scope/listener` | the actors that subscribe and monitor for a scope |
//! | `catch` | turns errors and panics into exits |
//! | `watchdog` | a thread that wakes a worker while the user's code blocks one |
//!
//! # From a crash to the restart
//!
//! 1. A shell runs a callback of the user's actor by `catch::hook`, which turns
//!    the error or panic into an [`Exit`](breakerbox_core::Exit).
//! 2. The shell drops the incarnation, ends the actors that it had linked, leaves
//!    `Exited` in the supervisor's inbox, and waits for an order.
//! 3. The supervisor's state tells the `Supervision`, which answers with a
//!    directive: `Start` now, or at a deadline, or `GaveUp`, or `Escalate`.
//! 4. On `Start` the managed child orders the shell to run the next incarnation.
//!    If the start comes later, it orders the shell to go back to its mailbox until
//!    then: the shell keeps the messages that it takes out, and a `stop` reaches it.
//! 5. The shell makes a new actor, runs its `pre_start`, leaves `Started`, runs its
//!    `post_start`, and goes on with the messages.
//!
//! The siblings in a group, and a child that is restarted by command, did not fail. On
//! `EndIncarnation` the shell is ordered to end its incarnation. The shell waits for the
//! running callback, drops it when its time is over, runs `post_stop`, and leaves
//! `Exited`; the rest is as above from step 3.
//!
//! If the shell itself ended, by a stop, drain or kill, the last part of it that is
//! dropped leaves `ShellEnded`. The state takes that as the exit, and in step 4 it spawns
//! a new shell. A child that has a new address for each incarnation always takes this
//! way: its shell fails when its incarnation fails, and the shell is stopped where other
//! shells are ordered to end their incarnation.

mod actor;
mod actor_child;
mod address;
mod backlog;
mod cast;
pub(crate) mod catch;
mod child;
mod child_key;
mod child_path;
mod child_set;
mod child_spec;
mod current;
mod down_hook;
mod end_time;
mod error;
mod event;
mod inbox;
mod latest_lock;
mod link;
mod log;
mod managed_child;
mod message;
mod notifier;
mod path;
mod place;
mod published;
mod recipe;
mod report;
mod runnable;
mod running_supervisor;
mod scope;
mod shell;
mod shutdown;
mod snapshot;
mod spec;
mod start_time;
mod state;
mod supervisor_child;
mod supervisor_path;
mod task_child;
mod tasked;
#[cfg(test)]
mod tests;
mod timer;
mod watchdog;
mod weak_supervisor;

use std::fmt;
use std::sync::Arc;

use breakerbox_core::Phase;
use ractor::Message;
use tokio::sync::{oneshot, watch};

pub use cast::CastError;
pub use child::{AnyMessage, Child, ChildError};
pub(crate) use child_key::ChildKey;
use child_path::ChildPath;
pub use child_set::ChildSet;
pub use child_spec::ChildSpec;
pub use error::{AddError, RemoveError, RestartError};
pub use event::{SupervisorEvent, SupervisorEvents};
use message::SupervisorMessage;
pub use report::{Departure, End, Report, Stopped};
use running_supervisor::{RunningSupervisor, StopOnDrop};
pub use scope::{Scope, ScopeEnded, ScopeTimer};
pub use shutdown::Shutdown;
pub use snapshot::{ChildKind, ChildSnapshot, SupervisorSnapshot};
pub(crate) use spec::Booted;
pub use spec::{StartError, SupervisorSpec};
use supervisor_path::SupervisorPath;
pub use task_child::{Ready, TaskScope};
pub use tokio_util::sync::CancellationToken;
pub use weak_supervisor::WeakSupervisor;

/// A running supervisor and its children.
///
/// This is a handle, and clones are handles on the same supervisor. Dropping the last
/// handle on the root of a tree stops the tree in the background, in reverse order; to
/// wait for that, and learn how it went, use [`shutdown`](Self::shutdown). A handle on a
/// supervisor below the root, from [`supervisor`](Self::supervisor), stops nothing when it
/// is dropped.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use breakerbox::{ChildSpec, Restart, RestartIntensity, Strategy, SupervisorSpec};
/// use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
///
/// struct Counter;
///
/// impl Actor for Counter {
///     type Msg = RpcReplyPort<u64>;
///     type State = u64;
///     type Arguments = u64;
///
///     async fn pre_start(&self, _: ActorRef<Self::Msg>, from: u64) -> Result<u64, ActorProcessingErr> {
///         Ok(from)
///     }
///
///     async fn handle(
///         &self,
///         _: ActorRef<Self::Msg>,
///         reply: RpcReplyPort<u64>,
///         count: &mut u64,
///     ) -> Result<(), ActorProcessingErr> {
///         *count += 1;
///         Ok(reply.send(*count)?)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = SupervisorSpec::new("orders", Strategy::OneForOne)
///     .intensity(RestartIntensity::new(5, Duration::from_secs(30)))
///     .child(ChildSpec::actor("counter", || (Counter, 100)).restart(Restart::Transient))
///     .start()
///     .await?;
/// let counter = orders.child::<RpcReplyPort<u64>>("counter")?;
/// assert_eq!(counter.ask(|reply| reply, Duration::from_secs(1)).await?, 101);
/// let report = orders.shutdown().await;
/// assert_eq!(report.unclean().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Supervisor {
    /// It is `None` where another supervisor stops this one.
    _keeper: Option<Arc<StopOnDrop>>,
    path: Arc<SupervisorPath>,
}

impl Supervisor {
    /// Returns a handle on a root, which runs until the last such handle is dropped.
    fn keeping(root: &Arc<RunningSupervisor>) -> Self {
        Self {
            _keeper: Some(root.keep()),
            path: SupervisorPath::to(root),
        }
    }

    /// Returns a handle that stops nothing when it is dropped.
    fn at(path: Arc<SupervisorPath>) -> Self {
        Self {
            _keeper: None,
            path,
        }
    }

    /// Returns another handle, which stops nothing when it is dropped.
    pub(crate) fn observer(&self) -> Self {
        Self::at(Arc::clone(&self.path))
    }

    /// Returns the incarnation that is there now, or was last.
    fn now(&self) -> Arc<RunningSupervisor> {
        self.path.now()
    }

    /// Returns a handle that does not keep the tree running.
    ///
    /// Give such a handle to children of the tree itself: a strong one would keep their
    /// own tree from ending.
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisor {
        WeakSupervisor::new(Arc::clone(&self.path))
    }

    /// Returns a handle on the actor of this name, which takes messages of type `M`.
    ///
    /// `path` is the name of a child, or a path through children that are supervisors
    /// themselves, as in "orders/consumer". The other methods that take a child accept a
    /// path as well. A path escapes a slash and a control character in a name as a URL
    /// does: "a/b" is "a%2Fb" there.
    ///
    /// The handle stays good when a supervisor on its path is restarted.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::Unknown`] if there is no such child,
    /// [`ChildError::OtherMessages`] if the child takes other messages or is not an actor,
    /// and [`ChildError::Starting`] if the child or a supervisor on its path has not come
    /// up yet.
    pub fn child<M: Message>(&self, path: &str) -> Result<Child<M>, ChildError> {
        self.any_child(path)?.typed()
    }

    /// Returns a handle on the child of this name or path, whatever its kind.
    ///
    /// The child need not be up.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::Unknown`] if there is no such child, and
    /// [`ChildError::Starting`] if a supervisor on its path has not come up yet.
    pub fn any_child(&self, path: &str) -> Result<Child, ChildError> {
        Ok(Child::new(self.path.child(path)?))
    }

    /// Returns a handle on a child that is a supervisor itself, by its name or path.
    ///
    /// Dropping the handle stops nothing. The handle stays good when that child, or a
    /// supervisor on its path, is restarted: it then leads to the new incarnation, which
    /// has the children of its recipe. While there is no incarnation, the handle leads to
    /// the one before.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::Unknown`] if there is no such child,
    /// [`ChildError::NoSupervisor`] if the child is not a supervisor, and
    /// [`ChildError::Starting`] if the child or a supervisor on its path has not come up
    /// yet.
    pub fn supervisor(&self, path: &str) -> Result<Self, ChildError> {
        let child = self.path.child(path)?;
        let (entry, name) = (child.now(), || child.name().to_string());
        if !supervisor_path::is_supervisor(&entry) {
            return Err(ChildError::NoSupervisor { child: name() });
        }
        let running = entry.runnable().supervisor();
        let running = running.ok_or_else(|| ChildError::Starting { child: name() })?;
        Ok(Self::at(SupervisorPath::to(&running)))
    }

    /// Returns a handle on a set, by its name or path.
    ///
    /// The children of the set are made from arguments of type `T`.
    ///
    /// The handle stays good when the set, or a supervisor on its path, is restarted. It
    /// makes children by the recipe of the set that is there at the time.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::Unknown`] if there is no such child, [`ChildError::NoSet`] if
    /// the child is not a set, [`ChildError::OtherArguments`] if its children are made
    /// from another type or the set has ended for good, and [`ChildError::Starting`] if a
    /// supervisor on its path has not come up yet.
    pub fn set<T: 'static>(&self, path: &str) -> Result<ChildSet<T>, ChildError> {
        ChildSet::at(self.path.child(path)?)
    }

    /// Adds a child, and returns a handle on it when it is up.
    ///
    /// The child starts at once, beside others that start. While the supervisor itself
    /// starts, or restarts a group, the child waits for its turn.
    ///
    /// # Errors
    ///
    /// Returns [`AddError::Duplicate`] if the name is taken, [`AddError::Full`] if the
    /// supervisor is that of a set which is full, [`AddError::Failed`] if the child does
    /// not come up, which the supervisor then forgets, and [`AddError::Ended`] if the
    /// supervisor ends, or the child is stopped or removed, before the child is up.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not take the child back.
    pub async fn add(&self, child: ChildSpec) -> Result<Child, AddError> {
        self.now().add(child).await
    }

    /// Stops a child, forgets it, and returns when it is gone.
    ///
    /// The child may be up, starting, waiting for its restart, stopping or down. Its name
    /// stays taken until it is gone. If the child blocks its thread, this returns
    /// [`Departure::Stuck`] a second after the kill, and the name stays taken for longer.
    ///
    /// # Errors
    ///
    /// Returns [`RemoveError::Unknown`] if there is no such child, and
    /// [`RemoveError::Ended`] if the supervisor ends first, which stops the child as well.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not keep the child.
    pub async fn remove(&self, child: &str) -> Result<Departure, RemoveError> {
        let answer = self.command(child, SupervisorMessage::Remove);
        answer.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// Removes this very child, and no other child that has its name by now.
    pub(crate) async fn remove_this(
        &self,
        name: &str,
        child: &ChildKey,
    ) -> Result<Departure, RemoveError> {
        let (name, child, now) = (name.to_owned(), child.clone(), self.now());
        let removed = now.ask(|reply| SupervisorMessage::RemoveThis(name, child, reply));
        removed.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// Returns why a child was not added, and leaves nothing of it.
    ///
    /// A child that was stopped while it came up would stay, though nobody has a handle.
    pub(crate) async fn why_not_added(
        &self,
        error: AddError,
        name: &str,
        child: &ChildKey,
    ) -> NotAdded {
        if let AddError::Duplicate { .. } = error {
            return NotAdded::Taken;
        }
        match self.remove_this(name, child).await {
            Err(RemoveError::Ended) => NotAdded::Ended,
            _ if self.ends() => NotAdded::Ended,
            _ => NotAdded::Interrupted,
        }
    }

    /// Returns whether it has ended, or is about to.
    pub(crate) fn ends(&self) -> bool {
        is_ending(self.phase())
    }

    /// Waits until it has ended, or is about to.
    pub(crate) async fn ending(&self) {
        self.now().published().entered(is_ending).await;
    }

    /// Returns what it is doing itself.
    pub(crate) fn phase(&self) -> Phase {
        self.now().published().phase()
    }

    /// Returns what it is doing itself, for somebody who waits for a change.
    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.now().published().phases()
    }

    /// Returns whether it has a child of its own of this name.
    pub(crate) fn has_child(&self, name: &str) -> bool {
        self.now().published().id(name).is_some()
    }

    /// Restarts a child, and returns when it is up.
    ///
    /// A child that is up ends its incarnation first, in place: its address and its queue
    /// stay, unless the child has a [`new_address`](ChildSpec::new_address). A child that
    /// waits for its restart stops waiting, and a child that is down starts. The restart
    /// counts towards no limit.
    ///
    /// # Errors
    ///
    /// Returns [`RestartError::Unknown`] if there is no such child or the child is being
    /// removed, [`RestartError::Failed`] if it does not come up, after which the
    /// supervisor treats it as after any failed restart, and [`RestartError::Ended`] if
    /// the supervisor ends, or the child is stopped or removed, before the child is up.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not take the restart back.
    pub async fn restart(&self, child: &str) -> Result<(), RestartError> {
        let answer = self.command(child, SupervisorMessage::Restart);
        answer.await.unwrap_or(Err(RestartError::Ended))
    }

    /// Stops a child but keeps it, and returns when it is down.
    ///
    /// Neither its restart type nor its group starts the child again; only
    /// [`restart`](Self::restart) does. Its mailbox is gone, and a handle then leads to a
    /// new actor. If the child blocks its thread, this returns [`Departure::Stuck`] a
    /// second after the kill.
    ///
    /// # Errors
    ///
    /// Returns [`RemoveError::Unknown`] if there is no such child or the child is being
    /// removed, and [`RemoveError::Ended`] if the supervisor ends first, which stops the
    /// child as well.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not keep the child up.
    pub async fn stop(&self, child: &str) -> Result<Departure, RemoveError> {
        let answer = self.command(child, SupervisorMessage::Stop);
        answer.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// Returns the state of the supervisor and its children, as last published.
    ///
    /// This asks no actor, so it returns at any time: while children start or stop, while
    /// a child is stuck, and after the end.
    #[must_use]
    pub fn snapshot(&self) -> SupervisorSnapshot {
        self.now().published().snapshot()
    }

    /// Returns the events from now on, until its present incarnation ends.
    ///
    /// The events of supervisors below are among them. For the events after a restart of
    /// this supervisor, listen again, or listen to a supervisor above.
    #[must_use]
    pub fn events(&self) -> SupervisorEvents {
        SupervisorEvents::new(self.now().published().events())
    }

    /// Returns the name from its spec.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.supervisor_name()
    }

    /// Stops all children in reverse order, and returns when they are gone.
    ///
    /// The supervisor asks each child to stop, waits as long as the child's [`Shutdown`]
    /// says, kills the child, and waits a second more. When the time that
    /// [`SupervisorSpec::shutdown_within`] grants is over, it kills all that are left at
    /// once. The report names the children that had to be killed and those that are
    /// stuck. Each of several callers gets the report.
    ///
    /// Its parent, if there is one, takes this as a normal exit, and restarts it if its
    /// restart type is [`Restart::Permanent`](crate::Restart::Permanent).
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not call the shutdown off.
    pub async fn shutdown(&self) -> Report {
        self.now().shutdown().await
    }

    /// Ends it at once; no `post_stop` runs.
    ///
    /// Returns when nothing of it is left, or after two seconds. A child that is left then
    /// is stuck, and the report names it. A supervisor that was about to end by itself has
    /// ended for that reason, only sooner.
    pub(crate) async fn kill(&self) -> Report {
        self.now().kill_and_wait().await
    }

    /// Asks the supervisor of a child; returns None if that supervisor has ended.
    async fn command<T>(
        &self,
        child: &str,
        message: impl FnOnce(String, oneshot::Sender<T>) -> SupervisorMessage,
    ) -> Option<T> {
        let (supervisor, name) = self.path.resolve(child);
        supervisor
            .ask(|reply| message(name.into_owned(), reply))
            .await
    }

    /// Waits until it has ended, by a shutdown, an escalation or a kill.
    ///
    /// For a supervisor below the root, this is the end of its present incarnation.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; call `ended` again.
    pub async fn ended(&self) -> Report {
        self.now().ended().await
    }
}

impl RunningSupervisor {
    async fn add(self: &Arc<Self>, child: ChildSpec) -> Result<Child, AddError> {
        let added = self.ask(|reply| SupervisorMessage::Add(child, reply));
        let entry = added.await.unwrap_or(Err(AddError::Ended))?;
        Ok(Child::new(ChildPath::new(SupervisorPath::to(self), entry)))
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The reason why a child of the crate's own was not added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotAdded {
    /// The supervisor has ended, or is about to.
    Ended,
    /// The child was stopped or removed while it came up, or did not come up.
    Interrupted,
    /// Another child has the name.
    Taken,
}

const fn is_ending(phase: Phase) -> bool {
    matches!(phase, Phase::Stopping | Phase::Down)
}
