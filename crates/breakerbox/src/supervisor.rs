//! Supervising actors and tasks: what crashes is started again, and in time.
//!
//! An actor that crashes takes its mailbox and its address with it, and the code
//! that starts it again is where the next outage hides: a restart loop without
//! an end, two of it at once, a shutdown that kills. Here that code is one
//! [`Supervision`](breakerbox_core::Supervision), which decides, and a
//! supervisor, which carries its directives out; and a child's address survives
//! its crashes.
//!
//! # Invariants
//!
//! 1. Two incarnations of a child never overlap.
//! 2. While it serves, a supervisor waits for nobody: a stuck child, a hung
//!    start or a caller that gave up leave it responsive.
//! 3. No child outlives its supervisor, however that ends, but for code that
//!    blocks its thread, which the report names.
//!
//! # Where things are
//!
//! What a user sees:
//!
//! | file | holds |
//! |---|---|
//! | `supervisor`, `spec` | `Supervisor`, a handle; `SupervisorSpec`, which starts one |
//! | `child`, `child_spec`, `shutdown` | `Child`, a handle; its recipe; how it is stopped |
//! | `cast` | why a message was not sent |
//! | `child_key` | the very child that was added, whoever has its name by now |
//! | `child_set` | `ChildSet`, a handle on children that come and go |
//! | `weak_supervisor` | `WeakSupervisor`, a handle that keeps nothing running |
//! | `supervisor_path`, `child_path` | how a handle finds what it leads to, after a restart too |
//! | `path` | names, and how they stand in a path |
//! | `event`, `snapshot`, `report` | what changes, what is now, how it ended |
//! | `error` | why a command was not carried out |
//!
//! What the supervisor's actor does:
//!
//! | file | holds |
//! |---|---|
//! | `actor`, `message` | the ractor actor, and what it is sent |
//! | `inbox`, `notifier` | what it is told of its children, and by whom |
//! | `state`, `timer` | its state: feeds the `Supervision`, carries out directives |
//! | `managed_child` | one child: what it was asked for, and who waits for it |
//! | `backlog` | counts the messages that wait for a child while it is down |
//! | `down_hook` | called once, when it is certain that a child stays down |
//! | `end_time` | how long the end of a supervisor may take |
//! | `published` | what handles read without asking the actor |
//! | `published/child_entry/log`, `history` | the log lines about a child, and their limit |
//! | `log` | the log lines about the supervisor itself |
//! | `link` | chains as long as a tree is deep, and how they are dropped |
//! | `place` | a supervisor's path in its tree, for its log lines |
//! | `running_supervisor` | one incarnation of a supervisor, as handles have it |
//! | `runnable` | what can be started and stopped |
//! | `actor_child` | a ractor actor as such |
//! | `address` | whether an actor's address outlives its incarnations |
//! | `tasked`, `latest_lock` | what a task starts and stops, one task at a time |
//! | `start_time` | how long an incarnation has to come up |
//! | `supervisor_child`, `task_child` | a supervisor and an async function as such |
//! | `recipe` | what makes a child's incarnations, until there are to be none |
//! | `current` | the latest incarnation of a child without a shell |
//!
//! What a child runs in:
//!
//! | file | holds |
//! |---|---|
//! | `shell` | the actor that callers talk to; passes callbacks on |
//! | `shell/life` | from one incarnation to the next |
//! | `shell/incarnation` | the user's actor and its state |
//! | `shell/control`, `shell/bell` | what the supervisor has ordered; how an idle shell learns of it |
//! | `shell/handle` | the supervisor's side |
//! | `shell/turns` | what an incarnation runs next, of its mailbox and its scope |
//! | `shell/waiting` | what was taken from the mailbox and waits for an incarnation |
//! | `shell/linked` | ends the actors that an incarnation had linked |
//! | `scope` | what an incarnation sets going, and what ends with it |
//! | `scope/shared`, `scope/held` | what its handles and the shell share; what it holds until it ends |
//! | `scope/timers` | its timers, which one task minds |
//! | `scope/relay`, `scope/listener` | the actors that subscribe and monitor for it |
//! | `catch` | turns errors and panics into exits |
//! | `watchdog` | minds the others while the user's code blocks a thread |
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
//!    Where that takes a while, it orders it to wait among its messages instead:
//!    the shell then keeps those that it takes out, and a `stop` reaches it.
//! 5. The shell makes a new actor, runs its `pre_start`, leaves `Started`, runs its
//!    `post_start`, and goes on with the messages.
//!
//! A group's siblings, and a child that is restarted by command, did not fail: on
//! `EndIncarnation` the shell is ordered to end its incarnation. It waits for the
//! callback that runs, drops that when its time is over, runs `post_stop`, and
//! leaves `Exited`; the rest is as above from step 3.
//!
//! Where the shell itself ended, by a stop, drain or kill, the last thing that is
//! dropped of it leaves `ShellEnded`. The state takes that as the exit, and in step 4
//! a new shell is spawned. A child that has a new address for each incarnation always takes
//! this way: its shell fails as its incarnation does, and is stopped where others are
//! ordered to end their incarnation.

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
/// Clones are handles on the same one. Dropping the last handle stops its
/// children in the background, in reverse order; to wait for that, and learn how
/// it went, use [`shutdown`](Self::shutdown).
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
    /// None where another supervisor stops it.
    _keeper: Option<Arc<StopOnDrop>>,
    path: Arc<SupervisorPath>,
}

