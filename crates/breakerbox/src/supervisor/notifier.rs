use std::sync::Arc;

use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::ActorCell;

use super::WeakSupervisor;
use super::backlog::Backlog;
use super::inbox::{Inbox, Notice};
use super::published::ChildEntry;
use super::runnable::StopResult;
use super::supervisor_path::SupervisorPath;

/// Tells the supervisor when an incarnation of one child has started or ended.
///
/// A supervisor that has ended needs no telling, so nothing here fails. An exit is
/// logged here, as a supervisor that stops reads no messages any more; and a subscriber
/// that blocks then holds up one child.
#[derive(Clone)]
pub(super) struct Notifier {
    child: ChildId,
    entry: Arc<ChildEntry>,
    inbox: Arc<Inbox>,
}

impl Notifier {
    pub(super) const fn new(child: ChildId, entry: Arc<ChildEntry>, inbox: Arc<Inbox>) -> Self {
        Self {
            child,
            entry,
            inbox,
        }
    }

    pub(super) fn started(&self, incarnation: Incarnation) {
        self.inbox.leave(Notice::Started(self.child, incarnation));
    }

    pub(super) fn exited(&self, incarnation: Incarnation, exit: Exit) {
        self.entry.log_own_exit(incarnation, &exit);
        self.inbox
            .leave(Notice::Exited(self.child, incarnation, exit));
    }

    /// What was to be stopped has been.
    pub(super) fn stopped(&self, incarnation: Incarnation, result: StopResult) {
        self.inbox
            .leave(Notice::Stopped(self.child, incarnation, result));
    }

    /// A shell has ended, which is known by the incarnation that it was made for.
    pub(super) fn shell_ended(&self, shell: Incarnation, result: StopResult) {
        self.inbox
            .leave(Notice::ShellEnded(self.child, shell, result));
    }

    /// The messages that wait for the child, if there is a limit on them.
    pub(super) fn backlog(&self) -> Option<&Backlog> {
        self.entry.backlog()
    }

    /// What the supervisor is told.
    pub(super) const fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// A handle on the supervisor, for the child.
    pub(super) fn weak_supervisor(&self) -> WeakSupervisor {
        WeakSupervisor::new(SupervisorPath::to(self.inbox.running()))
    }

    /// The actor that a child's shell is linked to.
    pub(super) fn supervisor(&self) -> ActorCell {
        self.inbox.actor()
    }
}
