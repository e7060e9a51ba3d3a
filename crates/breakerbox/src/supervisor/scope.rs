//! The things that an incarnation sets going, and that end with it.
//!
//! A supervised actor keeps its address across restarts, and ractor ties timers,
//! subscriptions, group memberships and monitors to the address. So the ticks of an
//! incarnation that has crashed go on beside those of the next incarnation. A [`Scope`]
//! ties them to the incarnation instead.
//!
//! # Invariants
//!
//! 1. Once a scope has ended, nothing of it reaches an incarnation, and the actor has left
//!    the groups and monitors that it entered through the scope. The next incarnation
//!    starts after that.
//! 2. The functions that a scope was given run in the shell's own task, as the actor's own
//!    code, and never under a lock. A panic in such a function crashes the incarnation.
//! 3. A handle keeps neither the shell nor the supervisor alive.

mod held;
mod listener;
mod relay;
mod shared;
mod timers;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

#[cfg(feature = "monitors")]
use ractor::ActorCell;
use ractor::{Message, OutputMessage, OutputPort};
use tokio_util::sync::CancellationToken;

use super::WeakSupervisor;
use held::Group;
use shared::Shared;
pub(super) use shared::{Mail, OpenScope, Turn};
use timers::{Make, TimerKey};

use crate::clock::LONGEST;

/// A handle on what one incarnation of a supervised actor sets going.
///
/// [`ChildSpec::actor_with`](crate::ChildSpec::actor_with) gives one to each incarnation,
/// which keeps it in its actor or its arguments. The handle is cheap to clone, and any
/// thread and task may use it. Dropping a handle ends nothing. The scope ends with the
/// incarnation: by a crash, a restart, a stop, a drain or a kill, and also when the
/// incarnation does not come up. `post_stop` still runs within the scope.
///
/// Once the scope has ended, [`send_self`](Self::send_self) returns an error, and the
/// other methods start nothing. Everything that the scope was given is dropped, such as
/// messages that wait and functions that make messages.
///
/// The actor handles the messages of its scope in the order in which they were sent, or
/// came due, and those of its mailbox in theirs. When both have messages, they take
/// turns. Once somebody drains the actor's address, neither the mailbox nor the scope
/// accepts anything more, and the actor handles what they have accepted before it ends.
pub struct Scope<M> {
    shared: Arc<Shared<M>>,
}

impl<M: Message> Scope<M> {
    /// Sends a message to this incarnation, and to no later one.
    ///
    /// The message does not go through the mailbox, so it carries no tracing span of
    /// ractor's. Nothing limits how many messages wait.
    ///
    /// # Errors
    ///
    /// Returns [`ScopeEnded`] and drops the message if the incarnation has ended, or
    /// somebody has drained or stopped its address.
    pub fn send_self(&self, message: M) -> Result<(), ScopeEnded> {
        self.shared.send(Turn::Message(message))
    }

    /// Sends the actor a message after `delay`.
    ///
    /// No message is sent if the incarnation has ended by then.
    /// The scope calls `message` when it is the message's turn, as code of the actor: a
    /// panic crashes the incarnation. A `delay` of more than 100 years counts as 100
    /// years. The clock is tokio's, which tests can pause. Dropping the [`ScopeTimer`] does
    /// not cancel the timer.
    pub fn send_after(
        &self,
        delay: Duration,
        message: impl FnOnce() -> M + Send + 'static,
    ) -> ScopeTimer {
        self.set_timer(delay, Make::Once(Box::new(message)))
    }

    /// Sends the actor a message after each `period`, while the incarnation runs.
    ///
    /// The first tick comes after one period. At most one tick waits to be handled: a tick
    /// that comes due while another one waits is skipped, and so are ticks that came due
    /// while the runtime was blocked. The next tick comes at the next multiple of the
    /// period, so ticks neither pile up nor drift. The scope calls `message` as in
    /// [`send_after`](Self::send_after). A period of more than 100 years counts as 100
    /// years. Dropping the [`ScopeTimer`] does not cancel the timer.
    ///
    /// # Panics
    ///
    /// Panics if the period is zero.
    pub fn send_interval(
        &self,
        period: Duration,
        message: impl Fn() -> M + Send + Sync + 'static,
    ) -> ScopeTimer {
        assert!(!period.is_zero(), "an interval needs a period above zero");
        let period = period.min(LONGEST);
        self.set_timer(period, Make::Each(Arc::new(message), period))
    }

    fn set_timer(&self, delay: Duration, make: Make<M>) -> ScopeTimer {
        let key = self.shared.set_timer(delay, make);
        let timers = Arc::downgrade(&self.shared);
        ScopeTimer { key, timers }
    }

