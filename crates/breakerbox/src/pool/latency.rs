//! How long an endpoint's calls take of late, in one word.
//!
//! It is a peak-sensitive average (as Finagle's `PeakEwma`): a slow call counts
//! at once, faster ones bring it down bit by bit, and time alone does too, or an
//! endpoint that was slow once would never be asked again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::moment::Moment;

/// `latency:32 at:32`, in units of 128 ns (up to nine minutes) and of about a
/// millisecond (wraps after seven weeks, when it does not matter any more).
///
/// All orderings are relaxed: an estimate stands alone.
#[derive(Debug)]
pub(super) struct Latency(AtomicU64);

impl Latency {
    pub(super) fn new(now: Instant) -> Self {
        Self(AtomicU64::new(pack(nanos(SEED), tick(now))))
    }

    /// In nanoseconds, as of now.
    pub(super) fn estimate(&self, now: Instant) -> u64 {
        let (latency, at) = unpack(self.0.load(Ordering::Relaxed));
        halve(latency, tick(now).wrapping_sub(at))
    }

    /// A call took so long.
    pub(super) fn observe(&self, took: Duration, now: Instant) {
        self.update(now, |old, ticks| {
            let took = nanos(took);
            let kept = halve(old, ticks);
            // Of the difference as much goes as time has passed, but a sixteenth
            // at least, so that a burst of calls counts too.
            let gone = (old - kept).max(old / 16);
            let eased = old.saturating_sub(gone);
            if took >= old { took } else { eased.max(took) }
        });
    }

    /// A call takes so long already, or came to nothing.
    pub(super) fn at_least(&self, took: Duration, now: Instant) {
        self.update(now, |old, ticks| halve(old, ticks).max(nanos(took)));
    }

    fn update(&self, now: Instant, next: impl Fn(u64, u32) -> u64) {
        let now = tick(now);
        // Always `Some`, so it never fails.
        let _updated = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let (old, at) = unpack(word);
                Some(pack(next(old, now.wrapping_sub(at)), now))
            });
    }
}

/// Halves for each seven seconds: 2^-x by whole steps and a straight line between.
fn halve(latency: u64, ticks: u32) -> u64 {
    let (halvings, rest) = (ticks / HALF_LIFE, u64::from(ticks % HALF_LIFE));
    let whole = latency.checked_shr(halvings).unwrap_or(0);
    whole - whole * rest / (2 * u64::from(HALF_LIFE))
}

fn tick(now: Instant) -> u32 {
    (Moment::bits(Some(Moment::of(now))) >> 20) as u32
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn pack(latency: u64, at: u32) -> u64 {
    (latency >> 7).min(u64::from(u32::MAX)) << 32 | u64::from(at)
}

fn unpack(word: u64) -> (u64, u32) {
    ((word >> 32) << 7, word as u32)
}

/// What is expected of an endpoint that nobody has asked (linkerd's `default_rtt`).
const SEED: Duration = Duration::from_millis(30);

/// In ticks: about seven seconds.
const HALF_LIFE: u32 = 6_676;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn r51_a_slow_call_counts_at_once_and_fades() {
        let now = Instant::now();
        let latency = Latency::new(now);
        latency.observe(SECOND, now);
        let estimate = |after| Duration::from_nanos(latency.estimate(now + after));
        assert!(estimate(Duration::ZERO) > Duration::from_millis(999));
        let half = Duration::from_millis(490)..Duration::from_millis(510);
        assert!(
            half.contains(&estimate(7 * SECOND)),
            "{:?}",
            estimate(7 * SECOND)
        );
        assert!(estimate(70 * SECOND) < Duration::from_millis(2));
        assert_eq!(estimate(10_000 * SECOND), Duration::ZERO);
    }

    #[test]
    fn r51_faster_calls_bring_it_down_bit_by_bit() {
        let now = Instant::now();
        let latency = Latency::new(now);
        latency.observe(SECOND, now);
        latency.observe(SECOND / 100, now);
        assert!(Duration::from_nanos(latency.estimate(now)) > 9 * SECOND / 10);
        for _ in 0..100 {
            latency.observe(SECOND / 100, now);
        }
        let settled = Duration::from_nanos(latency.estimate(now));
        assert!(
            settled > SECOND / 101 && settled < SECOND / 90,
            "{settled:?}"
        );
    }

    #[test]
    fn r51_a_failure_never_makes_an_endpoint_look_fast() {
        let now = Instant::now();
        let latency = Latency::new(now);
        latency.observe(SECOND, now);
        latency.at_least(Duration::ZERO, now);
        assert!(Duration::from_nanos(latency.estimate(now)) > 9 * SECOND / 10);
    }
}
