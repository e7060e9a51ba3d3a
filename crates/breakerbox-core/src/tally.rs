//! Verdicts that were folded into numbers before the circuit hears of them.
//!
//! A message for every verdict costs more than most calls. So callers add their
//! verdicts up, and the circuit takes the sums; it also says how far callers may
//! go on adding failures before it must judge, so that no opening is missed.
//!
//! # Invariants
//!
//! 1. Absorbing a tally and settling its verdicts one by one end in the same
//!    counts.
//! 2. While callers keep to the fuse, no failure that they fold could have
//!    opened the breaker, whatever successes came between.

use std::time::Instant;

/// Verdicts of the living generation since the last tally, added up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Calls that failed.
    pub failures: u64,
    /// Calls that judged nothing.
    pub ignored: u64,
    /// Verdicts on calls of older generations.
    pub late: u64,
    /// How many times the latest verdict has come in a row, this tally and the
    /// ones before it taken together. Nothing: as before.
    pub streak: Streak,
    /// Calls that succeeded.
    pub successes: u64,
}

impl Tally {
    /// Whether there is any verdict in it.
    #[must_use]
    pub const fn has_verdicts(&self) -> bool {
        self.failures + self.ignored + self.late + self.successes > 0
    }
}

/// How many times the latest verdict has come in a row.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Streak {
    /// It is a failure.
    Failures(u64),
    /// There is none.
    #[default]
    Nothing,
    /// It is a success.
    Successes(u64),
}

/// How far callers may fold failures without asking.
///
/// A failing caller asks, instead of folding, if its failure would be the one
/// after `folds`, or the `streak_at`-th in a row, or comes at `until` or later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fuse {
    /// How many failures from now on cannot open the breaker by their number.
    pub folds: u64,
    /// The length of a run of failures at which the breaker may open.
    pub streak_at: Option<u32>,
    /// When verdicts begin to leave the window, which makes this fuse void.
    pub until: Option<Instant>,
}