impl Supervisor {
    /// A handle on a root, which runs until the last of them is dropped.
    fn keeping(root: &Arc<RunningSupervisor>) -> Self {
        Self {
            _keeper: Some(root.keep()),
            path: SupervisorPath::to(root),
        }
    }

    /// A handle that stops nothing when it is dropped.
    fn at(path: Arc<SupervisorPath>) -> Self {
        Self {
            _keeper: None,
            path,
        }
    }

    /// Another handle, which stops nothing when it is dropped.
    pub(crate) fn observer(&self) -> Self {
        Self::at(Arc::clone(&self.path))
    }

    /// Its incarnation that is there now, or was last.
    fn now(&self) -> Arc<RunningSupervisor> {
        self.path.now()
    }

    /// A handle that does not keep it running.
    ///
    /// It is for children of the tree itself: with a strong one they would keep their
    /// own tree from ending.
    #[must_use]
    pub fn downgrade(&self) -> WeakSupervisor {
        WeakSupervisor::new(Arc::clone(&self.path))
    }

    /// A handle on the actor of that name, which takes messages of type `M`.
    ///
    /// The name may be a path through children that are supervisors themselves,
    /// as in "orders/consumer"; so it may where a child is named below. In a path, a
    /// slash or a control character of a name is escaped as in a URL: "a/b" is
    /// "a%2Fb" there.
    ///
    /// The handle stays good when a supervisor on its path is restarted.
    ///
    /// # Errors
    ///
    /// When there is no such child, it takes other messages, or it was added and
    /// has not come up yet.
    pub fn child<M: Message>(&self, path: &str) -> Result<Child<M>, ChildError> {
        self.any_child(path)?.typed()
    }

    /// A handle on the child of that name or path, whatever it is.
    ///
    /// # Errors
    ///
    /// When there is no such child, or a supervisor on its path has not come up yet.
    pub fn any_child(&self, path: &str) -> Result<Child, ChildError> {
        Ok(Child::new(self.path.child(path)?))
    }

    /// A handle on a child that is a supervisor itself, by its name or path.
    ///
    /// Dropping it stops nothing. It stays good when that child, or a supervisor on
    /// its path, is restarted: it then leads to the new incarnation, which has the
    /// children of its recipe. While there is none, it leads to the one before.
    ///
    /// # Errors
    ///
    /// When there is no such child, it is no supervisor, or has not come up yet.
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

