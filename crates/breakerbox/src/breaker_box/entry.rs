use std::time::{Duration, Instant};

use breakerbox_core::{BreakerConfig, State};

use crate::Breaker;

/// A breaker in its box.
pub(super) struct Entry {
    /// What had happened to it when somebody last looked.
    activity: u64,
    pub(super) breaker: Breaker,
    /// What it was made with, which may have been changed since.
    pub(super) declared: BreakerConfig,
    /// Since when it has been found idle.
    idle_since: Instant,
}

impl Entry {
    pub(super) fn new(breaker: Breaker, declared: BreakerConfig, now: Instant) -> Self {
        Self {
            activity: breaker.activity(),
            breaker,
            declared,
            idle_since: now,
        }
    }

    /// Looks whether it has been Closed and idle for `span`.
    pub(super) fn has_been_idle(&mut self, span: Duration, now: Instant) -> bool {
        let activity = self.breaker.activity();
        let standing = self.breaker.standing();
        let is_calm = standing.state == State::Closed && standing.forced.is_none();
        if activity != self.activity || !is_calm || !self.breaker.is_sole_handle() {
            self.activity = activity;
            self.idle_since = now;
            return false;
        }
        now.saturating_duration_since(self.idle_since) >= span
    }
}
