use std::time::{Duration, Instant};

use super::RestartIntensity;
use super::intensity::Failures;
use crate::span;
use crate::{Backoff, Dice};

/// What to do about a child that failed once more than an intensity bears.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum OnLimit {
    /// Stop all children and let the supervisor's parent decide.
    Escalate,
    /// Wait, then let one restart through: a breaker around restarts.
    ///
    /// The n-th pause in a row lasts as long as the backoff says. If the restart
    /// fails, that is the next pause; once a child was up for its `calm_after`,
    /// the failures are forgotten. A supervisor's own pause holds whoever fails
    /// during it until its end, and then lets one restart of each through.
    Pause(Backoff),
    /// Give up on the child alone; its siblings go on.
    StopChild,
}

/// An intensity, what it has counted, and whether it pauses restarts.
#[derive(Debug)]
pub(super) struct Limit {
    failures: Failures,
    intensity: RestartIntensity,
    on_limit: OnLimit,
    pause: Option<Pause>,
}

impl Limit {
    pub(super) fn new(intensity: RestartIntensity, on_limit: OnLimit) -> Self {
        Self {
            failures: Failures::default(),
            intensity,
            on_limit,
            pause: None,
        }
    }

    pub(super) const fn on_limit(&mut self, on_limit: OnLimit) {
        self.on_limit = on_limit;
    }

    /// Counts a failure and says what it comes to.
    pub(super) fn charge(&mut self, failure: Failure, dice: &mut Dice) -> Verdict {
        self.relax(failure);
        match self.pause {
            Some(pause) if failure.at < pause.until => Verdict::Pause(pause.until - failure.at),
            None if !self.failures.charge(self.intensity, failure.at) => Verdict::Bearable,
            _ => self.exceeded(failure.at, dice),
        }
    }

    /// Forgets the failures of before a pause, if what followed was calm.
    ///
    /// Nobody needs to know earlier, so there is no deadline for it.
    pub(super) fn relax(&mut self, failure: Failure) {
        if self
            .pause
            .is_some_and(|pause| failure.was_calm_since(pause.until))
        {
            self.failures = Failures::default();
            self.pause = None;
        }
    }

    /// A pause that only begins now, once a group is down, ends later.
    pub(super) fn pause_until(&mut self, until: Instant) {
        if let Some(pause) = &mut self.pause {
            pause.until = pause.until.max(until);
        }
    }

    /// A command let a restart through before the end of the pause.
    pub(super) fn end_pause(&mut self, now: Instant) {
        if let Some(pause) = &mut self.pause {
            pause.until = pause.until.min(now);
        }
    }

    fn exceeded(&mut self, at: Instant, dice: &mut Dice) -> Verdict {
        match self.on_limit {
            OnLimit::Escalate => Verdict::Escalate,
            OnLimit::Pause(backoff) => {
                let before = self.pause.map_or(0, |pause| pause.in_a_row);
                let in_a_row = before.saturating_add(1);
                let wait = backoff.wait(in_a_row, dice);
                let until = span::after(at, wait);
                self.pause = Some(Pause { in_a_row, until });
                Verdict::Pause(wait)
            }
            OnLimit::StopChild => Verdict::StopChild,
        }
    }
}

/// When a child failed, and for how long it had been up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) at: Instant,
    pub(super) calm_after: Duration,
    pub(super) uptime: Duration,
}

impl Failure {
    pub(super) fn was_calm(self) -> bool {
        self.uptime >= self.calm_after
    }

    fn was_calm_since(self, instant: Instant) -> bool {
        self.was_calm() && self.at.saturating_duration_since(instant) >= self.calm_after
    }
}

/// What a failure comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Bearable,
    Escalate,
    Pause(Duration),
    StopChild,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    in_a_row: u32,
    until: Instant,
}
