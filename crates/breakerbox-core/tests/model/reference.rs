use std::time::{Duration, Instant};

use breakerbox_core::{
    Abandoned, Counts, Forced, Outcome, Reason, RejectReason, State, TripReason,
};

use crate::change::Change;
use crate::met::Met;
use crate::openings::{Openings, longest};
use crate::plan::{Plan, Span};
use crate::window::{Given, Seen, count};

/// A breaker as the promises tell it, without a thought for speed.
#[derive(Debug)]
pub(crate) struct Reference {
    /// Until when failures of this generation asked not to be called.
    asked: Vec<Instant>,
    pub(crate) changes: Vec<Change>,
    pub(crate) generation: u64,
    /// What opened it, while it is Open.
    kept: Vec<Given>,
    pub(crate) late: u64,
    pub(crate) met: Vec<Met>,
    pub(crate) now: Instant,
    open_until: Option<Instant>,
    openings: Openings,
    /// How many probes this HalfOpen generation has.
    places: usize,
    pub(crate) plan: Plan,
    probes: Vec<Probe>,
    seen: Seen,
    since: Instant,
    pub(crate) state: State,
    pub(crate) word: Option<Word>,
}

/// A call that was admitted.
#[derive(Debug)]
pub(crate) struct Call {
    at: Instant,
    generation: u64,
    /// Which one of its generation's probes it is.
    probe: Option<usize>,
}

impl Call {
    pub(crate) fn generation_and_probe(&self) -> (u64, bool) {
        (self.generation, self.probe.is_some())
    }
}

/// The operator's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) expires: Option<Instant>,
    pub(crate) forced: Forced,
}

#[derive(Debug)]
struct Probe {
    at: Instant,
    verdict: Option<Outcome>,
}

impl Probe {
    const fn begun(at: Instant) -> Self {
        Self { at, verdict: None }
    }
}

impl Reference {
    pub(crate) fn new(plan: Plan, seed: u64, now: Instant) -> Self {
        Self {
            asked: Vec::new(),
            changes: Vec::new(),
            generation: 1,
            kept: Vec::new(),
            late: 0,
            met: Vec::new(),
            now,
            open_until: None,
            openings: Openings::none(seed),
            places: 0,
            plan,
            probes: Vec::new(),
            seen: Seen::nothing(now),
            since: now,
            state: State::Closed,
            word: None,
        }
    }

