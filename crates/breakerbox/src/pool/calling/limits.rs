use std::time::Duration;

use breakerbox_core::{Hedge, PoolConfig};
use tokio::time::sleep;

/// What a pool's configuration says about the time of an attempt.
///
/// It is read once for each: a look at the configuration costs more than all of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::pool) struct CallLimits {
    /// How long an attempt may take.
    pub(super) attempt: Option<Duration>,
    /// How long the call may take with all its attempts.
    pub(super) call: Option<Duration>,
    pub(super) hedge: Option<Hedge>,
}

impl CallLimits {
    pub(in crate::pool) const fn of(config: &PoolConfig) -> Self {
        Self {
            attempt: config.of_breakers().limit_of_calls(),
            call: config.limit_of_calls(),
            hedge: config.hedging(),
        }
    }

    /// Panics without timers where an attempt needs some, before any endpoint could be
    /// blamed for it.
    pub(super) fn refuse_runtime_without_timers(&self) {
        if self.attempt.is_some() || self.call.is_some() || self.hedge.is_some() {
            drop(sleep(Duration::ZERO));
        }
    }
}
