//! From one incarnation to the next: what a shell does when it is ordered to, or
//! when an incarnation has failed.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use futures_util::FutureExt;
use ractor::{Actor, ActorCell, ActorRef, ActorStatus, SupervisionEvent};
use tokio::time::Instant;

use super::super::address::Address;
use super::super::{Departure, catch, watchdog};
use super::incarnation::{ActorIncarnation, NotStarted};
use super::turns::Source;
use super::waiting::Waiting;
use super::{EndOrder, Former, Order, Shell, StartOrder, linked};
use crate::clock;

/// What a shell holds.
pub(crate) struct Life<A: Actor> {
    pub(super) events: Waiting<SupervisionEvent>,
    /// How its incarnation has failed, if the shell ends with that.
    pub(super) exit: Option<Exit>,
    pub(super) incarnation: Option<ActorIncarnation<A>>,
    /// Actors that were linked to an incarnation and have not ended in time.
    pub(super) left: Vec<ActorCell>,
    marks: Marks,
    /// The latest incarnation.
    number: Incarnation,
    /// Whether the supervisor was told of it, and has not had a turn since.
    has_told: bool,
    /// Where the latest message came from: mailbox and scope take turns.
    pub(super) latest: Source,
    /// Whether a bell rings soon, so that it looks for its scope's mail.
    pub(super) wakes_soon: bool,
    was_killed: bool,
    pub(super) waiting: Waiting<A::Msg>,
}

/// Whether events in the mailbox are of what former incarnations had linked.
enum Marks {
    /// All are: the shell ends, and nothing is linked to it any more.
    NoneWillCome,
    /// They are until the latest of the marks, which have numbers, has passed.
    Numbered { latest: u64, passed: u64 },
}

impl<A: Actor> Life<A> {
    pub(super) const fn new(number: Incarnation) -> Self {
        Self {
            events: Waiting::none(),
            exit: None,
            incarnation: None,
            left: Vec::new(),
            marks: Marks::Numbered {
                latest: 0,
                passed: 0,
            },
            number,
            has_told: false,
            latest: Source::Mailbox,
            wakes_soon: false,
            was_killed: false,
            waiting: Waiting::none(),
        }
    }

    /// The incarnation, if nothing is to be done before it gets a message.
    pub(super) fn running(&mut self, has_order: bool) -> Option<&mut ActorIncarnation<A>> {
        if has_order || self.has_told || self.waits() {
            return None;
        }
        self.incarnation.as_mut()
    }

    /// Whether something waits for an incarnation.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty() || !self.events.is_empty()
    }

    /// The bell has rung.
    pub(super) const fn was_woken(&mut self) {
        self.wakes_soon = false;
    }

    pub(super) fn pass_mark(&mut self, number: u64) {
        if let Marks::Numbered { passed, .. } = &mut self.marks {
            *passed = number;
        }
    }

    /// Takes an event, if it is of something that the incarnation itself has linked.
    pub(super) fn receive(&mut self, event: SupervisionEvent) {
        match self.marks {
            Marks::Numbered { latest, passed } if latest == passed => self.events.push(event),
            _ => catch::drop_of(event),
        }
    }
}

impl<A: Actor> Shell<A> {
    /// Carries out orders and works off what waits, until a message may be awaited.
    pub(super) async fn go_on(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        run: Result<(), Exit>,
    ) {
        let mut next = match run {
            Ok(()) => Next::Look,
            Err(exit) => self.failed(myself, life, exit).await,
        };
        let began = Instant::now();
        loop {
            let order = match next {
                Next::End => return,
                Next::Look => self.control.take_order(),
                Next::Verdict => match self.control.next_order().await {
                    // It is to end: the mailbox says so.
                    None => return,
                    order => order,
                },
            };
            if let Some(order) = order {
                next = self.carry_out(myself, life, order, next).await;
                continue;
            }
            if self.control.closing().is_some() {
                return;
            }
            let run = self.run_next(myself, life).await;
            match run {
                Some(Ok(())) if began.elapsed() < SLICE && !life.is_turn_of_mailbox() => {}
                // A `stop` is noticed among the messages.
                Some(Ok(())) if self.pause(myself, life) => return,
                Some(Ok(())) => {}
                Some(Err(exit)) => next = self.failed(myself, life, exit).await,
                None if self.control.leave() => return,
                None => {}
            }
        }
    }