    /// Lets time pass, one due thing after another.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.note(Met::WentBack, now < self.now);
        let now = now.max(self.now);
        let changed = self.changes.len();
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            if self.word.is_some_and(|word| word.expires == Some(due)) {
                self.word = None;
                self.met.push(Met::Expired);
            } else {
                self.note(Met::OnTheInstant, due == now);
                self.change_by_time();
            }
        }
        self.now = now;
        self.note(Met::CaughtUp, self.changes.len() > changed + 1);
        let early = self.next_due() == Some(now + Duration::from_nanos(1));
        self.note(Met::OneEarly, early);
    }

    /// Admits a call, or says why not.
    pub(crate) fn acquire(&mut self) -> Result<Call, RejectReason> {
        let probe = self.state == State::HalfOpen && self.places_left() > 0;
        let by_state = match self.state {
            State::Closed => Ok(()),
            State::HalfOpen if probe => Ok(()),
            State::HalfOpen => Err(RejectReason::HalfOpen),
            State::Open => Err(RejectReason::Open),
        };
        match self.word.map(|word| word.forced) {
            Some(Forced::Closed) => self.note(Met::ForcedClosed, by_state.is_err()),
            Some(Forced::Open) => {
                self.note(Met::ForcedOpen, by_state.is_ok());
                return Err(RejectReason::ForcedOpen);
            }
            None => by_state.inspect_err(|reason| self.note_rejection(*reason))?,
        }
        self.note_admission(probe);
        if self.state == State::Closed {
            self.note(Met::FixedBegunByCall, self.has_no_fixed_window(self.now));
            self.seen.calls.push(self.now);
        }
        if probe {
            self.probes.push(Probe::begun(self.now));
        }
        Ok(Call {
            at: self.now,
            generation: self.generation,
            probe: probe.then(|| self.probes.len() - 1),
        })
    }

    /// What a call counts as that is dropped now.
    pub(crate) fn abandon(&mut self, call: &Call) -> Outcome {
        let failed = match self.plan.abandoned {
            Abandoned::Failure => true,
            Abandoned::FailureAfter(least) => self.now - call.at >= least,
            Abandoned::Ignored => false,
        };
        self.note(Met::AbandonedFailed, failed);
        self.note(Met::AbandonedIgnored, !failed);
        if failed {
            Outcome::failure()
        } else {
            Outcome::Ignored
        }
    }

    pub(crate) fn settle(&mut self, call: &Call, outcome: Outcome) {
        if call.generation != self.generation {
            self.late += 1;
            self.met.push(Met::LateChangedNothing);
            return;
        }
        self.note(Met::FixedBegunByVerdict, self.has_no_fixed_window(self.now));
        self.give(outcome);
        if let Outcome::Failure {
            retry_after: Some(asked),
            ..
        } = outcome
        {
            self.note(Met::PushBackCapped, asked > self.plan.cap);
            self.asked.push(self.now + asked.min(self.plan.cap));
        }
        match (self.state, call.probe) {
            (State::Closed, _) => self.judge(outcome),
            (State::HalfOpen, Some(probe)) => self.judge_probe(probe, outcome),
            (State::HalfOpen, None) => self.met.push(Met::JudgedNothing),
            (State::Open, _) => self.met.push(Met::OpenCountsOn),
        }
    }

    pub(crate) fn reset(&mut self) {
        self.openings.forget_all();
        self.close(Reason::Reset);
    }

    /// Takes over a plan, unless it contradicts itself.
    pub(crate) fn reconfigure(&mut self, plan: Plan) -> Result<(), ()> {
        if plan.contradicts_itself() {
            self.met.push(Met::Contradiction);
            return Err(());
        }
        let counted = self.counts(self.now) != Counts::default();
        match self.state {
            State::Closed if plan.span == self.plan.span => self.note(Met::KeptCounts, counted),
            State::Closed => {
                self.note(Met::NewWindow, counted);
                self.seen = Seen::nothing(self.now);
            }
            State::HalfOpen => self.note(Met::ReconfiguredHalfOpen, self.oldest_probe().is_some()),
            State::Open => self.met.push(Met::ReconfiguredOpen),
        }
        self.plan = plan;
        Ok(())
    }

    /// The counts at an instant until which nothing happens.
    pub(crate) fn counts(&self, at: Instant) -> Counts {
        count(&self.inside(at))
    }

    /// Whether time stands still until the next call or verdict.
    pub(crate) fn is_asleep(&self, at: Instant) -> bool {
        match (self.state, self.plan.span) {
            (State::Closed, Span::Fixed(_)) => self.has_no_fixed_window(at),
            (State::Closed, span @ Span::Rolling(..)) => {
                self.inside(at).is_empty() && !self.seen.heard_in_slice_of(span, at)
            }
            _ => false,
        }
    }

    /// Whether the next call or verdict begins a fixed window.
    fn has_no_fixed_window(&self, at: Instant) -> bool {
        match (self.state, self.plan.span) {
            (State::Closed, Span::Fixed(span)) => self.seen.fixed_window(span, at).is_none(),
            _ => false,
        }
    }

    pub(crate) fn places_left(&self) -> usize {
        let taken = |probe: &&Probe| matches!(probe.verdict, None | Some(Outcome::Success));
        match self.state {
            State::HalfOpen => self.places - self.probes.iter().filter(taken).count(),
            State::Closed | State::Open => 0,
        }
    }

    /// When a rejected call may come back, if anybody knows.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        match self.word {
            Some(Word {
                forced: Forced::Open,
                expires,
            }) => Some(expires?.max(self.open_until.unwrap_or(self.now))),
            _ => self.open_until,
        }
    }

    /// When time alone changes the state, or ends the override.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let expires = self.word.and_then(|word| word.expires);
        let overdue = self.oldest_probe().zip(self.plan.probe_deadline);
        let overdue = overdue.map(|(at, deadline)| at + deadline);
        expires
            .into_iter()
            .chain(self.open_until)
            .chain(overdue)
            .min()
    }

    /// Notes what the verdicts inside show, once a step is over.
    pub(crate) fn look_back(&mut self) {
        let half_a_minute = Duration::from_secs(30);
        let hangs = |at: Instant| self.now - at > half_a_minute;
        let hangs = self.oldest_probe().is_some_and(hangs);
        self.note(
            Met::ProbesNeverOverdue,
            hangs && self.plan.probe_deadline.is_none(),
        );
        if self.state != State::Closed {
            return;
        }
        let inside = self.inside(self.now);
        let (held, all) = (inside.len(), self.seen.given.len());
        match self.plan.span {
            Span::Fixed(_) => self.note(Met::FixedForgot, held < all),
            Span::Last(_) => self.note(Met::LastForgot, held < all),
            Span::Rolling(..) => self.note(Met::RollingForgot, 0 < held && held < all),
            Span::Unbounded => self.note(Met::UnboundedKept, held > 10),
        }
        let streak = count(&inside).consecutive_failures;
        let ever = count(&self.seen.given).consecutive_failures;
        self.note(Met::StreakShortened, 0 < streak && streak < ever);
    }

    pub(crate) fn note(&mut self, met: Met, is_met: bool) {
        if is_met {
            self.met.push(met);
        }
    }

    fn note_admission(&mut self, probe: bool) {
        let met = match self.state {
            State::Closed => Met::ClosedAdmits,
            _ if probe && self.word.is_some() => Met::ForcedProbe,
            _ if probe => Met::ProbeAdmitted,
            State::HalfOpen | State::Open => return,
        };
        self.met.push(met);
    }

    fn note_rejection(&mut self, reason: RejectReason) {
        self.met.push(match reason {
            RejectReason::Open => Met::OpenRejects,
            _ => Met::ProbesOut,
        });
        self.note(Met::ComesBack, self.retry_at().is_some());
    }

    fn inside(&self, at: Instant) -> Vec<Given> {
        match self.state {
            State::Closed => self.seen.inside(self.plan.span, at),
            State::HalfOpen => self.seen.given.clone(),
            State::Open => [&self.kept[..], &self.seen.given[..]].concat(),
        }
    }

    fn oldest_probe(&self) -> Option<Instant> {
        let out = self.probes.iter().filter(|probe| probe.verdict.is_none());
        out.map(|probe| probe.at).min()
    }

    fn give(&mut self, outcome: Outcome) {
        let at = self.now;
        self.seen.given.push(Given { at, outcome });
        self.note(Met::HalfOpenCounted, self.state == State::HalfOpen);
    }

    fn judge(&mut self, outcome: Outcome) {
        let reason = self.plan.trips_on(&self.counts(self.now));
        match (outcome, reason) {
            (Outcome::Failure { .. }, Some(reason)) => {
                self.met.push(match reason {
                    TripReason::ConsecutiveFailures => Met::TrippedInRow,
                    TripReason::Custom => Met::TrippedByCustom,
                    _ => Met::TrippedByRate,
                });
                self.open(Reason::Tripped(reason));
            }
            (Outcome::Failure { .. }, None) => self.met.push(Met::FailureHeld),
            (Outcome::Success, Some(_)) => self.met.push(Met::SuccessNotAsked),
            (Outcome::Ignored | Outcome::Success, _) => {}
        }
    }

    fn judge_probe(&mut self, probe: usize, outcome: Outcome) {
        self.probes[probe].verdict = Some(outcome);
        let succeeded = |probe: &&Probe| probe.verdict == Some(Outcome::Success);
        if outcome.is_failure() {
            self.met.push(Met::ProbeFailed);
            self.open(Reason::ProbeFailed);
        } else if self.probes.iter().filter(succeeded).count() == self.places {
            self.met.push(Met::ProbesClosed);
            self.close(Reason::ProbesSucceeded);
        }
        self.note(Met::PlaceHandedBack, outcome == Outcome::Ignored);
    }

    fn change_by_time(&mut self) {
        if self.state == State::Open {
            self.half_open();
        } else {
            self.met.push(Met::ProbeOverdue);
            self.give(Outcome::failure());
            self.open(Reason::ProbeOverdue);
        }
    }

    fn open(&mut self, reason: Reason) {
        let openings = &mut self.openings;
        if self.state == State::Closed {
            let healthy = self.now - self.since;
            let forgotten = openings.forget(healthy, self.plan.healthy_span);
            self.note(Met::OpeningForgotten, forgotten > 0);
        }
        let (nth, wait) = self.openings.add(self.now, &self.plan);
        let most = longest(nth, &self.plan);
        self.note(
            Met::OpenedLonger,
            nth > 1 && most > longest(nth - 1, &self.plan),
        );
        self.note(Met::Jittered, wait < most);

        let until = self.now + wait;
        let asked = self.asked.iter().copied().max().unwrap_or(until);
        self.note(Met::PushedBack, asked > until);
        self.met.push(Met::OpenKeptCounts);
        let kept = self.inside(self.now);
        self.enter(State::Open, reason, Some(until.max(asked)));
        self.kept = kept;
    }

    fn half_open(&mut self) {
        self.enter(State::HalfOpen, Reason::OpenElapsed, None);
        self.places = self.plan.probes.into();
    }

    fn close(&mut self, reason: Reason) {
        self.enter(State::Closed, reason, None);
    }

    fn enter(&mut self, to: State, reason: Reason, until: Option<Instant>) {
        let overridden_by = self.word.map(|word| word.forced);
        self.note(Met::ChangedBeneath, overridden_by.is_some());
        self.met.push(Met::GenerationBegan);
        self.changes.push(Change {
            at: self.now,
            evidence: self.counts(self.now),
            from: self.state,
            generation: self.generation + 1,
            overridden_by,
            reason,
            sequence: self.changes.len() as u64 + 1,
            to,
            until,
        });
        self.state = to;
        self.generation += 1;
        self.since = self.now;
        self.seen = Seen::nothing(self.now);
        self.kept.clear();
        self.asked.clear();
        self.probes.clear();
        self.open_until = until;
    }
}
