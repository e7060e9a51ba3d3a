use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::{ActorCell, ActorRef};
use tokio::sync::Notify;

use super::message::SupervisorMessage;
use super::runnable::StopResult;
use super::running_supervisor::RunningSupervisor;
use super::{Stopped, watchdog};
use crate::lock;

/// What has happened to the children of a supervisor, until its actor takes it.
///
/// It is left here first, and the message only asks the actor to look. So nothing is
/// lost when the actor is stopped, which drops its messages: it goes on to look while
/// it stops its children.
pub(super) struct Inbox {
    actor: ActorRef<SupervisorMessage>,
    arrived: Notify,
    notices: Mutex<VecDeque<Notice>>,
    running: Arc<RunningSupervisor>,
    /// Of how many shells ractor has told the actor that they have started.
    shells_seen: AtomicU64,
    /// Of how many it tells sooner or later.
    shells_started: AtomicU64,
}

/// Something that has happened.
pub(super) enum Notice {
    /// There is more to do of what was decided.
    Continue,
    /// A backoff is over, or something takes too long.
    Deadline,
    /// An incarnation ended, or could not be started.
    Exited(ChildId, Incarnation, Exit),
    /// A child that was stuck has ended, and nothing of it is left.
    Gone(ChildId, Incarnation),
    /// A shell ended, whoever ended it; it is known by its first incarnation.
    ShellEnded(ChildId, Incarnation, StopResult),
    /// An incarnation is up.
    Started(ChildId, Incarnation),
    /// These were stuck before the end began, and still are.
    StillStuck(Vec<Stopped>),
    /// What was asked to stop has stopped.
    Stopped(ChildId, Incarnation, StopResult),
}

impl Inbox {
    pub(super) fn of(
        actor: ActorRef<SupervisorMessage>,
        running: Arc<RunningSupervisor>,
    ) -> Arc<Self> {
        Arc::new(Self {
            actor,
            arrived: Notify::new(),
            notices: Mutex::default(),
            running,
            shells_seen: AtomicU64::new(0),
            shells_started: AtomicU64::new(0),
        })
    }

    /// Leaves a notice; in the user's code only once that has returned, or blocks.
    pub(super) fn leave(self: &Arc<Self>, notice: Notice) {
        let inbox = Arc::clone(self);
        watchdog::after_user_code(move || inbox.add(notice));
    }

    pub(super) fn actor(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// The supervisor whose inbox it is.
    pub(super) const fn running(&self) -> &Arc<RunningSupervisor> {
        &self.running
    }

    fn add(&self, notice: Notice) {
        let was_empty = lock::with(&self.notices, |notices| {
            notices.push_back(notice);
            notices.len() == 1
        });
        if was_empty {
            self.look_again();
            // One that stops takes no messages, and waits right here.
            self.arrived.notify_one();
        }
    }

    /// Moves the next notices to `taken`, at most so many.
    pub(super) fn take(&self, most: usize, taken: &mut VecDeque<Notice>) {
        lock::with(&self.notices, |notices| {
            if notices.len() <= most {
                return taken.append(notices);
            }
            taken.extend(notices.drain(..most));
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        lock::with(&self.notices, |notices| notices.is_empty())
    }

    /// A shell is about to return from its `post_start`: ractor then tells of it.
    pub(super) fn expect_shell(&self) {
        self.shells_started.fetch_add(1, Ordering::Relaxed);
    }

    /// ractor has told of a shell.
    pub(super) fn saw_shell(&self) {
        self.shells_seen.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the actor has had a turn since it was last told of anything.
    ///
    /// # Memory ordering
    ///
    /// Only what this thread itself has told matters to the caller, and that it sees.
    pub(super) fn is_read(&self) -> bool {
        let seen = self.shells_seen.load(Ordering::Relaxed);
        self.is_empty() && seen == self.shells_started.load(Ordering::Relaxed)
    }

    /// Asks the actor to look once more.
    pub(super) fn look_again(&self) {
        let _stops_and_looks = self.actor.cast(SupervisorMessage::Look);
    }

    /// Waits for notices, when no more messages are taken.
    pub(super) async fn arrived(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
    }
}
