use std::time::{Duration, Instant};

use crate::BreakerConfig;

/// The time that a probe has before it counts as a failure, and what it is for.
///
/// The deadline is the other side's. Neither an answer that goes on and on nor an
/// upload that does may use it up: the first has shown what was asked, the second
/// leaves too little of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeTime {
    limit: Duration,
    since: Instant,
}

impl ProbeTime {
    /// Of a probe that was admitted at `since`; None without a probe deadline.
    #[must_use]
    pub fn new(since: Instant, config: &BreakerConfig) -> Option<Self> {
        let limit = config.probe_deadline?;
        Some(Self { limit, since })
    }

    /// When an answer that has begun, and not broken, is a success: halfway.
    #[must_use]
    pub fn answer_counts_at(self) -> Instant {
        self.since + self.limit / 2
    }

    /// When to look how far its upload is: at three quarters.
    #[must_use]
    pub fn upload_due_at(self) -> Instant {
        self.since + self.limit / 4 * 3
    }

    /// Whether too little is left for an answer, if something of the upload was
    /// taken as late as this: in the second half.
    #[must_use]
    pub fn is_spent_by(self, taken: Instant) -> bool {
        taken > self.answer_counts_at()
    }
}
