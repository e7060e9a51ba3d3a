//! The breaker as a machine: told what happened and when, it decides.
//!
//! Most breakers in the field go wrong in the same few places: a straggler from
//! the outage closes the circuit, a probe that never returns wedges it, a
//! cancelled call counts as a verdict. Here each call carries a [`Ticket`] of
//! its generation, each probe has a deadline, and each verdict is exactly one of
//! success, failure and ignored.
//!
//! # Invariants
//!
//! 1. Each change of state begins a generation and one transition reports it.
//! 2. A ticket of an older generation changes `late` and nothing else.
//! 3. In HalfOpen the probes in flight and those that succeeded are at most as
//!    many as there are places.
//! 4. Time never goes back: what comes late is taken as of the latest instant
//!    that the circuit has been told.
//! 5. A custom policy is asked when all its evidence is written down and nothing
//!    else is half done, so a policy that panics leaves a whole circuit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::counts::Sums;
use crate::ticket::Role;
use crate::window::Verdicts;
use crate::{
    ActiveOverride, BreakerConfig, ConfigError, Dice, Forced, Fuse, Generation, Notice, Outcome,
    Override, Pace, Question, Reason, RejectReason, Rejected, Tally, Ticket, Transition,
    TripReason, span,
};

mod change;
mod closed;
mod probes;
#[cfg(test)]
mod tests;
mod view;

use closed::Closed;
use probes::Probes;

/// A circuit breaker without a clock.
///
/// Every input takes the time; every input at or after a deadline handles that
/// deadline first, as of the instant it was due. So a circuit that nobody asks
/// for an hour, and one that is driven by a timer, tell the same story.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use breakerbox_core::{BreakerConfig, Circuit, Outcome, State};
///
/// let start = Instant::now();
/// let mut circuit = Circuit::new(BreakerConfig::gobreaker(), 1, start)?;
/// for _ in 0..6 {
///     let ticket = circuit.try_acquire(start).expect("a Closed breaker admits");
///     circuit.settle(ticket, Outcome::failure(), start);
/// }
/// assert_eq!(circuit.state(), State::Open);
///
/// let due = circuit.next_deadline().expect("an Open breaker has one");
/// assert_eq!(due, start + Duration::from_secs(60));
/// circuit.handle_deadline(due);
/// assert_eq!(circuit.state(), State::HalfOpen);
/// # Ok::<(), breakerbox_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Circuit {
    /// Shared, as most breakers of a program are alike.
    config: Arc<BreakerConfig>,
    dice: Dice,
    generation: Generation,
    last_transition: Option<Box<Transition>>,
    late: u64,
    now: Instant,
    /// Why it opened last; None while Closed.
    opened_by: Option<Reason>,
    /// How many times it has opened in a row, less the healthy spans since.
    openings: u32,
    overriding: Option<ActiveOverride>,
    phase: Phase,
    /// Until when a failure of this generation asked not to be called.
    pushed_back: Option<Instant>,
    totals: Sums,
    transitions: VecDeque<Transition>,
    verdicts: Verdicts,
}

/// What only one state has.
#[derive(Clone, Debug)]
enum Phase {
    Closed(Closed),
    HalfOpen(Probes),
    Open { until: Instant },
}

impl Circuit {
    /// A Closed circuit whose first generation begins now.
    ///
    /// `seed` decides its jitter: give each breaker another one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration contradicts itself.
    pub fn new(
        config: impl Into<Arc<BreakerConfig>>,
        seed: u64,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        let config = config.into();
        config.refuse_contradictions()?;
        Ok(Self {
            dice: Dice::seeded(seed),
            generation: Generation::FIRST,
            last_transition: None,
            late: 0,
            now,
            opened_by: None,
            openings: 0,
            overriding: None,
            phase: Phase::Closed(Closed::new(&config, now)),
            pushed_back: None,
            totals: Sums::default(),
            transitions: VecDeque::new(),
            verdicts: Verdicts::new(config.window, now),
            config,
        })
    }

    /// Asks to make one call.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if it may not be made now.
    pub fn try_acquire(&mut self, now: Instant) -> Result<Ticket, Rejected> {
        self.handle_deadline(now);
        let standing = self.standing();
        let draw = || u8::try_from(self.dice.up_to(99)).expect("less than a hundred");
        let admission = standing.admit(draw);
        let admission = admission.map_err(|reason| self.rejected(reason))?;
        if let (Phase::Closed(closed), Some(next)) = (&mut self.phase, admission.becomes()) {
            closed.in_flight = next.in_flight;
        }
        let ticket = admission.ticket(self.generation, || self.now);
        self.admitted(ticket.notice(), now);
        Ok(ticket)
    }

