use std::fmt;

use crate::{Outcome, Pace, Streak, Tally};

/// The verdicts inside a breaker's window.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Failures since the last success that are still inside the window.
    pub consecutive_failures: u64,
    /// Successes since the last failure that are still inside the window.
    pub consecutive_successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that judged nothing; they are in no rate and break no streak.
    pub ignored: u64,
    /// Calls that took long, among those that succeeded and that failed.
    pub slow: u64,
    /// Calls that succeeded.
    pub successes: u64,
}

impl Counts {
    /// Successes and failures: what a rate is a rate of.
    #[must_use]
    pub const fn judged(&self) -> u64 {
        self.successes + self.failures
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed of {}", self.failures, self.judged())?;
        if self.consecutive_failures > 1 {
            write!(f, ", {} in a row", self.consecutive_failures)?;
        }
        if self.slow > 0 {
            write!(f, ", {} slow", self.slow)?;
        }
        Ok(())
    }
}

/// Verdicts added up, without their order.
///
/// A breaker's lifetime totals are such sums. What came late is in none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sums {
    /// Calls that failed.
    pub failures: u64,
    /// Calls that judged nothing.
    pub ignored: u64,
    /// Calls that took long, among those that succeeded and that failed.
    pub slow: u64,
    /// Calls that succeeded.
    pub successes: u64,
}

impl Sums {
    pub(crate) fn failures(failures: u64) -> Self {
        Self {
            failures,
            ..Self::default()
        }
    }

    pub(crate) fn folded(tally: &Tally) -> Self {
        Self {
            failures: tally.failures,
            ignored: tally.ignored,
            slow: 0,
            successes: tally.successes,
        }
    }

    pub(crate) fn of(outcome: Outcome, pace: Pace) -> Self {
        let mut sums = Self::default();
        if pace == Pace::Slow && outcome != Outcome::Ignored {
            sums.slow = 1;
        }
        match outcome {
            Outcome::Failure { .. } => sums.failures = 1,
            Outcome::Ignored => sums.ignored = 1,
            Outcome::Success => sums.successes = 1,
        }
        sums
    }

    pub(crate) fn merge(&mut self, more: Self) {
        self.failures += more.failures;
        self.ignored += more.ignored;
        self.slow += more.slow;
        self.successes += more.successes;
    }

    pub(crate) fn subtract(&mut self, gone: Self) {
        self.failures -= gone.failures;
        self.ignored -= gone.ignored;
        self.slow -= gone.slow;
        self.successes -= gone.successes;
    }
}

impl Streak {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        *self = match (outcome, *self) {
            (Outcome::Failure { .. }, Self::Failures(length)) => Self::Failures(length + 1),
            (Outcome::Failure { .. }, _) => Self::Failures(1),
            (Outcome::Success, Self::Successes(length)) => Self::Successes(length + 1),
            (Outcome::Success, _) => Self::Successes(1),
            (Outcome::Ignored, unbroken) => unbroken,
        };
    }

    /// The counts of a window that holds `sums`.
    ///
    /// The streak's verdicts and the window's are both the newest ones, so of a
    /// streak longer than the window exactly the window's are inside.
    pub(crate) fn within(self, sums: Sums) -> Counts {
        let Sums {
            failures,
            ignored,
            slow,
            successes,
        } = sums;
        let (consecutive_failures, consecutive_successes) = match self {
            Self::Failures(length) => (length.min(failures), 0),
            Self::Nothing => (0, 0),
            Self::Successes(length) => (0, length.min(successes)),
        };
        Counts {
            consecutive_failures,
            consecutive_successes,
            failures,
            ignored,
            slow,
            successes,
        }
    }
}
