//! Spans of time that can be added to any instant.

use std::time::{Duration, Instant};

/// Passes a span that a configuration may hold: not zero, at most a century.
///
/// The limit is what makes `instant + span` unable to overflow on every
/// platform, so that no decision has to handle it.
pub(crate) const fn checked(span: Duration) -> Duration {
    assert!(!span.is_zero(), "a span of time is longer than zero");
    assert!(
        span.as_secs() <= LONGEST.as_secs(),
        "a span of time is at most 100 years"
    );
    span
}

/// Adds a span from outside, which may be absurd, to an instant.
pub(crate) fn after(instant: Instant, span: Duration) -> Instant {
    instant + span.min(LONGEST)
}

/// The span of so many nanoseconds, which is known to be between two instants.
pub(crate) fn from_nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).expect("no two instants are 500 years apart"))
}

pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
