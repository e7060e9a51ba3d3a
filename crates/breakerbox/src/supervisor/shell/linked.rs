//! The actors that an incarnation linked to its shell.

use std::time::Duration;

use futures_util::future::join_all;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::super::shutdown::KILL_TIMEOUT;
use super::slot::Slot;

/// Stops the actors that are linked to `shell`, and waits until they have ended.
///
/// They belong to the incarnation that ended: the next one must not find a name
/// of theirs taken. One that is stuck in blocking code is unlinked, so that its
/// end is reported to nobody.
pub(crate) async fn stop_all(shell: &ActorCell, timeout: Duration) {
    let linked = shell.get_children();
    join_all(linked.iter().map(|actor| stop(actor, shell, timeout))).await;
}

/// Stops them, and keeps their events from the next incarnation.
///
/// Those are in the shell's mailbox when all have ended, in front of the event of
/// one more actor, the [`Boundary`]. Where this is dropped half-way, the shell
/// ends, or this is done once more before there is a next incarnation. It may run
/// twice at a time: in the shell, and in a task of the supervisor that could wait
/// for it no longer. Then either boundary may come first; the next incarnation
/// starts after both, as the shell has the slot locked meanwhile.
pub(crate) async fn end_with_incarnation<A: Actor>(
    shell: &ActorRef<A::Msg>,
    slot: &Slot<A>,
    timeout: Duration,
) {
    stop_all(shell, timeout).await;
    let formers = slot.count_former();
    // Refused by a shell that drains or stops, which links no other actors either.
    if let Ok((boundary, _task)) = shell.spawn_linked(None, Boundary, formers).await {
        // It has ended when this fails.
        let _ended = boundary.stop_and_wait(None, None).await;
    }
}

async fn stop(actor: &ActorCell, shell: &ActorCell, timeout: Duration) {
    actor.stop(None);
    if actor.wait(Some(timeout)).await.is_err() {
        actor.kill();
        if actor.wait(Some(KILL_TIMEOUT)).await.is_err() {
            actor.unlink(shell.clone());
        }
    }
}

/// An actor whose end divides the events of two incarnations.
pub(crate) struct Boundary;

/// What a [`Boundary`] would take, by which its events are known.
pub(crate) struct BoundaryMessage;

#[cfg(feature = "cluster")]
impl ractor::Message for BoundaryMessage {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Boundary {
    type Msg = BoundaryMessage;
    /// How many incarnations there were before it.
    type State = u64;
    type Arguments = u64;

    async fn pre_start(
        &self,
        _: ActorRef<BoundaryMessage>,
        formers: u64,
    ) -> Result<u64, ActorProcessingErr> {
        Ok(formers)
    }
}

/// What a supervision event is to a shell.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A boundary. Once it has ended, nothing follows of so many incarnations.
    Boundary(Option<u64>),
    /// An actor that an incarnation linked.
    Linked,
    /// No actor, as for changes of process groups.
    Nobody,
}

impl Origin {
    pub(crate) fn of(event: &SupervisionEvent) -> Self {
        let Some(actor) = event.actor_cell() else {
            return Self::Nobody;
        };
        if actor.is_message_type_of::<BoundaryMessage>() != Some(true) {
            return Self::Linked;
        }
        let state = match event {
            SupervisionEvent::ActorTerminated(_, Some(state), _) => state.msg.as_ref(),
            _ => None,
        };
        Self::Boundary(state.and_then(|state| state.downcast_ref().copied()))
    }
}