    /// Tells of a call that was admitted by the [`standing`](Self::standing) answer.
    ///
    /// Once for each probe, before its verdict; of other calls as often as you like.
    pub fn admitted(&mut self, notice: Notice, now: Instant) {
        self.handle_deadline(now);
        if notice.generation != self.generation {
            return;
        }
        match (&mut self.phase, notice.role) {
            (Phase::Closed(_), Role::Last) => {
                self.verdicts.wake(self.now);
                self.open(Reason::Tripped(TripReason::InFlight));
            }
            (Phase::Closed(_), _) => self.verdicts.wake(self.now),
            (Phase::HalfOpen(probes), Role::Probe { since }) => probes.admit(since),
            (Phase::HalfOpen(_) | Phase::Open { .. }, _) => {}
        }
    }

    /// Gives the verdict on one call.
    pub fn settle(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        self.judge(ticket, outcome, Pace::Fast, now);
    }

    /// Gives the verdict on one call that took
    /// [`slow_after`](BreakerConfig::slow_after) or longer.
    pub fn settle_slow(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        self.judge(ticket, outcome, Pace::Slow, now);
    }

    /// Gives the verdict on one call, and asks no code of the user.
    ///
    /// Returns what a custom policy is still to be asked, if there is one and no
    /// other signal has opened the breaker; [`answer_open`](Self::answer_open) takes
    /// a yes.
    pub fn record(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        pace: Pace,
        now: Instant,
    ) -> Option<Question> {
        self.handle_deadline(now);
        let Notice { generation, role } = ticket.into_notice();
        if generation != self.generation {
            self.late += 1;
            return None;
        }
        self.totals.merge(Sums::of(outcome, pace));
        self.verdicts.record(outcome, pace, self.now);
        self.record_push_back(outcome);
        let counts_against =
            outcome.is_failure() || outcome == Outcome::Success && pace == Pace::Slow;
        match (&mut self.phase, role) {
            (Phase::Closed(closed), _) => {
                if role == Role::Counted {
                    closed.in_flight = closed.in_flight.less_one();
                }
                if counts_against {
                    return self.trip();
                }
            }
            (Phase::HalfOpen(probes), Role::Probe { since }) => {
                probes.settle(since, outcome);
                self.judge_probes(outcome, pace);
            }
            (Phase::HalfOpen(_) | Phase::Open { .. }, _) => {}
        }
        None
    }

    /// Opens the breaker, because a custom policy says so.
    ///
    /// That has no effect if the generation that the policy was asked about is
    /// over.
    pub fn answer_open(&mut self, question: &Question, now: Instant) {
        self.handle_deadline(now);
        if question.generation() == self.generation && matches!(self.phase, Phase::Closed(_)) {
            self.open(Reason::Tripped(TripReason::Custom));
        }
    }

    /// Takes in verdicts that callers have folded, as of `now`.
    ///
    /// It judges nothing: callers that keep to the [`fuse`](Self::fuse) have
    /// folded no failure that could have opened the breaker.
    ///
    /// A folded verdict carries no time. A failure was folded before the fuse's
    /// own end, so where the window has moved on since it counts in the slice
    /// that ended then. A success counts in the newest slice: it may stay too
    /// long in the window, which never opens a healthy breaker.
    pub fn absorb(&mut self, tally: &Tally, now: Instant) {
        let ends = match self.phase {
            Phase::Closed(_) => self.verdicts.next_deadline(),
            Phase::HalfOpen(_) | Phase::Open { .. } => self.next_deadline(),
        };
        let before_end = ends.map_or(now, |ends| now.min(ends - NANOSECOND));
        self.handle_deadline(before_end);
        self.late += tally.late;
        let folded = Sums::folded(tally);
        self.totals.merge(folded);
        // Also without a verdict: a success may have been read before the run that
        // it ended.
        self.verdicts.correct(tally.streak);
        let before = match self.phase {
            Phase::Closed(_) => Sums::failures(tally.failures),
            Phase::HalfOpen(_) | Phase::Open { .. } => folded,
        };
        self.take_in(before);
        self.handle_deadline(now);
        let mut newest = folded;
        newest.subtract(before);
        self.take_in(newest);
    }

    /// Returns how far callers may fold failures from now on without asking.
    #[must_use]
    pub fn fuse(&self) -> Fuse {
        let Phase::Closed(_) = self.phase else {
            return Fuse {
                folds: u64::MAX,
                streak_at: None,
                until: None,
            };
        };
        let folds = if self.verdicts.is_of_calls() {
            None
        } else {
            self.config.trip.folds(&self.counts())
        };
        Fuse {
            folds: folds.unwrap_or(0),
            streak_at: self.config.trip.streak_at(),
            until: self.verdicts.next_deadline(),
        }
    }

    /// Puts an override in force, in place of one that already is.
    pub fn force(&mut self, word: Override, now: Instant) {
        self.handle_deadline(now);
        self.overriding = Some(ActiveOverride::new(word, self.now));
    }

    /// Ends the override, if there is one; the state beneath rules at once.
    pub fn release(&mut self, now: Instant) {
        self.handle_deadline(now);
        self.overriding = None;
    }

