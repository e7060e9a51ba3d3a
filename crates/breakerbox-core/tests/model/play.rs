use std::time::{Duration, Instant};

use breakerbox_core::{Circuit, Forced, Outcome, Override, Rejected, Standing, Ticket};

use crate::agree::same;
use crate::met::Met;
use crate::plan::{Plan, Span};
use crate::reference::{Call, Reference, Word};
use crate::step::{History, Input, Step, Verdict, Way, When};

/// A circuit and its model, which are told the same and have to agree.
pub(crate) struct Play {
    pub(crate) circuit: Circuit,
    in_flight: Vec<(Ticket, Call)>,
    /// How many changes of state both have told.
    pub(crate) told: usize,
    pub(crate) reference: Reference,
}

pub(crate) type Agreed = Result<(), String>;

impl Play {
    pub(crate) fn new(history: &History) -> Self {
        let mut plan = history.plan.clone();
        if plan.contradicts_itself() {
            plan = plan.with_span(Span::Unbounded);
        }
        let now = epoch();
        let circuit = Circuit::new(plan.config(), history.seed, now);
        Self {
            circuit: circuit.expect("a plan that does not contradict itself is taken"),
            in_flight: Vec::new(),
            told: 0,
            reference: Reference::new(plan, history.seed, now),
        }
    }

    pub(crate) fn met(self) -> Vec<Met> {
        self.reference.met
    }

    pub(crate) fn step(&mut self, step: &Step) -> Agreed {
        let now = self.instant(step.when);
        self.reference.pass(now);
        self.tell(&step.input, now)?;
        self.reference.look_back();
        self.agree()
    }

    fn tell(&mut self, input: &Input, now: Instant) -> Agreed {
        let plan = &self.reference.plan;
        match input {
            Input::Acquire(way) => self.acquire(*way, now)?,
            Input::Call(verdict) => self.call(*verdict, now)?,
            Input::Force {
                expires_after,
                forced,
            } => self.force(*forced, *expires_after, now),
            Input::Pass => self.pass(now)?,
            Input::Reconfigure(new) => self.reconfigure(Plan::clone(new), now)?,
            Input::Release => {
                self.reference.word = None;
                self.circuit.release(now);
            }
            Input::Reset => {
                self.reference.reset();
                self.circuit.reset(now);
            }
            Input::Resize(span) => self.reconfigure(plan.with_span(*span), now)?,
            Input::Retune(new) => self.reconfigure(new.with_span(plan.span), now)?,
            Input::Settle { verdict, which } if !self.in_flight.is_empty() => {
                self.settle(*which as usize % self.in_flight.len(), *verdict, now)?;
            }
            Input::Settle { .. } => self.circuit.handle_deadline(now),
        }
        Ok(())
    }

    fn instant(&self, when: When) -> Instant {
        let latest = self.reference.now;
        let due = self.circuit.next_deadline().unwrap_or(latest);
        match when {
            When::AfterDeadline => due + NANOSECOND,
            When::AtDeadline => due,
            When::Back(span) => latest - span,
            When::BeforeDeadline => due - NANOSECOND,
            When::Later(span) | When::MuchLater(span) => latest + span,
            When::Now => latest,
        }
    }

    fn acquire(&mut self, way: Way, now: Instant) -> Agreed {
        let admitted = match way {
            Way::ByStanding => self.acquire_by_standing(now)?,
            Way::Directly => self.circuit.try_acquire(now),
        };
        let retry_at = self.reference.retry_at();
        let expected = self.reference.acquire();
        let probe = |ticket: &Ticket| (ticket.generation().number(), ticket.is_probe());
        let rejected = |rejected: &Rejected| (rejected.reason(), rejected.retry_at());
        let expected_probe = expected.as_ref().map(Call::generation_and_probe);
        same(
            "admission",
            &admitted.as_ref().map(probe).map_err(rejected),
            &expected_probe.map_err(|reason| (*reason, retry_at)),
        )?;
        self.in_flight.extend(admitted.ok().zip(expected.ok()));
        Ok(())
    }

