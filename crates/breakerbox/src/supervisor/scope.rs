//! What an incarnation sets going, and what ends with it.
//!
//! A supervised actor keeps its address across restarts, and ractor ties timers,
//! subscriptions, group memberships and monitors to the address. So the ticks of an
//! incarnation that has crashed go on, beside those of the next one. A [`Scope`]
//! ties them to the incarnation instead.
//!
//! # Invariants
//!
//! 1. Once a scope has ended, nothing of it reaches an incarnation, and the groups and
//!    monitors that it entered are left. The next incarnation starts after that.
//! 2. The functions that it was given run in the shell's own task, as the actor's own
//!    code, and never under a lock. A panic there is a crash of the incarnation.
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
/// [`ChildSpec::actor_with`](crate::ChildSpec::actor_with) hands one to each incarnation,
/// which keeps it in its actor or its arguments. It is cheap to clone, and may be used
/// from any thread and task. It ends with the incarnation: by a crash, a restart, a stop,
/// a drain or a kill, and also when the incarnation does not come up. `post_stop` is the
/// last that runs in it.
///
/// Once it has ended, [`send_self`](Self::send_self) returns an error and all other
/// methods do nothing. What it was given, such as messages that wait and functions that
/// make them, is dropped.
///
/// # Order
///
/// The actor handles the messages of its scope in the order in which they were sent, or
/// came due, and those of its mailbox in theirs. When both have messages, they take
/// turns.
///
/// # Drain
///
/// A scope takes nothing more once somebody drains the actor's address, as the mailbox
/// does not either. What it has taken by then is handled before the actor ends.
pub struct Scope<M> {
    shared: Arc<Shared<M>>,
}

impl<M: Message> Scope<M> {
    /// Sends a message to this incarnation, and to no later one.
    ///
    /// The message does not go through the mailbox, so ractor's spans do not apply to it.
    ///
    /// # Errors
    ///
    /// When the incarnation has ended, or somebody has drained or stopped its address.
    /// The message is dropped.
    pub fn send_self(&self, message: M) -> Result<(), ScopeEnded> {
        self.shared.send(Turn::Message(message))
    }

    /// Sends what `message` makes after `delay`, unless the incarnation has ended by then.
    ///
    /// `message` is called when it is the message's turn, as code of the actor: a panic
    /// is a crash of the incarnation. A `delay` of more than 100 years is as good as 100
    /// years. The clock is tokio's, which tests can pause.
    pub fn send_after(
        &self,
        delay: Duration,
        message: impl FnOnce() -> M + Send + 'static,
    ) -> ScopeTimer {
        self.set_timer(delay, Make::Once(Box::new(message)))
    }

    /// Sends what `message` makes after each `period`, as long as the incarnation runs.
    ///
    /// The first one comes after one period. At most one waits to be handled: a tick that
    /// comes due meanwhile is skipped, as are ticks that nobody could see because the
    /// runtime was blocked. The next one comes at the next multiple of the period, so
    /// ticks neither pile up nor drift. `message` is called as in
    /// [`send_after`](Self::send_after).
    ///
    /// # Panics
    ///
    /// If the period is zero.
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
    /// It is for what the actor spawns. Cancelling it by hand cancels no other.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.shared.token()
    }

    /// Subscribes to a port: what `convert` makes of each value is sent to the actor.
    ///
    /// `convert` is called as in [`send_after`](Self::send_after), and skips a value by
    /// None. The subscription ends with the incarnation or with the port. In between is a
    /// relay, an actor of its own, which is linked to nobody.
    pub fn subscribe<T: OutputMessage>(
        &self,
        port: &OutputPort<T>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) {
        self.shared.subscribe(port, convert);
    }

    /// Enters the actor into a process group, which it leaves when the incarnation ends.
    ///
    /// It leaves the group also if it was entered by ractor's `pg::join` beside.
    pub fn join_group(&self, group: impl Into<String>) {
        self.shared.join(Group::of(group.into()));
    }

    /// Enters the actor into a process group of one of ractor's scopes of groups.
    pub fn join_scoped_group(&self, pg_scope: impl Into<String>, group: impl Into<String>) {
        self.shared
            .join(Group::scoped(pg_scope.into(), group.into()));
    }

    /// Takes the actor out of a process group that was entered through its scope.
    pub fn leave_group(&self, group: impl Into<String>) {
        self.shared.leave(&Group::of(group.into()));
    }

    /// Takes the actor out of a process group of one of ractor's scopes of groups.
    pub fn leave_scoped_group(&self, pg_scope: impl Into<String>, group: impl Into<String>) {
        let group = Group::scoped(pg_scope.into(), group.into());
        self.shared.leave(&group);
    }

    /// Reports who joins and leaves a process group, as long as the incarnation runs.
    ///
    /// `handle_supervisor_evt` receives each change.
    pub fn monitor_group(&self, group: impl Into<String>) {
        self.shared.monitor_group(group.into());
    }

    /// Ends what [`monitor_group`](Self::monitor_group) began.
    pub fn demonitor_group(&self, group: &str) {
        self.shared.demonitor_group(group);
    }

    /// Reports starts and ends of another actor, as long as the incarnation runs.
    ///
    /// `handle_supervisor_evt` receives each event. ractor's default for that stops the
    /// actor when the other one has ended.
    #[cfg(feature = "monitors")]
    pub fn monitor(&self, actor: &ActorCell) {
        self.shared.monitor(actor);
    }

    /// Ends what [`monitor`](Self::monitor) began.
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
/// It is also returned while the actor's address drains or stops.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScopeEnded;

impl Error for ScopeEnded {}

impl fmt::Display for ScopeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the incarnation that the message was for has ended")
    }
}

/// A handle on a timer of a [`Scope`], by which it can be cancelled.
///
/// Dropping it does not cancel the timer.
#[derive(Clone)]
pub struct ScopeTimer {
    key: TimerKey,
    timers: Weak<dyn CancelTimer>,
}

impl ScopeTimer {
    /// Cancels the timer; a message of it that waits to be handled is not handled either.
    ///
    /// It does nothing once the timer is over.
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
