use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::span;

/// How many restarts are borne within a sliding period.
///
/// One more failure in any such period is too many. It slides, as in OTP
/// (`supervisor.erl`, `add_restart`): a failure counts until it is older than
/// the period, and a quiet spell in between forgives nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RestartIntensity {
    period: Duration,
    restarts: u32,
}

impl RestartIntensity {
    /// At most `restarts` within `period`; zero bears no failure at all.
    ///
    /// # Panics
    ///
    /// If the period is zero or longer than 100 years.
    #[must_use]
    pub const fn new(restarts: u32, period: Duration) -> Self {
        Self {
            period: span::checked(period),
            restarts,
        }
    }

    /// The span in which restarts are counted.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }

    /// The restarts that are borne within the period.
    #[must_use]
    pub const fn restarts(self) -> u32 {
        self.restarts
    }
}

/// The failures that an intensity still counts, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    at: VecDeque<Instant>,
}

impl Failures {
    /// Counts a failure at `now`, and says whether it is one too many.
    pub(super) fn charge(&mut self, intensity: RestartIntensity, now: Instant) -> bool {
        let counts = |at: &Instant| now.saturating_duration_since(*at) <= intensity.period;
        while self.at.front().is_some_and(|at| !counts(at)) {
            self.at.pop_front();
        }
        self.at.push_back(now);
        self.at.len() > intensity.restarts as usize
    }
}
