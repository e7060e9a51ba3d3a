use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::{ActorCell, ActorRef};

use super::lifo_slot;
use super::message::SupervisorMessage;

/// Tells the supervisor when an incarnation of one child has started or ended.
///
/// A supervisor that has ended needs no telling, so nothing here fails.
#[derive(Clone)]
pub(super) struct Notifier {
    child: ChildId,
    supervisor: ActorRef<SupervisorMessage>,
}

impl Notifier {
    pub(super) const fn new(child: ChildId, supervisor: ActorRef<SupervisorMessage>) -> Self {
        Self { child, supervisor }
    }

    pub(super) fn started(&self, incarnation: Incarnation) {
        self.send(SupervisorMessage::Started(self.child, incarnation));
    }

    pub(super) fn exited(&self, incarnation: Incarnation, exit: Exit) {
        self.send(SupervisorMessage::Exited(self.child, incarnation, exit));
    }

    /// The actor that a child's shell is linked to.
    pub(super) fn supervisor(&self) -> ActorCell {
        self.supervisor.get_cell()
    }

    fn send(&self, message: SupervisorMessage) {
        let _supervisor_ended = self.supervisor.cast(message);
        lifo_slot::flush();
    }
}
