use std::time::{Duration, Instant};

use super::limit::{Failure, Limit, Verdict};
use super::plan::Place;
use super::policy::Significance;
use super::state::{State, Wait};
use super::{ChildPolicy, ChildStatus, Ending, Exit, Incarnation, Restart, work};
use crate::Dice;

/// What a supervision knows of one child.
#[derive(Debug)]
pub(super) struct Record {
    /// Failures in a row, each before the child was calm.
    failing: u32,
    limit: Option<Limit>,
    past: Past,
    /// Where it stands with the plan.
    place: Option<Place>,
    policy: ChildPolicy,
    state: State,
    status: ChildStatus,
}

impl Record {
    pub(super) fn new(policy: ChildPolicy, now: Instant) -> Self {
        let limit = policy.limit;
        Self {
            failing: 0,
            limit: limit.map(|(intensity, on_limit)| Limit::new(intensity, on_limit)),
            past: Past::Nothing,
            place: None,
            policy,
            state: State::Queued,
            status: ChildStatus::new(now),
        }
    }

    pub(super) fn state(&self) -> State {
        work::count();
        self.state
    }

    pub(super) const fn place(&self) -> Option<Place> {
        self.place
    }

    pub(super) const fn move_to(&mut self, place: Option<Place>) {
        self.place = place;
    }

    pub(super) const fn status(&self) -> &ChildStatus {
        &self.status
    }

    pub(super) const fn incarnation(&self) -> Incarnation {
        self.status.incarnation
    }

    pub(super) fn is_starting(&self, incarnation: Incarnation) -> bool {
        self.state() == State::Starting && self.incarnation() == incarnation
    }

    pub(super) fn is_significant(&self) -> bool {
        self.policy.significance == Significance::Significant
    }

    /// Returns whether it is significant, and neither down nor about to be.
    pub(super) fn stays_significant(&self) -> bool {
        self.is_significant() && !self.state().is_leaving()
    }

    /// Returns whether nobody has to wait for its end.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.state(), State::Down(_) | State::Stuck(_))
    }

    /// Returns whether it is forgotten once nothing of it is left.
    pub(super) fn is_about_to_be_forgotten(&self) -> bool {
        matches!(self.state(), State::Stuck(why) if !self.is_worth_keeping(why))
    }

    /// Whether it stops beside its neighbours.
    pub(super) const fn shares_its_end(&self) -> bool {
        self.policy.is_side_by_side
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.policy.restart == Restart::Temporary
    }

    pub(super) fn was_never_up(&self) -> bool {
        self.past != Past::Up
    }

    pub(super) fn wants_another(&self, exit: &Exit) -> bool {
        self.policy.wants_another(exit)
    }

    pub(super) fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.status.phase = state.phase();
        self.status.since = now;
    }

    /// Begins the next incarnation, which is the first where there was none yet.
    pub(super) fn begin(&mut self, now: Instant) -> Incarnation {
        if self.past == Past::Nothing {
            self.past = Past::Begun;
        } else {
            self.status.incarnation = self.incarnation().next();
            self.status.restarts += 1;
        }
        self.enter(State::Starting, now);
        self.incarnation()
    }

    pub(super) fn came_up(&mut self, now: Instant) {
        self.past = Past::Up;
        self.enter(State::Up, now);
    }

    pub(super) fn note(&mut self, exit: Exit) {
        self.status.last_exit = Some(exit);
    }

    /// Charges a failure to its own limit, and returns it for that of all.
    pub(super) fn charge(&mut self, dice: &mut Dice, now: Instant) -> (Failure, Verdict) {
        let failure = self.relax(now);
        let limit = self.limit.as_mut();
        let verdict = limit.map_or(Verdict::Bearable, |limit| limit.charge(failure, dice));
        (failure, verdict)
    }

    /// How long to wait before the restart after a failure that is borne.
    pub(super) fn wait(&mut self, dice: &mut Dice) -> Wait {
        self.failing = self.failing.saturating_add(1);
        let backoff = self.policy.backoff;
        match backoff.map(|backoff| backoff.wait(self.failing, dice)) {
            Some(wait) if !wait.is_zero() => Wait::Backoff(wait),
            _ => Wait::None,
        }
    }

    pub(super) fn pause_until(&mut self, until: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.pause_until(until);
        }
    }

    pub(super) fn end_pause(&mut self, now: Instant) {
        if let Some(limit) = &mut self.limit {
            limit.end_pause(now);
        }
    }

    /// Notes that it has stopped, and how, where its end was not already an exit.
    pub(super) fn stopped(&mut self, why: Ending, exit: Exit, then: State, now: Instant) {
        if let Ending::Removed | Ending::ShutDown | Ending::Stopped = why {
            self.note(exit);
        }
        self.enter(then, now);
    }

    /// Whether it is still shown once it is down.
    pub(super) const fn is_worth_keeping(&self, why: Ending) -> bool {
        match why {
            Ending::Removed | Ending::StartFailed => false,
            Ending::Finished => !matches!(self.policy.restart, Restart::Temporary),
            Ending::GaveUp | Ending::ShutDown | Ending::Stopped => true,
        }
    }

    /// Forgets earlier failures, if it has been up for long enough.
    ///
    /// To be called before it leaves [`State::Up`], for whatever reason.
    pub(super) fn relax(&mut self, now: Instant) -> Failure {
        let failure = Failure {
            at: now,
            calm_after: self.policy.calm_after,
            uptime: self.uptime(now),
        };
        if failure.was_calm() {
            self.failing = 0;
        }
        if let Some(limit) = &mut self.limit {
            limit.relax(failure);
        }
        failure
    }

    fn uptime(&self, now: Instant) -> Duration {
        match self.state() {
            State::Up => now.saturating_duration_since(self.status.since),
            _ => Duration::ZERO,
        }
    }
}

/// How far a child has ever come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Past {
    Nothing,
    Begun,
    Up,
}