    /// A handle on a set, by its name or path; `T` is what its children are made from.
    ///
    /// It stays good when the set, or a supervisor on its path, is restarted, and makes
    /// children by the recipe of the set that is there then.
    ///
    /// # Errors
    ///
    /// When there is no such child, it is no set, or one of other arguments.
    pub fn set<T: 'static>(&self, path: &str) -> Result<ChildSet<T>, ChildError> {
        ChildSet::at(self.path.child(path)?)
    }

    /// Adds a child, and returns a handle on it when it is up.
    ///
    /// # Errors
    ///
    /// When the name is taken, or the child does not come up; the supervisor
    /// then forgets it. When the supervisor ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the child back.
    pub async fn add(&self, child: ChildSpec) -> Result<Child, AddError> {
        self.now().add(child).await
    }

    /// Stops a child, forgets it, and returns when it is gone.
    ///
    /// The name stays taken until then. It may be up, starting, waiting for
    /// its restart, stopping or down.
    ///
    /// # Errors
    ///
    /// When there is no such child, or the supervisor ends meanwhile, which
    /// stops the child as well.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not keep the child.
    pub async fn remove(&self, child: &str) -> Result<Departure, RemoveError> {
        let answer = self.command(child, SupervisorMessage::Remove);
        answer.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// Removes this very child of its own; nobody who has its name by now, and nobody
    /// on a path.
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
    /// A child that was stopped while it came up would stay, though nobody has it.
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

    /// Whether it has a child of its own of this name.
    pub(crate) fn has_child(&self, name: &str) -> bool {
        self.now().published().id(name).is_some()
    }

    /// Starts a child anew, and returns when it is up.
    ///
    /// One that is up ends its incarnation first, in place: its address and its
    /// queue stay. One that waits for its restart does not wait any longer; one
    /// that is down starts again. Nobody is charged with a failure.
    ///
    /// # Errors
    ///
    /// When there is no such child, or it is being removed; when it did not come
    /// up, which goes on as any failed restart; when the supervisor ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the restart back.
    pub async fn restart(&self, child: &str) -> Result<(), RestartError> {
        let answer = self.command(child, SupervisorMessage::Restart);
        answer.await.unwrap_or(Err(RestartError::Ended))
    }

    /// Stops a child but keeps it, and returns when it is down.
    ///
    /// Only [`restart`](Self::restart) starts it again, neither its restart type
    /// nor its group. Its mailbox is gone, and a handle then leads to a new actor.
    ///
    /// # Errors
    ///
    /// When there is no such child, or it is being removed; when the supervisor
    /// ends meanwhile, which stops the child as well.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not keep the child up.
    pub async fn stop(&self, child: &str) -> Result<Departure, RemoveError> {
        let answer = self.command(child, SupervisorMessage::Stop);
        answer.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// How it and its children do, as it last published it.
    ///
    /// It asks nobody, so it answers at any time: while children start or stop,
    /// while one is stuck, and after the end.
    #[must_use]
    pub fn snapshot(&self) -> SupervisorSnapshot {
        self.now().published().snapshot()
    }

    /// What happens from now on, until its present incarnation ends.
    #[must_use]
    pub fn events(&self) -> SupervisorEvents {
        SupervisorEvents::new(self.now().published().events())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.supervisor_name()
    }

    /// Stops all children in reverse order, and returns when they are gone.
    ///
    /// Each is asked, waited for as long as its [`Shutdown`] says, killed, and
    /// waited for a second more, as are those that were stuck before. When the time
    /// that [`SupervisorSpec::shutdown_within`] grants is over, all that are left are
    /// killed at once. Of several callers each gets the report.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not call the shutdown off.
    pub async fn shutdown(&self) -> Report {
        self.now().shutdown().await
    }

    /// Ends it at once; no `post_stop` runs.
    ///
    /// Returns when nothing of it is left, or after two seconds; who is left then
    /// is stuck, and named in the report. One that was about to end by itself has
    /// ended for that reason, only sooner.
    pub(crate) async fn kill(&self) -> Report {
        self.now().kill_and_wait().await
    }

    /// Asks whoever supervises a child; None if that has ended.
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
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
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
