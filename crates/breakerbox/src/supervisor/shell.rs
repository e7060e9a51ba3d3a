//! The actor whose address outlives the actor that it runs.
//!
//! A ractor actor that crashes is gone: its `ActorRef` is dead and its mailbox is
//! lost, so every caller needs a way to find the next actor. The shell is a ractor
//! actor with the user's message type, and it passes every callback on to the
//! incarnation that it holds. An error or a panic in a callback ends the incarnation.
//! The shell reports that to the supervisor, which orders it to start the next one.
//!
//! # Invariants
//!
//! 1. Nobody but the shell's own task runs, holds or drops an incarnation.
//! 2. The message that an incarnation failed on is dropped, never replayed; all
//!    others wait for the next one, in their order.
//! 3. An exit is reported once nothing of the incarnation is left: its state is
//!    dropped and the actors linked to it have ended.
//! 4. An incarnation never receives a supervision event of an actor that was
//!    linked to a former one.
//! 5. The shell waits in a callback only for what comes at once. It awaits everything
//!    that may take longer in its mailbox, so ractor's `stop` reaches it.

mod bell;
mod control;
mod ends;
mod handle;
mod incarnation;
mod life;
mod linked;
mod starts;
mod turns;
mod waiting;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Scope;
use super::address::Address;
use super::notifier::Notifier;
use crate::lock;
pub(super) use bell::Bell;
use bell::Origin;
pub(super) use control::EndOrder;
pub(super) use control::Ordered;
use control::{Control, Order};
pub(super) use handle::ShellHandle;
use life::Life;

/// The part of a child that outlives an incarnation: address, id and mailbox.
pub(super) struct Shell<A: Actor> {
    address: Address,
    bell: Arc<Bell>,
    control: Arc<Control<A>>,
    /// It is taken out while a callback runs. It is not ractor's state of the actor,
    /// because ractor sends that to the supervisor when the shell is killed, and the
    /// user's state would be dropped there.
    life: Mutex<Option<Box<Life<A>>>>,
    notifier: Notifier,
    /// How long linked actors have to stop when the incarnation has crashed.
    stop_timeout: Duration,
    /// It is the last field, so everything else is gone when it is dropped.
    alive: Arc<Alive<A>>,
}

/// The order to start an incarnation.
pub(super) struct StartOrder<A: Actor> {
    /// The instant by which it must be up.
    pub(super) by: Instant,
    /// The end of the incarnation before it; a kill may have left actors behind.
    pub(super) former: Former,
    pub(super) incarnation: Incarnation,
    pub(super) make: Arc<Make<A>>,
}

/// Makes the actor of an incarnation, and its arguments; may open a scope for it.
pub(super) type Make<A> = dyn Fn(&mut dyn FnMut() -> Scope<<A as Actor>::Msg>) -> (A, <A as Actor>::Arguments)
    + Send
    + Sync;

/// The end of the incarnation before a new one, as far as it is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Former {
    /// It has ended with everything that it had linked, or there was none.
    Ended,
    /// It was killed: ractor kills what was linked to it, and tells nobody when
    /// that has ended.
    Killed,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<A: Actor> Actor for Shell<A> {
    type Msg = A::Msg;
    type State = ();
    type Arguments = ();

    /// Does nothing: whoever spawns a shell need not wait.
    async fn pre_start(&self, _: ActorRef<A::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    /// Runs the first incarnation, which has been ordered as all later ones are.
    async fn post_start(
        &self,
        myself: ActorRef<A::Msg>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let life = self.take_life();
        let finished = self.finish(&myself, life, Ok(())).await;
        if finished.is_ok() {
            self.notifier.inbox().expect_shell();
        }
        finished
    }

    async fn handle(
        &self,
        myself: ActorRef<A::Msg>,
        message: A::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let mut life = self.take_life();
        let run = match life.running(self.control.has_news()) {
            Some(incarnation) => {
                if incarnation.scope().is_some() {
                    // Or each message to itself would ring the bell.
                    self.control.enter();
                }
                let callback = incarnation.handle(&myself, message);
                self.control.run(callback).await
            }
            None => {
                self.keep_for_later(&mut life, message);
                Ok(())
            }
        };
        self.finish(&myself, life, run).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<A::Msg>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let mut life = self.take_life();
        let _has_order = self.control.enter();
        match Origin::of(&event) {
            Origin::Bell => life.was_woken(),
            Origin::Mark(number) => life.pass_mark(number),
            Origin::User => life.receive(event),
        }
        self.finish(&myself, life, Ok(())).await
    }

    async fn post_stop(
        &self,
        myself: ActorRef<A::Msg>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let mut life = self.take_life();
        Box::pin(self.end(&myself, &mut life)).await;
        Ok(())
    }
}

impl<A: Actor> Shell<A> {
    /// Ends a callback, unless there is more to do than to wait for the next message.
    async fn finish(
        &self,
        myself: &ActorRef<A::Msg>,
        mut life: Box<Life<A>>,
        run: Result<(), Exit>,
    ) -> Result<(), ActorProcessingErr> {
        if run.is_err() || life.waits() || !self.control.leave() {
            self.control.enter();
            Box::pin(self.go_on(myself, &mut life, run)).await;
        }
        if let Some(exit) = life.exit.take() {
            self.note_departure(&exit);
            return Err(self.fail(*life, exit));
        }
        self.keep(life);
        Ok(())
    }

    /// Lets the shell fail as its incarnation has; the supervisor learns that from its end.
    fn fail(&self, life: Life<A>, exit: Exit) -> ActorProcessingErr {
        self.control.set_over();
        let text = exit.to_string();
        self.control.set_exit(exit);
        self.hold_until_gone(life.left);
        text.into()
    }

    fn take_life(&self) -> Box<Life<A>> {
        let life = lock::with(&self.life, Option::take);
        life.expect("ractor runs one callback after another, and each puts it back")
    }

    fn keep(&self, life: Box<Life<A>>) {
        lock::with(&self.life, |kept| *kept = Some(life));
    }
}

/// A shell that was killed between two callbacks still has its incarnation.
///
/// ractor has just told the supervisor, and the drop of the user's actor may block, so a
/// task of its own drops it.
impl<A: Actor> Drop for Shell<A> {
    fn drop(&mut self) {
        let Some(life) = lock::with(&self.life, Option::take) else {
            return;
        };
        let alive = Arc::clone(&self.alive);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                drop(life);
                drop(alive);
            })),
            Err(_outside) => drop(life),
        }
    }
}

/// A guard that reports the end of a shell when its last holder drops it.
struct Alive<A: Actor> {
    control: Arc<Control<A>>,
    notifier: Notifier,
    /// The incarnation that the shell was made for, by which the supervisor knows it.
    number: Incarnation,
}

impl<A: Actor> Drop for Alive<A> {
    fn drop(&mut self) {
        if let Some(backlog) = self.notifier.backlog() {
            // Where the shell was killed.
            backlog.opens();
        }
        let result = self.control.set_ended();
        self.notifier.shell_ended(self.number, result);
    }
}

/// Returns the exit of an incarnation that did not come up in time.
pub(super) fn start_timed_out(timeout: Duration) -> Exit {
    Exit::init_failed(format!("it did not start within {timeout:?}"))
}
