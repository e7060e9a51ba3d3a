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
//! 5. A trip policy is asked when all its evidence is written down and nothing
//!    else is half done, so a policy that panics leaves a whole circuit.

use std::collections::VecDeque;
use std::time::Instant;

use crate::counts::Sums;
use crate::ramp::Climb;
use crate::standing::WHOLE;
use crate::ticket::Role;
use crate::window::Verdicts;
use crate::{
    ActiveOverride, BreakerConfig, ConfigError, Counts, Dice, Forced, Fuse, Generation, InFlight,
    Notice, Outcome, Override, Pace, Reason, RejectReason, Rejected, Standing, State, Tally,
    Ticket, Transition, TripReason, Wake, span,
};

mod probes;
#[cfg(test)]
mod tests;

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
    config: BreakerConfig,
    dice: Dice,
    generation: Generation,
    last_transition: Option<Transition>,
    late: u64,
    now: Instant,
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

/// What only Closed has.
#[derive(Clone, Debug)]
struct Closed {
    /// The ramp, while it is under way.
    climb: Option<Climb>,
    /// How many calls in flight open the breaker, if that does.
    limit: Option<u16>,
    /// How many more may be in flight. Where the standing answer admits, its
    /// places are the ones that count.
    places: u16,
    since: Instant,
}

