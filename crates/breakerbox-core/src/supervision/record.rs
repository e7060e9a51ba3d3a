use std::time::{Duration, Instant};

use super::intensity::Failures;
use super::{ChildPolicy, ChildStatus, Ending, Exit, Incarnation, OnLimit, Phase, Restart};
use crate::Dice;

/// What a supervision knows of one child.
#[derive(Debug)]
pub(super) struct Record {
    /// Failures in a row, each before the child was calm.
    failing: u32,
    failures: Failures,
    policy: ChildPolicy,
    state: State,
    status: ChildStatus,
}

impl Record {
    pub(super) fn new(policy: ChildPolicy, now: Instant) -> Self {
        Self {
            failing: 0,
            failures: Failures::default(),
            policy,
            state: State::Queued,
            status: ChildStatus::new(now),
        }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn status(&self) -> &ChildStatus {
        &self.status
    }

    pub(super) const fn incarnation(&self) -> Incarnation {
        self.status.incarnation
    }

    pub(super) fn is_starting(&self, incarnation: Incarnation) -> bool {
        self.state == State::Starting && self.incarnation() == incarnation
    }

    pub(super) fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.status.phase = state.phase();
        self.status.since = now;
    }

    /// Begins the next incarnation, which is the first where there was none yet.
    pub(super) fn begin(&mut self, now: Instant) -> Incarnation {
        if self.state != State::Queued {
            self.status.incarnation = self.incarnation().next();
            self.status.restarts += 1;
        }
        self.enter(State::Starting, now);
        self.incarnation()
    }

    pub(super) fn failed_to_start(&mut self, exit: Exit) {
        self.status.last_exit = Some(exit);
    }

    /// Notes an exit, charges it, and says whether a restart follows.
    pub(super) fn lost(&mut self, exit: Exit, now: Instant) -> Wanted {
        if self.uptime(now) >= self.policy.calm_after {
            self.failing = 0;
        }
        let another = self.policy.restart.wants_another(&exit);
        self.status.last_exit = Some(exit);
        match self.policy.limit {
            _ if !another => Wanted::No,
            Some((intensity, on_limit)) if self.failures.charge(intensity, now) => {
                Wanted::OverItsLimit(on_limit)
            }
            _ => Wanted::Yes,
        }
    }

    /// How long to wait before the restart, or `None` to begin at once.
    pub(super) fn wait(&mut self, dice: &mut Dice) -> Option<Duration> {
        self.failing = self.failing.saturating_add(1);
        let wait = self.policy.backoff?.wait(self.failing, dice);
        (!wait.is_zero()).then_some(wait)
    }

    /// Notes that it is down, and how, where its end was not already an exit.
    pub(super) fn stopped(&mut self, why: Ending, exit: Exit, now: Instant) {
        if let Ending::Removed | Ending::ShutDown = why {
            self.status.last_exit = Some(exit);
        }
        self.enter(State::Down, now);
    }

    /// Whether it is still shown once it is down.
    pub(super) const fn is_worth_keeping(&self, why: Ending) -> bool {
        match why {
            Ending::Removed | Ending::StartFailed => false,
            Ending::Finished => !matches!(self.policy.restart, Restart::Temporary),
            Ending::GaveUp | Ending::ShutDown => true,
        }
    }

    fn uptime(&self, now: Instant) -> Duration {
        match self.state {
            State::Up => now.saturating_duration_since(self.status.since),
            _ => Duration::ZERO,
        }
    }
}

/// Whether a child is to be restarted after an exit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    No,
    OverItsLimit(OnLimit),
    Yes,
}

/// What a child is doing, with what only that state knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Queued,
    Starting,
    Up,
    BackingOff { until: Instant },
    Stopping(Ending),
    Down,
}

impl State {
    const fn phase(self) -> Phase {
        match self {
            Self::Queued | Self::Starting => Phase::Starting,
            Self::Up => Phase::Up,
            Self::BackingOff { .. } => Phase::BackingOff,
            Self::Stopping(_) => Phase::Stopping,
            Self::Down => Phase::Down,
        }
    }
}
