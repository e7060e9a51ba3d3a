use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::{ActorCell, ActorRef};

use super::order::Order;

/// How a child tells its supervisor what becomes of it.
///
/// A supervisor that is gone needs not be told, so nothing here fails.
#[derive(Clone)]
pub(super) struct Lifeline {
    child: ChildId,
    overseer: ActorRef<Order>,
}

impl Lifeline {
    pub(super) const fn new(child: ChildId, overseer: ActorRef<Order>) -> Self {
        Self { child, overseer }
    }

    pub(super) fn started(&self, incarnation: Incarnation) {
        self.tell(Order::Started(self.child, incarnation));
    }

    pub(super) fn exited(&self, incarnation: Incarnation, exit: Exit) {
        self.tell(Order::Exited(self.child, incarnation, exit));
    }

    /// The actor that a child's shell is linked to.
    pub(super) fn overseer(&self) -> ActorCell {
        self.overseer.get_cell()
    }

    fn tell(&self, order: Order) {
        let _nobody_left_to_tell = self.overseer.cast(order);
    }
}
