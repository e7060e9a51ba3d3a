//! How a shell starts an incarnation.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use breakerbox_core::Exit;
use ractor::{Actor, ActorRef, ActorStatus};
use tokio::time::Instant;

use super::super::{catch, watchdog};
use super::incarnation::{ActorIncarnation, NotStarted};
use super::life::{Life, Next};
use super::{Former, Shell, StartOrder, linked};

impl<A: Actor> Shell<A> {
    /// Starts an incarnation after the former one, which must not overlap it.
    pub(super) async fn run_incarnation(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        start: &StartOrder<A>,
    ) -> Next {
        self.go_down(life);
        if let Some(late) = life.incarnation.take() {
            drop(late);
            self.end_linked(myself, life, Instant::now()).await;
        }
        life.number = start.incarnation;
        if let Err(exit) = self.start_incarnation(myself, life, start).await {
            return self.not_started(myself, life, exit);
        }
        match self.come_up(myself, life).await {
            Ok(()) => Next::Look,
            Err(exit) => self.failed(myself, life, exit).await,
        }
    }

    /// The next incarnation did not come up, and another one is to follow.
    ///
    /// ractor links nothing to an actor that drains. So an incarnation that needs that
    /// never comes up in this shell, however often it is started; the next shell is not
    /// drained.
    fn not_started(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>, exit: Exit) -> Next {
        if myself.get_status() < ActorStatus::Draining || self.control.closing().is_some() {
            return self.report(life, exit);
        }
        life.exit = Some(exit);
        Next::End
    }

    /// Makes the actor and runs its `pre_start`.
    async fn start_incarnation(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        order: &StartOrder<A>,
    ) -> Result<(), Exit> {
        let mut left = std::mem::take(&mut life.left);
        let start = async {
            linked::gone(&mut left).await;
            loop {
                let mut scope = None;
                let (actor, arguments) =
                    catch::call(|| (order.make)(&mut || self.open_scope(myself, &mut scope)))
                        .map_err(Exit::init_failed)?;
                match ActorIncarnation::start(actor, arguments, scope, myself).await {
                    Ok(incarnation) => return Ok(incarnation),
                    Err(NotStarted::NameTaken(_)) if order.may_try_again() => {
                        tokio::time::sleep(BETWEEN_TRIES).await;
                    }
                    Err(NotStarted::Failed(exit) | NotStarted::NameTaken(exit)) => {
                        return Err(exit);
                    }
                }
            }
        };
        let started = self.control.run_start(order.incarnation, start).await;
        life.left = left;
        match started {
            Ok(incarnation) => {
                life.incarnation = Some(incarnation);
                Ok(())
            }
            Err(exit) => {
                self.end_linked(myself, life, self.stop_by()).await;
                Err(exit)
            }
        }
    }

    /// Tells the supervisor that it is up, and runs its `post_start`.
    ///
    /// The message is sent when the callback has been polled once, or blocks.
    async fn come_up(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>) -> Result<(), Exit> {
        let number = life.number;
        let Some(incarnation) = life.incarnation.as_mut() else {
            return Ok(());
        };
        life.has_told = true;
        self.open_queue();
        let mut callback = pin!(incarnation.post_start(myself));
        let mut is_told = false;
        let callback = poll_fn(move |context| {
            watchdog::guard(|| {
                if !is_told {
                    is_told = true;
                    self.notifier.started(number);
                }
                callback.as_mut().poll(context)
            })
        });
        self.control.run(callback).await
    }
}

impl<A: Actor> StartOrder<A> {
    /// Whether a name that it needs may still be that of something killed before it.
    fn may_try_again(&self) -> bool {
        self.former == Former::Killed && Instant::now() < self.by
    }
}

/// What is killed is gone in microseconds, unless it blocks its thread.
const BETWEEN_TRIES: Duration = Duration::from_millis(1);
