//! How a shell ends an incarnation, and itself.

use std::sync::Arc;

use breakerbox_core::Exit;
use futures_util::FutureExt;
use ractor::{Actor, ActorCell, ActorRef};
use tokio::time::Instant;

use super::super::address::Address;
use super::super::{Departure, catch};
use super::incarnation::ActorIncarnation;
use super::life::{Life, Marks, Next};
use super::{EndOrder, Shell, linked};
use crate::clock;

impl<A: Actor> Shell<A> {
    /// An incarnation failed: ends what is left of it, and reports that.
    pub(super) async fn failed(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        exit: Exit,
    ) -> Next {
        self.go_down(life);
        drop(life.incarnation.take());
        let closing = self.control.closing();
        let by = closing.map_or_else(|| self.stop_by(), EndOrder::by);
        if closing.is_some() {
            life.was_killed |= exit == Exit::Killed;
        }
        self.end_linked(myself, life, by).await;
        self.report(life, exit)
    }

    /// Ends the incarnation as it was ordered, and reports how that went.
    pub(super) async fn end_incarnation(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        end: EndOrder,
    ) -> Next {
        self.go_down(life);
        let exit = match life.incarnation.take() {
            None => Exit::Normal,
            Some(incarnation) => self.post_stop(myself, incarnation, end).await,
        };
        self.end_linked(myself, life, end.by()).await;
        self.report(life, exit)
    }

    /// Runs its `post_stop` if it has time for that, and drops it.
    async fn post_stop(
        &self,
        myself: &ActorRef<A::Msg>,
        mut incarnation: ActorIncarnation<A>,
        end: EndOrder,
    ) -> Exit {
        if !end.has_time() {
            return Exit::Killed;
        }
        let within = end.by().saturating_duration_since(Instant::now());
        let callback = incarnation.post_stop(myself);
        match catch::within(within, self.control.run(callback)).await {
            Some(stopped) => stopped.err().unwrap_or(Exit::Normal),
            None => Exit::Killed,
        }
    }

    /// Reports an exit; the supervisor answers by an order.
    ///
    /// Where the shell ends with its incarnation, its end is the report.
    pub(super) fn report(&self, life: &mut Life<A>, exit: Exit) -> Next {
        if self.address == Address::New {
            life.exit = Some(exit);
            return Next::End;
        }
        self.notifier.exited(life.number, exit);
        Next::Verdict
    }

    /// Ends what is linked to the shell, and keeps its events from the next incarnation.
    pub(super) async fn end_linked(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        by: Instant,
    ) {
        life.events.clear();
        let left = linked::end_all(myself, || self.control.out_of_time(by)).await;
        life.left.extend(left);
        let Marks::Numbered { latest, passed } = life.marks else {
            return;
        };
        let latest = latest + 1;
        life.marks = match self.bell.mark(myself, latest) {
            true => Marks::Numbered { latest, passed },
            false => Marks::NoneWillCome,
        };
    }

    /// Ends the shell, whoever has stopped or drained it.
    pub(super) async fn end(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>) {
        let _has_order = self.control.enter();
        self.let_supervisor_look(life).await;
        if life.has_messages() && !was_stopped(myself) {
            self.drain(myself, life).await;
        }
        self.control.set_over();
        self.open_queue();
        let exit = match life.incarnation.take() {
            None if life.was_killed => Exit::Killed,
            None => life.exit.take().unwrap_or(Exit::Normal),
            Some(incarnation) => self.stop(myself, incarnation).await,
        };
        self.note_departure(&exit);
        let by = self.control.closing().map(EndOrder::by);
        let by = by.unwrap_or_else(|| self.stop_by());
        self.end_linked(myself, life, by).await;
        life.waiting.clear();
        self.control.set_exit(exit);
        self.hold_until_gone(std::mem::take(&mut life.left));
    }

    /// Notes that it had to be killed, if it was to end for good.
    pub(super) fn note_departure(&self, exit: &Exit) {
        if *exit == Exit::Killed && self.control.closing().is_some() {
            self.control.set_departure(Departure::Killed);
        }
    }

    /// Works off what was waiting when the shell was drained, whatever crashes on the way.
    async fn drain(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>) {
        while life.has_messages() && self.control.closing().is_none() {
            if life.incarnation.is_none() {
                let Some(order) = self.control.next_order().await else {
                    return;
                };
                if self.carry_out(myself, life, order, Next::Verdict).await == Next::End {
                    return;
                }
            } else if let Some(Err(exit)) = self.run_next(myself, life).await
                && self.failed(myself, life, exit).await == Next::End
            {
                return;
            }
        }
    }

    /// Runs its last `post_stop`: as long as that takes, unless the supervisor says.
    async fn stop(&self, myself: &ActorRef<A::Msg>, mut incarnation: ActorIncarnation<A>) -> Exit {
        if self.control.closing().is_some_and(|end| !end.has_time()) {
            return Exit::Killed;
        }
        let run = self.control.run(incarnation.post_stop(myself)).await;
        run.err().unwrap_or(Exit::Normal)
    }

    /// When actors linked to an incarnation that ends now, unasked, must have stopped.
    pub(super) fn stop_by(&self) -> Instant {
        clock::after(self.stop_timeout).into()
    }

    /// Has the shell not be taken for gone before these actors are.
    pub(super) fn hold_until_gone(&self, mut left: Vec<ActorCell>) {
        if !left.is_empty() {
            let alive = Arc::clone(&self.alive);
            tokio::spawn(async move {
                linked::gone(&mut left).await;
                drop(alive);
            });
        }
    }
}

/// Whether somebody has called `stop`, so that it was not a drain that ended the actor.
///
/// ractor does not say it. But it takes one stop only, and refuses a second one.
fn was_stopped<M>(actor: &ActorRef<M>) -> bool {
    matches!(actor.stop_and_wait(None, None).now_or_never(), Some(Err(_)))
}