impl Closed {
    fn new(config: &BreakerConfig, now: Instant) -> Self {
        let limit = config.trip.in_flight_limit();
        Self {
            climb: None,
            limit,
            places: limit.unwrap_or(0),
            since: now,
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.climb.as_ref().map(Climb::next_deadline)
    }
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
    pub fn new(config: BreakerConfig, seed: u64, now: Instant) -> Result<Self, ConfigError> {
        config.refuse_contradictions()?;
        Ok(Self {
            config,
            dice: Dice::seeded(seed),
            generation: Generation::FIRST,
            last_transition: None,
            late: 0,
            now,
            openings: 0,
            overriding: None,
            phase: Phase::Closed(Closed::new(&config, now)),
            pushed_back: None,
            totals: Sums::default(),
            transitions: VecDeque::new(),
            verdicts: Verdicts::new(config.window, now),
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
            closed.places = next.places;
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
        self.enter(ticket, outcome, Pace::Fast, now);
    }

    /// Gives the verdict on one call that took
    /// [`slow_after`](BreakerConfig::slow_after) or longer.
    pub fn settle_slow(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        self.enter(ticket, outcome, Pace::Slow, now);
    }

    /// Takes in verdicts that callers have folded, as of `now`.
    ///
    /// It judges nothing: who keeps to the [`fuse`](Self::fuse) has folded no
    /// failure that could have opened the breaker.
    pub fn absorb(&mut self, tally: &Tally, now: Instant) {
        self.handle_deadline(now);
        self.late += tally.late;
        self.totals.merge(Sums::folded(tally));
        if tally.failures + tally.ignored + tally.successes > 0 {
            self.verdicts.absorb(tally, self.now);
        }
    }

    /// Counts verdicts that came after the generation of their call.
    pub fn note_late(&mut self, verdicts: u64) {
        self.late += verdicts;
    }

    /// How far callers may fold failures from now on without asking.
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
    /// HalfOpen its number of probes; all else holds at once.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the configuration contradicts itself; then the old one
    /// stays.
    pub fn reconfigure(&mut self, config: BreakerConfig, now: Instant) -> Result<(), ConfigError> {
        config.refuse_contradictions()?;
        self.handle_deadline(now);
        if config.window != self.config.window && matches!(self.phase, Phase::Closed(_)) {
            self.verdicts = Verdicts::new(config.window, self.now);
        }
        self.config = config;
        Ok(())
    }

    /// When [`handle_deadline`](Self::handle_deadline) has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let expires = self
            .overriding
            .as_ref()
            .and_then(ActiveOverride::expires_at);
        let changes = match &self.phase {
            Phase::Closed(closed) => {
                let turns = self.verdicts.next_deadline();
                turns.into_iter().chain(closed.next_deadline()).min()
            }
            Phase::HalfOpen(probes) => probes.next_deadline(self.config.probe_deadline),
            Phase::Open { until } => Some(*until),
        };
        expires.into_iter().chain(changes).min()
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

    /// What callers may be told until the next input or deadline.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            forced: self.forced(),
            generation: self.generation,
            orphaned: None,
            in_flight: match self.phase {
                Phase::Closed(Closed { limit: Some(_), .. }) => InFlight::Counted,
                _ => InFlight::Uncounted,
            },
            places: match &self.phase {
                Phase::Closed(closed) => closed.places,
                Phase::HalfOpen(probes) => probes.free_places(),
                Phase::Open { .. } => 0,
            },
            share: match &self.phase {
                Phase::Closed(Closed {
                    climb: Some(climb), ..
                }) => climb.share(),
                _ => WHOLE,
            },
            state: self.state(),
            wake: if self.verdicts.is_asleep() {
                Wake::Asleep
            } else {
                Wake::Awake
            },
        }
    }

    /// From when on a rejected call is worth another try, where that is known.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        let forced_until = match &self.overriding {
            Some(word) if word.forced() == Forced::Open => Some(word.expires_at()?),
            Some(_) | None => None,
        };
        let open_until = match self.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed(_) | Phase::HalfOpen(_) => None,
        };
        forced_until.max(open_until)
    }

    /// The state beneath any override.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Open { .. } => State::Open,
        }
    }

    /// The configuration in use.
    pub const fn config(&self) -> &BreakerConfig {
        &self.config
    }

    /// The verdicts in the window.
    ///
    /// HalfOpen counts from its start. An Open breaker keeps those that opened
    /// it, and adds the calls that an override admits meanwhile.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.verdicts.counts()
    }

    /// How many times in a row it has opened, less the healthy spans since.
    #[must_use]
    pub fn openings(&self) -> u32 {
        self.openings_remembered()
    }

    /// How many calls in flight open it, in a generation where that does.
    #[must_use]
    pub const fn in_flight_limit(&self) -> Option<u16> {
        match &self.phase {
            Phase::Closed(closed) => closed.limit,
            Phase::HalfOpen(_) | Phase::Open { .. } => None,
        }
    }

    /// The generation that calls are admitted in.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The latest change of its state.
    #[must_use]
    pub const fn last_transition(&self) -> Option<&Transition> {
        self.last_transition.as_ref()
    }

    /// The verdicts of its whole life, without those that came late.
    #[must_use]
    pub const fn totals(&self) -> Sums {
        self.totals
    }

    /// Verdicts that came after the generation of their call, in its whole life.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The override in force.
    #[must_use]
    pub const fn overriding(&self) -> Option<&ActiveOverride> {
        self.overriding.as_ref()
    }

    fn forced(&self) -> Option<Forced> {
        self.overriding.as_ref().map(ActiveOverride::forced)
    }

    fn rejected(&self, reason: RejectReason) -> Rejected {
        Rejected::new(reason, self.retry_at())
    }

    /// Handles what is due at `self.now`, one thing at a time.
    fn do_what_is_due(&mut self) {
        let now = self.now;
        if self
            .overriding
            .as_ref()
            .and_then(ActiveOverride::expires_at)
            .is_some_and(|at| at <= now)
        {
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

    fn enter(&mut self, ticket: Ticket, outcome: Outcome, pace: Pace, now: Instant) {
        self.handle_deadline(now);
        let Notice { generation, role } = ticket.into_notice();
        if generation != self.generation {
            self.late += 1;
            return;
        }
        self.totals.merge(Sums::of(outcome, pace));
        self.verdicts.record(outcome, pace, self.now);
        self.note_push_back(outcome);
        let counts_against =
            outcome.is_failure() || outcome == Outcome::Success && pace == Pace::Slow;
        self.give_place_back(role);
        match (&mut self.phase, role) {
            (Phase::Closed(_), _) if counts_against => self.ask_to_trip(),
            (Phase::HalfOpen(probes), Role::Probe { since }) => {
                probes.settle(since, outcome);
                self.judge_probes(outcome, pace);
            }
            (Phase::Closed(_) | Phase::HalfOpen(_) | Phase::Open { .. }, _) => {}
        }
    }

    fn give_place_back(&mut self, role: Role) {
        if let (Phase::Closed(closed), Role::Counted | Role::Last) = (&mut self.phase, role) {
            closed.places = closed.limit.unwrap_or(0).min(closed.places + 1);
        }
    }

    fn note_push_back(&mut self, outcome: Outcome) {
        if let Outcome::Failure {
            retry_after: Some(asked),
        } = outcome
        {
            let until = span::after(self.now, asked.min(self.config.retry_after_cap));
            self.pushed_back = self.pushed_back.max(Some(until));
        }
    }

    fn ask_to_trip(&mut self) {
        if let Some(reason) = self.config.trip.judge(&self.verdicts.counts()) {
            self.open(Reason::Tripped(reason));
        }
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

    fn open(&mut self, reason: Reason) {
        let evidence = self.verdicts.counts();
        self.openings = self.openings_remembered().saturating_add(1);
        let until = self.now + self.config.open_for.wait(self.openings, &mut self.dice);
        let until = self.pushed_back.map_or(until, |asked| asked.max(until));
        self.verdicts.freeze();
        self.begin(Phase::Open { until }, reason, evidence);
    }

    fn half_open(&mut self) {
        let evidence = self.verdicts.counts();
        self.verdicts = Verdicts::new(crate::Window::unbounded(), self.now);
        self.begin(
            Phase::HalfOpen(Probes::new(self.config.probes)),
            Reason::OpenElapsed,
            evidence,
        );
    }

    fn close(&mut self, reason: Reason) {
        let evidence = self.verdicts.counts();
        self.verdicts = Verdicts::new(self.config.window, self.now);
        let mut closed = Closed::new(&self.config, self.now);
        if reason == Reason::ProbesSucceeded {
            closed.climb = self.config.ramp.map(|ramp| ramp.begin(self.now));
        }
        self.begin(Phase::Closed(closed), reason, evidence);
    }

    fn begin(&mut self, phase: Phase, reason: Reason, evidence: Counts) {
        let from = self.state();
        let until = match phase {
            Phase::Open { until } => Some(until),
            Phase::Closed(_) | Phase::HalfOpen(_) => None,
        };
        self.phase = phase;
        self.generation = self.generation.next();
        self.pushed_back = None;
        let transition = Transition {
            at: self.now,
            evidence,
            from,
            generation: self.generation,
            overridden_by: self.forced(),
            reason,
            sequence: self.last_transition.map_or(0, |last| last.sequence) + 1,
            to: self.state(),
            until,
        };
        self.last_transition = Some(transition);
        self.transitions.push_back(transition);
    }

    /// Past openings in a row, less one for each healthy span in Closed.
    fn openings_remembered(&self) -> u32 {
        let Phase::Closed(Closed { since, .. }) = self.phase else {
            return self.openings;
        };
        let healthy = self.now.saturating_duration_since(since).as_nanos();
        let forgotten = healthy / self.config.healthy_span.as_nanos();
        self.openings
            .saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX))
    }
}
