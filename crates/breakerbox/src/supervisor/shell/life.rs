//! From one incarnation to the next: what a shell does when it is ordered to, or
//! when an incarnation has failed.

use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorCell, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use super::super::catch;
use super::incarnation::ActorIncarnation;
use super::turns::Source;
use super::waiting::Waiting;
use super::{Order, Shell};

/// What a shell holds.
pub(crate) struct Life<A: Actor> {
    pub(super) events: Waiting<SupervisionEvent>,
    /// How its incarnation has failed, if the shell ends with that.
    pub(super) exit: Option<Exit>,
    pub(super) incarnation: Option<ActorIncarnation<A>>,
    /// Actors that were linked to an incarnation and have not ended in time.
    pub(super) left: Vec<ActorCell>,
    pub(super) marks: Marks,
    /// The latest incarnation.
    pub(super) number: Incarnation,
    /// Whether the supervisor was told of it, and has not had a turn since.
    pub(super) has_told: bool,
    /// Where the latest message came from: mailbox and scope take turns.
    pub(super) latest: Source,
    /// Whether a bell rings soon, so that it looks for its scope's mail.
    pub(super) wakes_soon: bool,
    pub(super) was_killed: bool,
    pub(super) waiting: Waiting<A::Msg>,
}

/// Whether events in the mailbox are of what former incarnations had linked.
pub(super) enum Marks {
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

    /// Notes that the bell has rung.
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

    pub(super) async fn carry_out(
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
    pub(super) fn go_down(&self, life: &Life<A>) {
        if let Some(backlog) = self.notifier.backlog() {
            backlog.goes_down(life.waiting.len());
        }
    }

    /// Notes that an incarnation runs, or none will any more.
    pub(super) fn open_queue(&self) {
        if let Some(backlog) = self.notifier.backlog() {
            backlog.opens();
        }
    }
}

/// What a shell does next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// It ends, as its incarnation has.
    End,
    /// It looks whether there is an order.
    Look,
    /// It waits for one, which comes at once.
    Verdict,
}

/// For so long a shell works off what waits before it looks for a `stop`.
const SLICE: Duration = Duration::from_millis(1);
