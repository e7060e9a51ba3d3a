//! The actor whose address outlives the actor that it runs.
//!
//! A ractor actor that crashes is gone: its `ActorRef` is dead and its mailbox
//! lost with it, so every caller needs a way to find the next one. The shell is
//! a ractor actor with the user's message type that passes every callback on to
//! the incarnation in its [`Slot`]. An error or a panic there empties the slot
//! and is reported to the supervisor, which decides when it is filled again.
//!
//! # Invariants
//!
//! 1. The message that an incarnation failed on is dropped, never replayed; all
//!    others wait in the mailbox for the next one, in their order.
//! 2. A crash is reported once nothing of the incarnation is left: its state is
//!    dropped and the actors linked to it have ended.
//! 3. An incarnation never receives a supervision event of an actor that was
//!    linked to a former one.

mod handle;
mod incarnation;
mod interrupt;
mod linked;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::watch;

use super::lifo_slot;
use super::notifier::Notifier;
pub(super) use handle::{CurrentShell, ShellHandle, start_timed_out};
use incarnation::ActorIncarnation;
#[cfg(test)]
pub(super) use linked::Boundary;
use linked::Origin;
pub(super) use slot::Slot;
use slot::{SlotGuard, SlotState};

/// What stays of a child when its incarnation ends: address, id and mailbox.
pub(super) struct Shell<A: Actor> {
    pub(super) current: Arc<CurrentShell<A>>,
    pub(super) notifier: Notifier,
    pub(super) slot: Arc<Slot<A>>,
    /// How long linked actors have to stop when the incarnation has ended.
    pub(super) stop_timeout: Duration,
}

/// What a shell's first incarnation is started from.
pub(super) struct FirstIncarnation<A: Actor> {
    pub(super) actor: A,
    pub(super) arguments: A::Arguments,
    pub(super) incarnation: Incarnation,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<A: Actor> Actor for Shell<A> {
    type Msg = A::Msg;
    type State = ShellState;
    type Arguments = FirstIncarnation<A>;

    /// Reports the start from in here, so that it comes before any report of an
    /// exit.
    async fn pre_start(
        &self,
        myself: ActorRef<A::Msg>,
        first: FirstIncarnation<A>,
    ) -> Result<ShellState, ActorProcessingErr> {
        let number = first.incarnation;
        let started = ActorIncarnation::start(first.actor, first.arguments, number, &myself);
        let incarnation = started.await.map_err(StartFailed)?;
        // A start that blocked its thread may have been given up meanwhile.
        tokio::task::yield_now().await;
        self.slot.fill(&mut self.slot.lock().await, incarnation);
        let handle = ShellHandle::new(myself, Arc::clone(&self.slot));
        self.current.set(handle);
        self.notifier.started(number);
        Ok(ShellState {
            first: number,
            formers: self.slot.formers(),
            is_announced: false,
            slot_state: self.slot.subscribe(),
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        let mut guard = self.slot.lock().await;
        // Who started a later one has run its `post_start`.
        if let Some(incarnation) = guard.as_mut()
            && incarnation.number() == state.first
        {
            let callback = incarnation.post_start(&myself);
            let run = self.slot.interrupt().run(callback).await;
            self.clear_on_failure(run, guard, myself).await;
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        state.share_announcement();
        let Some(mut guard) = self.slot.lock_filled(&mut state.slot_state).await else {
            return Ok(());
        };
        if let Some(incarnation) = guard.as_mut() {
            let callback = incarnation.handle(&myself, message);
            let run = self.slot.interrupt().run(callback).await;
            self.clear_on_failure(run, guard, myself).await;
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        state.share_announcement();
        let origin = Origin::of(&event);
        if let Origin::Boundary(ended) = origin {
            state.pass_boundary(ended);
            return Ok(());
        }
        // It may become a former one's while this waits.
        let is_formers =
            |slot: &Slot<A>| origin == Origin::Linked && state.formers != slot.formers();
        if is_formers(&self.slot) {
            return Ok(());
        }
        let Some(mut guard) = self.slot.lock_filled(&mut state.slot_state).await else {
            return Ok(());
        };
        if let Some(incarnation) = guard.as_mut()
            && !is_formers(&self.slot)
        {
            let callback = incarnation.handle_supervisor_evt(&myself, event);
            let run = self.slot.interrupt().run(callback).await;
            self.clear_on_failure(run, guard, myself).await;
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        state: &mut ShellState,
    ) -> Result<(), ActorProcessingErr> {
        state.share_announcement();
        self.slot.close();
        let mut guard = self.slot.lock().await;
        let exit = match guard.as_mut() {
            None => Exit::Normal,
            Some(incarnation) => {
                let run = incarnation.post_stop(&myself).await;
                run.err().unwrap_or(Exit::Normal)
            }
        };
        drop(self.slot.clear(&mut guard));
        linked::stop_all(&myself, self.stop_timeout).await;
        self.slot.set_shell_exit(exit);
        Ok(())
    }
}

impl<A: Actor> Shell<A> {
    /// Empties the slot when a hook of the incarnation failed, and reports that.
    async fn clear_on_failure(
        &self,
        run: Result<(), Exit>,
        mut guard: SlotGuard<'_, A>,
        myself: ActorRef<A::Msg>,
    ) {
        let Err(exit) = run else { return };
        let Some(incarnation) = self.slot.clear(&mut guard) else {
            return;
        };
        let number = incarnation.number();
        // Under the lock: who waits for that starts the next incarnation.
        drop(incarnation);
        linked::end_with_incarnation(&myself, &self.slot, self.stop_timeout).await;
        drop(guard);
        self.notifier.exited(number, exit);
    }
}

/// A shell that was killed runs no `post_stop`, and whoever holds a handle
/// on the child holds its slot too: so what is left in it is dropped here.
impl<A: Actor> Drop for Shell<A> {
    fn drop(&mut self) {
        // ractor has just told the supervisor, and here the user's state is dropped.
        lifo_slot::flush();
        self.slot.close_and_clear();
    }
}

pub(super) struct ShellState {
    /// The incarnation that it was started with.
    first: Incarnation,
    /// The incarnations of whose actors no event is left in the mailbox.
    formers: u64,
    is_announced: bool,
    slot_state: watch::Receiver<SlotState>,
}

impl ShellState {
    /// Of two boundaries the later one may come first, and holds.
    fn pass_boundary(&mut self, ended: Option<u64>) {
        self.formers = self.formers.max(ended.unwrap_or(0));
    }

    /// Called before the first callback after ractor has announced the start.
    fn share_announcement(&mut self) {
        if !self.is_announced {
            self.is_announced = true;
            lifo_slot::flush();
        }
    }
}

/// A first incarnation that did not come up, in the form of a ractor error.
#[derive(Debug)]
pub(super) struct StartFailed(pub(super) Exit);

impl std::fmt::Display for StartFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StartFailed {}