    fn call(&mut self, verdict: Verdict, now: Instant) -> Agreed {
        let in_flight = self.in_flight.len();
        self.acquire(Way::Directly, now)?;
        if self.in_flight.len() > in_flight {
            self.settle(in_flight, verdict, now)?;
        }
        Ok(())
    }

    /// As a caller does who never asks the circuit.
    fn acquire_by_standing(&mut self, now: Instant) -> Result<Result<Ticket, Rejected>, String> {
        self.reference.note(Met::AdmittedByStanding, true);
        self.circuit.handle_deadline(now);
        let standing = self.circuit.standing();
        let admission = match standing.admit(|| 0) {
            Ok(admission) => admission,
            Err(reason) => return Ok(Err(Rejected::new(reason, self.circuit.retry_at()))),
        };
        let ticket = admission.ticket(standing.generation, || self.reference.now);
        self.circuit.admitted(ticket.notice(), now);
        let becomes = admission.becomes().unwrap_or(standing);
        same(
            "standing after admission",
            &self.circuit.standing(),
            &becomes,
        )?;
        Ok(Ok(ticket))
    }

    fn settle(&mut self, which: usize, verdict: Verdict, now: Instant) -> Agreed {
        let (ticket, call) = self.in_flight.remove(which);
        let outcome = match verdict {
            Verdict::Abandon => self.reference.abandon(&call),
            Verdict::Fail => Outcome::failure(),
            Verdict::FailAndAsk(span) => Outcome::failure_after(span),
            Verdict::Ignore => Outcome::Ignored,
            Verdict::Succeed => Outcome::Success,
        };
        let handed_back = self.standing_at(now).hand_back(ticket.notice(), outcome);
        let due = handed_back.is_some();
        self.circuit.settle(ticket, outcome, now);
        if due {
            same(
                "standing after hand-back",
                &Some(self.circuit.standing()),
                &handed_back,
            )?;
        }
        self.reference.settle(&call, outcome);
        Ok(())
    }

    fn standing_at(&self, now: Instant) -> Standing {
        let mut twin = self.circuit.clone();
        twin.handle_deadline(now);
        twin.standing()
    }

    fn force(&mut self, forced: Forced, expires_after: Option<Duration>, now: Instant) {
        let word = match forced {
            Forced::Closed => Override::forced_closed("model"),
            Forced::Open => Override::forced_open("model"),
        };
        let word = expires_after
            .into_iter()
            .fold(word, Override::expires_after);
        self.circuit.force(word, now);
        let expires = expires_after.map(|span| self.reference.now + span);
        self.reference.word = Some(Word { expires, forced });
    }

    fn reconfigure(&mut self, plan: Plan, now: Instant) -> Agreed {
        let taken = self.circuit.reconfigure(plan.config(), now);
        let expected = self.reference.reconfigure(plan);
        same("reconfigured", &taken.is_ok(), &expected.is_ok())?;
        self.circuit.handle_deadline(now);
        self.reference.pass(now);
        Ok(())
    }

    /// Only time: all at once, or driven by a timer, or told twice, it is one story.
    fn pass(&mut self, now: Instant) -> Agreed {
        let mut driven = self.circuit.clone();
        while let Some(due) = driven.next_deadline().filter(|due| *due <= now) {
            driven.handle_deadline(due);
            if driven.next_deadline() == Some(due) {
                return Err(format!("the deadline at {due:?} does not go away"));
            }
        }
        driven.handle_deadline(now);
        self.circuit.handle_deadline(now);
        let once = format!("{:?}", self.circuit);
        self.circuit.handle_deadline(now);
        same("told twice", &format!("{:?}", self.circuit), &once)?;
        same("driven by a timer", &format!("{driven:?}"), &once)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a history has to begin at some instant"
)]
fn epoch() -> Instant {
    Instant::now() + A_DAY
}

pub(crate) const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const NANOSECOND: Duration = Duration::from_nanos(1);
