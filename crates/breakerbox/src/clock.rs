//! The one clock of the process: tokio's, so that a test can pause it.

use std::time::{Duration, Instant};

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The instant after a span from outside, which may be as good as endless.
pub(crate) fn after(span: Duration) -> Instant {
    now() + span.min(LONGEST)
}

/// Instants can be this far away everywhere: 100 years.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