    /// Goes back to Closed and forgets verdicts and past openings.
    ///
    /// It begins a generation, so calls in flight no longer count. An override
    /// stays in force.
    pub fn reset(&mut self, now: Instant) {
        self.handle_deadline(now);
        self.openings = 0;
        self.close(Reason::Reset);
    }

    /// Changes the configuration of a live breaker.
    ///
    /// State, generation and tickets stay good. Counts stay where the window is
    /// the same; another window begins empty. An opening keeps its length and a
    /// HalfOpen its number of probes; all else holds at once. A limit of calls in
    /// flight that comes with it counts those that are admitted from then on.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration contradicts itself; then the old one
    /// stays.
    pub fn reconfigure(
        &mut self,
        config: impl Into<Arc<BreakerConfig>>,
        now: Instant,
    ) -> Result<(), ConfigError> {
        let config = config.into();
        config.refuse_contradictions()?;
        self.handle_deadline(now);
        if let Phase::Closed(closed) = &mut self.phase {
            if config.window != self.config.window {
                self.verdicts = Verdicts::new(config.window, self.now);
            }
            let limit = config.trip.in_flight_limit();
            closed.in_flight = closed.in_flight.limited_to(limit);
        }
        self.config = config;
        Ok(())
    }

    /// When [`handle_deadline`](Self::handle_deadline) has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let changes = match &self.phase {
            Phase::Closed(closed) => {
                let turns = self.verdicts.next_deadline();
                turns.into_iter().chain(closed.next_deadline()).min()
            }
            Phase::HalfOpen(probes) => probes.next_deadline(self.config.probe_deadline),
            Phase::Open { until } => Some(*until),
        };
        self.override_until().into_iter().chain(changes).min()
    }

    /// Does what time asks for up to `now`; harmless early and twice.
    pub fn handle_deadline(&mut self, now: Instant) {
        let now = self.now.max(now);
        while let Some(due) = self.next_deadline().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.do_what_is_due();
        }
        self.now = now;
    }

    /// The next change of state that nobody has been told of, oldest first.
    pub fn poll_transition(&mut self) -> Option<Transition> {
        self.transitions.pop_front()
    }

    fn forced(&self) -> Option<Forced> {
        self.overriding.as_ref().map(ActiveOverride::forced)
    }

    fn override_until(&self) -> Option<Instant> {
        self.overriding.as_ref()?.expires_at()
    }

    fn rejected(&self, reason: RejectReason) -> Rejected {
        Rejected::new(reason, self.retry_at())
    }

    /// Handles what is due at `self.now`, one thing at a time.
    fn do_what_is_due(&mut self) {
        let now = self.now;
        if self.override_until().is_some_and(|at| at <= now) {
            self.overriding = None;
            return;
        }
        match &mut self.phase {
            Phase::Closed(closed) => {
                closed.climb = closed.climb.and_then(|climb| climb.climb(now));
                self.verdicts.handle_deadline(now);
            }
            Phase::HalfOpen(_) => {
                self.verdicts.record(Outcome::failure(), Pace::Fast, now);
                self.open(Reason::ProbeOverdue);
            }
            Phase::Open { .. } => self.half_open(),
        }
    }

    /// Records a verdict, and asks a custom policy too.
    fn judge(&mut self, ticket: Ticket, outcome: Outcome, pace: Pace, now: Instant) {
        if let Some(question) = self.record(ticket, outcome, pace, now)
            && question.ask(&self.config)
        {
            self.answer_open(&question, now);
        }
    }

    /// Takes folded verdicts into the window as of the latest instant.
    fn take_in(&mut self, verdicts: Sums) {
        if verdicts != Sums::default() {
            self.verdicts.absorb(verdicts, self.now);
        }
    }

    fn record_push_back(&mut self, outcome: Outcome) {
        if let Outcome::Failure {
            retry_after: Some(asked),
            ..
        } = outcome
        {
            let until = span::after(self.now, asked.min(self.config.retry_after_cap));
            self.pushed_back = self.pushed_back.max(Some(until));
        }
    }

    /// Opens on the first signal that says so; asks of what is left.
    fn trip(&mut self) -> Option<Question> {
        let counts = self.verdicts.counts();
        if let Some(reason) = self.config.trip.judge(&counts) {
            self.open(Reason::Tripped(reason));
            return None;
        }
        let asks = self.config.trip.has_custom();
        asks.then(|| Question::new(counts, self.generation))
    }

    fn judge_probes(&mut self, outcome: Outcome, pace: Pace) {
        let Phase::HalfOpen(probes) = &self.phase else {
            return;
        };
        if outcome.is_failure() {
            self.open(Reason::ProbeFailed);
        } else if outcome == Outcome::Success
            && pace == Pace::Slow
            && self.config.trip.watches_pace()
        {
            self.open(Reason::ProbeSlow);
        } else if probes.all_succeeded() {
            self.close(Reason::ProbesSucceeded);
        }
    }
}

const NANOSECOND: Duration = Duration::from_nanos(1);
