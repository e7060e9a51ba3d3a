use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Abandoned, BreakerConfig, Outcome, Pace};

use crate::clock;

/// What callers must know of the configuration.
///
/// Each value stands alone, so all orderings here are relaxed: a call that
/// begins while the configuration changes goes by the old one or the new one.
#[derive(Debug, Default)]
pub(in crate::breaker) struct PublishedConfig {
    /// 0: ignored, 1: failure, otherwise 2 and the limit in nanoseconds.
    abandoned: AtomicU64,
    /// In nanoseconds; 0 for none.
    call_timeout: AtomicU64,
    /// In nanoseconds; 0 for never.
    slow_after: AtomicU64,
    /// Whether it matters how long calls take. Only then do they read a clock.
    timed: AtomicBool,
}

impl PublishedConfig {
    pub(in crate::breaker) fn new(config: &BreakerConfig) -> Self {
        let published = Self::default();
        published.publish(config);
        published
    }

    pub(in crate::breaker) fn publish(&self, config: &BreakerConfig) {
        let abandoned = encode(config.on_abandoned());
        let slow_after = config.slowness().map_or(0, nanos);
        self.abandoned.store(abandoned, Ordering::Relaxed);
        self.call_timeout
            .store(config.limit_of_calls().map_or(0, nanos), Ordering::Relaxed);
        self.slow_after.store(slow_after, Ordering::Relaxed);
        self.timed.store(config.is_timed(), Ordering::Relaxed);
    }

    /// Whether it matters when a call begins.
    #[inline]
    pub(in crate::breaker) fn is_timed(&self) -> bool {
        self.timed.load(Ordering::Relaxed)
    }

    /// When a call that begins now began, if it matters.
    pub(in crate::breaker) fn begin(&self) -> Option<Instant> {
        self.is_timed().then(clock::now)
    }

    /// How long a call may take, if there is a limit.
    #[inline]
    pub(in crate::breaker) fn call_timeout(&self) -> Option<Duration> {
        let limit = self.call_timeout.load(Ordering::Relaxed);
        (limit > 0).then(|| Duration::from_nanos(limit))
    }

    /// The verdict on a call that began at `since` and is dropped now.
    pub(in crate::breaker) fn abandoned(&self, since: Option<Instant>) -> Outcome {
        let abandoned = decode(self.abandoned.load(Ordering::Relaxed));
        abandoned.outcome(since.map_or(Duration::ZERO, elapsed))
    }

    /// Whether it makes no difference by now that a call began at `since`.
    pub(in crate::breaker) fn are_kept(&self, since: Instant) -> bool {
        let in_time = self.abandoned(Some(since)) == self.abandoned(None);
        in_time && self.pace(since) == Pace::Fast
    }

    /// Whether a call that began at `since` and ends now was slow.
    pub(in crate::breaker) fn pace(&self, since: Instant) -> Pace {
        let slow_after = self.slow_after.load(Ordering::Relaxed);
        let is_slow = slow_after > 0 && elapsed(since) >= Duration::from_nanos(slow_after);
        if is_slow { Pace::Slow } else { Pace::Fast }
    }
}

fn elapsed(since: Instant) -> Duration {
    clock::now().saturating_duration_since(since)
}

fn encode(abandoned: Abandoned) -> u64 {
    match abandoned {
        Abandoned::Ignored => 0,
        Abandoned::Failure => 1,
        Abandoned::FailureAfter(limit) => nanos(limit).saturating_add(2),
    }
}

fn decode(word: u64) -> Abandoned {
    match word {
        0 => Abandoned::Ignored,
        1 => Abandoned::Failure,
        limit => Abandoned::FailureAfter(Duration::from_nanos(limit - 2)),
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