    /// Returns the supervisor of the actor, to find its siblings.
    ///
    /// While the tree starts, the siblings after this one are not up yet.
    #[must_use]
    pub fn supervisor(&self) -> WeakSupervisor {
        self.shared.supervisor()
    }

    /// Returns a token that is cancelled when the incarnation has ended.
    ///
    /// Give the token to the tasks that the actor spawns. Each call returns a token of its
    /// own: cancelling that one by hand cancels no other.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.shared.token()
    }

    /// Subscribes to a port, and sends the actor what `convert` makes of each value.
    ///
    /// The scope calls `convert` as `message` in [`send_after`](Self::send_after); a value
    /// for which it returns `None` is skipped. The subscription ends with the incarnation
    /// or with the port. The values go through a relay, an actor of its own, which is
    /// linked to no other actor.
    pub fn subscribe<T: OutputMessage>(
        &self,
        port: &OutputPort<T>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) {
        self.shared.subscribe(port, convert);
    }

    /// Enters the actor into a process group, until the incarnation ends.
    ///
    /// The actor then leaves the group even if ractor's `pg::join` has entered it as well.
    pub fn join_group(&self, group: impl Into<String>) {
        self.shared.join(Group::of(group.into()));
    }

    /// Enters the actor into a process group of `pg_scope`.
    ///
    /// ractor keeps groups of the same name apart by such scopes. The actor leaves the group as in [`join_group`](Self::join_group).
    pub fn join_scoped_group(&self, pg_scope: impl Into<String>, group: impl Into<String>) {
        self.shared
            .join(Group::scoped(pg_scope.into(), group.into()));
    }

    /// Takes the actor out of a group of [`join_group`](Self::join_group).
    pub fn leave_group(&self, group: impl Into<String>) {
        self.shared.leave(&Group::of(group.into()));
    }

    /// Takes the actor out of a group of [`join_scoped_group`](Self::join_scoped_group).
    pub fn leave_scoped_group(&self, pg_scope: impl Into<String>, group: impl Into<String>) {
        let group = Group::scoped(pg_scope.into(), group.into());
        self.shared.leave(&group);
    }

    /// Reports which actors join and leave a process group.
    ///
    /// The actor's `handle_supervisor_evt` receives each change, while the incarnation runs.
    pub fn monitor_group(&self, group: impl Into<String>) {
        self.shared.monitor_group(group.into());
    }

    /// Ends the reports that [`monitor_group`](Self::monitor_group) began.
    pub fn demonitor_group(&self, group: &str) {
        self.shared.demonitor_group(group);
    }

    /// Reports the starts and the end of another actor, while the incarnation runs.
    ///
    /// The actor's `handle_supervisor_evt` receives each event. ractor's default
    /// implementation stops the actor when the monitored actor has ended.
    #[cfg(feature = "monitors")]
    pub fn monitor(&self, actor: &ActorCell) {
        self.shared.monitor(actor);
    }

    /// Ends the reports that [`monitor`](Self::monitor) began.
    #[cfg(feature = "monitors")]
    pub fn unmonitor(&self, actor: &ActorCell) {
        self.shared.unmonitor(actor);
    }
}

impl<M> Clone for Scope<M> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self { shared }
    }
}

impl<M> fmt::Debug for Scope<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("has_ended", &self.shared.has_ended())
            .finish_non_exhaustive()
    }
}

/// The error of a message to an incarnation that has ended.
///
/// [`Scope::send_self`] also returns it while the actor's address drains or stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScopeEnded;

impl Error for ScopeEnded {}

impl fmt::Display for ScopeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the incarnation that the message was for has ended")
    }
}

/// A handle that can cancel a timer of a [`Scope`].
///
/// Dropping it does not cancel the timer.
#[derive(Clone)]
pub struct ScopeTimer {
    key: TimerKey,
    timers: Weak<dyn CancelTimer>,
}

impl ScopeTimer {
    /// Cancels the timer, and drops a message of the timer that waits to be handled.
    ///
    /// This does nothing once the timer is over.
    pub fn cancel(&self) {
        if let Some(timers) = self.timers.upgrade() {
            timers.cancel(self.key);
        }
    }
}

impl fmt::Debug for ScopeTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeTimer").finish_non_exhaustive()
    }
}

/// The timers of a scope, whatever its messages are.
trait CancelTimer: Send + Sync {
    fn cancel(&self, timer: TimerKey);
}

impl<M: Message> CancelTimer for Shared<M> {
    fn cancel(&self, timer: TimerKey) {
        self.cancel_timer(timer);
    }
}