    /// Gives the supervisor a turn, if it has had none since it was told of a start.
    ///
    /// Otherwise it may have to wait for what the next callback does.
    pub(super) async fn let_supervisor_look(&self, life: &mut Life<A>) {
        let has_told = std::mem::take(&mut life.has_told);
        if has_told && !self.notifier.inbox().is_read() {
            tokio::task::yield_now().await;
        }
    }

    async fn carry_out(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
        order: Order<A>,
        before: Next,
    ) -> Next {
        match order {
            Order::Abort(..) => before,
            Order::End(incarnation, end) => {
                // Its start may have been ordered, and not begun.
                life.number = incarnation;
                self.end_incarnation(myself, life, end).await
            }
            Order::Run(start) => self.run_incarnation(myself, life, &start).await,
            Order::Wait => Next::Look,
        }
    }

    /// Has a message wait, or drops it: it is one too many for a child that is down.
    pub(super) fn keep_for_later(&self, life: &mut Life<A>, message: A::Msg) {
        let is_down = life.incarnation.is_none();
        match self.notifier.backlog().filter(|_| is_down) {
            Some(backlog) if !backlog.keeps_another() => catch::drop_of(message),
            _ => life.waiting.push(message),
        }
    }

    /// Notes that no incarnation runs: what is sent from now on waits.
    fn go_down(&self, life: &Life<A>) {
        if let Some(backlog) = self.notifier.backlog() {
            backlog.goes_down(life.waiting.len());
        }
    }

    /// Notes that an incarnation runs, or none will any more.
    fn open_queue(&self) {
        if let Some(backlog) = self.notifier.backlog() {
            backlog.opens();
        }
    }

    /// Starts an incarnation after the former one, which must not overlap it.
    async fn run_incarnation(
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

    /// An incarnation failed: ends what is left of it, and reports that.
    async fn failed(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>, exit: Exit) -> Next {
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
    async fn end_incarnation(
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
    fn report(&self, life: &mut Life<A>, exit: Exit) -> Next {
        if self.address == Address::New {
            life.exit = Some(exit);
            return Next::End;
        }
        self.notifier.exited(life.number, exit);
        Next::Verdict
    }

    /// Ends what is linked to the shell, and keeps its events from the next incarnation.
    async fn end_linked(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>, by: Instant) {
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

    /// The shell ends, whoever has stopped or drained it.
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
    fn stop_by(&self) -> Instant {
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

impl<A: Actor> StartOrder<A> {
    /// Whether a name that it needs may still be that of something killed before it.
    fn may_try_again(&self) -> bool {
        self.former == Former::Killed && Instant::now() < self.by
    }
}

/// What a shell does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// It ends, as its incarnation has.
    End,
    /// It looks whether there is an order.
    Look,
    /// It waits for one, which comes at once.
    Verdict,
}

/// Whether somebody has called `stop`, so that it was not a drain that ended the actor.
///
/// ractor does not say it. But it takes one stop only, and refuses a second one.
fn was_stopped<M>(actor: &ActorRef<M>) -> bool {
    matches!(actor.stop_and_wait(None, None).now_or_never(), Some(Err(_)))
}

/// For so long a shell works off what waits before it looks for a `stop`.
const SLICE: Duration = Duration::from_millis(1);

/// What is killed is gone in microseconds, unless it blocks its thread.
const BETWEEN_TRIES: Duration = Duration::from_millis(1);
