use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

/// A call was not admitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rejected {
    reason: RejectReason,
    retry_at: Option<Instant>,
}

impl Rejected {
    /// A rejection for `reason`, which may be over at `retry_at`.
    #[must_use]
    pub const fn new(reason: RejectReason, retry_at: Option<Instant>) -> Self {
        Self { reason, retry_at }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RejectReason {
        self.reason
    }

    /// From when on it is worth another try; None where nobody knows.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// How long from `now` until another try is worth it; None where nobody knows.
    ///
    /// It is at least a nanosecond.
    #[must_use]
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        Some(retry_after(self.retry_at?, now))
    }
}

/// Returns how long a caller that is rejected at `now` waits for another try at `at`.
///
/// It is at least a nanosecond: a caller that waits no time is a busy loop.
#[must_use]
pub fn retry_after(at: Instant, now: Instant) -> Duration {
    at.saturating_duration_since(now).max(A_NANOSECOND)
}

impl Error for Rejected {}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            RejectReason::ForcedOpen => "the breaker is forced open",
            RejectReason::HalfOpen => "the breaker is half open and its probes are out",
            RejectReason::InFlight => "too many calls are in flight",
            RejectReason::Open => "the breaker is open",
            RejectReason::Orphaned => "the breaker has lost its owner",
            RejectReason::Ramp => "the breaker has closed and admits a part of the calls",
        })
    }
}

/// Why a call was not admitted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The operator said so.
    ForcedOpen,
    /// All its probes are out or have succeeded.
    HalfOpen,
    /// As many calls are in flight as open it, which is under way.
    InFlight,
    /// It is Open.
    Open,
    /// Its owner kept crashing, and rejecting was what to do then.
    Orphaned,
    /// It has closed a moment ago, and this call was not among those let through.
    Ramp,
}

impl RejectReason {
    /// All reasons, each at the place of its code.
    pub const ALL: [Self; 6] = [
        Self::ForcedOpen,
        Self::HalfOpen,
        Self::InFlight,
        Self::Open,
        Self::Orphaned,
        Self::Ramp,
    ];

    /// A small number for it, from 0 on without a gap.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::ForcedOpen => 0,
            Self::HalfOpen => 1,
            Self::InFlight => 2,
            Self::Open => 3,
            Self::Orphaned => 4,
            Self::Ramp => 5,
        }
    }

    /// The name on the wire, such as `half_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForcedOpen => "forced_open",
            Self::HalfOpen => "half_open",
            Self::InFlight => "in_flight",
            Self::Open => "open",
            Self::Orphaned => "orphaned",
            Self::Ramp => "ramp",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const A_NANOSECOND: Duration = Duration::from_nanos(1);

/// A reason that is in no place of the table, or in a wrong one, does not compile.
const _: () = {
    let mut place = 0;
    while place < RejectReason::ALL.len() {
        assert!(RejectReason::ALL[place].code() as usize == place);
        place += 1;
    }
};
