use std::fmt;
use std::time::Instant;

use crate::{Counts, Forced, Generation, State, TripReason};

/// One change of a breaker's state, and what it rests on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// When it was due, which for a change by the clock is its deadline.
    pub at: Instant,
    /// The verdicts in the window at that moment.
    pub evidence: Counts,
    /// The state that ended.
    pub from: State,
    /// The generation that begins.
    pub generation: Generation,
    /// The override it happened beneath; then it changed no admission.
    pub overridden_by: Option<Forced>,
    /// Why.
    pub reason: Reason,
    /// Counted from 1 and without gaps over the life of the breaker.
    pub sequence: u64,
    /// The state that begins.
    pub to: State,
    /// Until when the breaker stays Open, if it opened.
    pub until: Option<Instant>,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// It had been Open for its time.
    OpenElapsed,
    /// A probe failed.
    ProbeFailed,
    /// A probe was not settled by its deadline.
    ProbeOverdue,
    /// A probe worked but took long, and the trip policy watches that.
    ProbeSlow,
    /// All probes succeeded.
    ProbesSucceeded,
    /// The operator said so.
    Reset,
    /// Its trip policy said so.
    Tripped(TripReason),
}

impl Reason {
    /// Returns whether failures are the evidence for it.
    #[must_use]
    pub const fn is_by_failure(self) -> bool {
        match self {
            Self::ProbeFailed => true,
            Self::Tripped(trip) => !matches!(trip, TripReason::InFlight | TripReason::SlowRate),
            Self::OpenElapsed
            | Self::ProbeOverdue
            | Self::ProbeSlow
            | Self::ProbesSucceeded
            | Self::Reset => false,
        }
    }

    /// The name on the wire, such as `probe_failed` or `consecutive_failures`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenElapsed => "open_elapsed",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeOverdue => "probe_overdue",
            Self::ProbeSlow => "probe_slow",
            Self::ProbesSucceeded => "probes_succeeded",
            Self::Reset => "reset",
            Self::Tripped(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
