//! The address that outlives the actor behind it.
//!
//! A ractor actor that crashes is gone: its `ActorRef` is dead and its mailbox
//! lost with it, so every caller needs a way to find the next one. The shell is
//! a ractor actor with the user's message type that never crashes with its
//! incarnation: what the user's hooks throw empties the [`Slot`] and is told to
//! the supervisor, which decides when the slot is filled again.
//!
//! # Invariants
//!
//! 1. The message that an incarnation failed on is dropped, never replayed; all
//!    others wait in the mailbox for the next one, in their order.
//! 2. A crash is told once nothing of the incarnation is left: its state is
//!    dropped and the actors linked to it are gone.
//! 3. An incarnation never hears of the actors of a former one.

use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

use super::kin;
use super::lifeline::Lifeline;
use super::living::{Living, contained};
use super::lodging::Address;
use super::slot::{Door, Lease, Slot};

/// What stays of a child when its incarnation ends.
pub(super) struct Shell<A: Actor> {
    pub(super) address: Arc<Address<A>>,
    pub(super) lifeline: Lifeline,
    pub(super) patience: Duration,
    pub(super) slot: Arc<Slot<A>>,
}

/// What a shell's first incarnation is made of.
pub(super) struct Conception<A: Actor> {
    pub(super) actor: A,
    pub(super) arguments: A::Arguments,
    pub(super) incarnation: Incarnation,
}

impl<A: Actor> Actor for Shell<A> {
    type Msg = A::Msg;
    type State = ShellState;
    type Arguments = Conception<A>;

    /// Says that the child is up from in here, so that it is said before
    /// anything that becomes of it.
    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        first: Conception<A>,
    ) -> Result<ShellState, ActorProcessingErr> {
        let living = Living::begin(first.actor, first.arguments, first.incarnation, &myself);
        let living = living.await.map_err(NotBegun)?;
        *self.slot.lease().await = Some(living);
        self.slot.open();
        self.address.moved_to(myself, Arc::clone(&self.slot));
        self.lifeline.started(first.incarnation);
        Ok(ShellState {
            door: self.slot.door(),
            kin: Kin::Own,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        let Some(mut lease) = self.slot.occupied(&mut state.door).await else {
            return Ok(());
        };
        if let Some(living) = lease.as_mut() {
            let (actor, soul) = living.soul();
            let run = contained(async { actor.post_start(myself.clone(), soul).await }).await;
            self.settle(run, lease, myself, state).await;
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        // Messages come after all supervision events, so none is left of the
        // former incarnation's.
        state.kin = Kin::Own;
        let Some(mut lease) = self.slot.occupied(&mut state.door).await else {
            return Ok(());
        };
        if let Some(living) = lease.as_mut() {
            let (actor, soul) = living.soul();
            let run = contained(async { actor.handle(myself.clone(), message, soul).await }).await;
            self.settle(run, lease, myself, state).await;
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        let stranger = state.kin == Kin::Former && !is_linked(&myself, &event);
        if stranger && self.slot.is_vacant() {
            return Ok(());
        }
        let Some(mut lease) = self.slot.occupied(&mut state.door).await else {
            return Ok(());
        };
        if let Some(living) = lease.as_mut() {
            if stranger && !is_family(living, &event) {
                return Ok(());
            }
            let (me, (actor, soul)) = (myself.clone(), living.soul());
            let run = contained(async { actor.handle_supervisor_evt(me, event, soul).await }).await;
            if state.kin == Kin::Former {
                living.meet_family(&myself);
            }
            self.settle(run, lease, myself, state).await;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        _: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        self.slot.close();
        let mut lease = self.slot.lease().await;
        let exit = match lease.as_mut() {
            None => Exit::Normal,
            Some(living) => {
                let (actor, soul) = living.soul();
                let run = contained(async { actor.post_stop(myself.clone(), soul).await }).await;
                run.err().unwrap_or(Exit::Normal)
            }
        };
        drop(self.slot.clear(&mut lease));
        kin::see_off(&myself, self.patience).await;
        self.slot.say_farewell(exit);
        Ok(())
    }
}

impl<A: Actor> Shell<A> {
    /// Empties the slot where a hook of the incarnation failed.
    async fn settle(
        &self,
        run: Result<(), Exit>,
        mut lease: Lease<'_, A>,
        myself: ActorRef<A::Msg>,
        state: &mut ShellState,
    ) {
        let Err(exit) = run else { return };
        let Some(living) = self.slot.clear(&mut lease) else {
            return;
        };
        drop(lease);
        state.kin = Kin::Former;
        let incarnation = living.incarnation();
        drop(living);
        kin::see_off(&myself, self.patience).await;
        self.lifeline.exited(incarnation, exit);
    }
}

/// A shell that was killed runs no `post_stop`, and who holds a handle on the
/// child holds the slot too.
impl<A: Actor> Drop for Shell<A> {
    fn drop(&mut self) {
        self.slot.abandon();
    }
}

pub(super) struct ShellState {
    door: watch::Receiver<Door>,
    kin: Kin,
}

/// Of whom the supervision events in the mailbox may speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kin {
    /// Also of actors of a former incarnation.
    Former,
    Own,
}

/// A first incarnation that did not come up, as ractor wants to hear it.
#[derive(Debug)]
pub(super) struct NotBegun(pub(super) Exit);

impl std::fmt::Display for NotBegun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for NotBegun {}

/// Whether the event is of an actor that is linked now, or of no actor.
fn is_linked<M>(myself: &ActorRef<M>, event: &SupervisionEvent) -> bool {
    event
        .actor_cell()
        .is_none_or(|cell| myself.get_children().contains(cell))
}

fn is_family<A: Actor>(living: &Living<A>, event: &SupervisionEvent) -> bool {
    event
        .actor_cell()
        .is_none_or(|cell| living.is_family(cell.get_id()))
}
