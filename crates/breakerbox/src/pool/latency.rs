//! How long an endpoint's calls take of late, in one word.
//!
//! It is a peak-sensitive average (as Finagle's `PeakEwma`): a slow call counts
//! at once, faster ones bring it down bit by bit, and so does time alone.
//!
//! Who looks slow is not asked, and who is not asked goes on looking slow: of two
//! endpoints one would serve a minute for a failure of the other. So an estimate
//! that no call has borne out for a while counts for nothing, and the next call
//! begins a new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::moment::Moment;

/// `latency:32 at:32`, in units of 128 ns (up to nine minutes) and of about a
/// millisecond (wraps after seven weeks). A latency of 0 is unknown.
///
/// All orderings are relaxed: an estimate stands alone.
#[derive(Debug, Default)]
pub(super) struct Latency(AtomicU64);

impl Latency {
    /// In nanoseconds, as of now; None if no call has told.
    pub(super) fn estimate(&self, now: impl Into<Moment>) -> Option<u64> {
        let (latency, age) = self.read(now);
        (latency > 0).then(|| halve(latency, age))
    }

    /// The same, but also None if the latest call was too long ago.
    pub(super) fn recent(&self, now: impl Into<Moment>) -> Option<u64> {
        let (latency, age) = self.read(now);
        (latency > 0 && age < RECENT).then(|| halve(latency, age))
    }

    /// A call took so long.
    pub(super) fn observe(&self, took: Duration, now: impl Into<Moment>) {
        let took = nanos(took);
        self.update(now, |old, age| {
            if took >= old || age >= RECENT {
                return took;
            }
            // Of the difference as much goes as time has passed, but a sixteenth
            // at least, so that a burst of calls counts too.
            let gone = (old - halve(old, age)).max(old / 16);
            (old - gone).max(took)
        });
    }

    /// A call came to nothing after so long.
    pub(super) fn penalize(&self, took: Duration, now: impl Into<Moment>) {
        self.update(now, |old, age| halve(old, age).max(nanos(took)));
    }

    /// A call would have taken at least so long. By itself that tells nothing.
    pub(super) fn at_least(&self, took: Duration, now: impl Into<Moment>) {
        let now = now.into();
        if self.estimate(now).is_some() {
            self.penalize(took, now);
        }
    }

    /// What has been seen says nothing about what is to come.
    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn read(&self, now: impl Into<Moment>) -> (u64, u32) {
        unpack(self.0.load(Ordering::Relaxed), tick(now))
    }

    fn update(&self, now: impl Into<Moment>, next: impl Fn(u64, u32) -> u64) {
        let now = tick(now);
        // Always `Some`, so it never fails.
        let _updated = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let (old, age) = unpack(word, now);
                Some(pack(next(old, age), now))
            });
    }
}

/// Halves for each seven seconds: 2^-x by whole steps and a straight line between.
fn halve(latency: u64, age: u32) -> u64 {
    let (halvings, rest) = (age / HALF_LIFE, u64::from(age % HALF_LIFE));
    let whole = latency.checked_shr(halvings).unwrap_or(0);
    whole - whole * rest / (2 * u64::from(HALF_LIFE))
}

fn tick(now: impl Into<Moment>) -> u32 {
    (now.into().number() >> 20) as u32
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn pack(latency: u64, at: u32) -> u64 {
    (latency >> 7).clamp(1, u64::from(u32::MAX)) << 32 | u64::from(at)
}

/// The latency and how old it is, in ticks.
fn unpack(word: u64, now: u32) -> (u64, u32) {
    let age = now.wrapping_sub(word as u32);
    // Another thread may have read the clock later, and have been here before.
    let age = if age > u32::MAX - RECENT { 0 } else { age };
    ((word >> 32) << 7, age)
}

/// In ticks: about seven seconds.
const HALF_LIFE: u32 = 6_676;

/// In ticks: about ten seconds, as long as what comes back has to hold.
const RECENT: u32 = 9_537;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn r51_a_latency_of_weeks_ago_counts_for_nothing() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.observe(SECOND, now);
        for days in 1..50 {
            let later = now + days * 24 * 3_600 * SECOND;
            assert_eq!(latency.recent(later), None, "{days} days later");
        }
    }

    fn estimate(latency: &Latency, now: Instant) -> Duration {
        Duration::from_nanos(latency.estimate(now).unwrap())
    }

    #[test]
    fn r51_a_slow_call_counts_at_once_and_fades() {
        let (now, latency) = (Instant::now(), Latency::default());
        assert_eq!(latency.estimate(now), None);
        latency.observe(SECOND, now);
        assert!(estimate(&latency, now) > Duration::from_millis(999));
        let half = estimate(&latency, now + 7 * SECOND).as_millis();
        assert!((490..510).contains(&half), "{half} ms");
        assert!(estimate(&latency, now + 70 * SECOND) < Duration::from_millis(2));
        assert!(estimate(&latency, now + 10_000 * SECOND).is_zero());
    }

    #[test]
    fn r51_faster_calls_bring_it_down_bit_by_bit() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.observe(SECOND, now);
        latency.observe(SECOND / 100, now);
        assert!(estimate(&latency, now) > 9 * SECOND / 10);
        for _ in 0..100 {
            latency.observe(SECOND / 100, now);
        }
        let settled = estimate(&latency, now);
        assert!(
            settled > SECOND / 101 && settled < SECOND / 90,
            "{settled:?}"
        );
    }

    #[test]
    fn r51_a_failure_never_makes_an_endpoint_look_fast() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.observe(SECOND, now);
        latency.penalize(Duration::ZERO, now);
        assert!(estimate(&latency, now) > 9 * SECOND / 10);
    }

    #[test]
    fn r51_a_call_that_was_given_up_at_once_says_nothing() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.at_least(Duration::ZERO, now);
        assert_eq!(latency.estimate(now), None);
    }

    #[test]
    fn r51_what_no_call_has_borne_out_for_a_while_counts_for_nothing() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.observe(SECOND, now);
        assert!(latency.recent(now + 9 * SECOND).is_some());
        assert_eq!(latency.recent(now + 11 * SECOND), None);
        latency.observe(SECOND / 100, now + 11 * SECOND);
        assert!(estimate(&latency, now + 11 * SECOND) <= SECOND / 100);
    }

    #[test]
    fn r51_a_thread_that_read_the_clock_before_is_no_ages_late() {
        let (now, latency) = (Instant::now(), Latency::default());
        latency.observe(SECOND, now + SECOND / 100);
        assert!(estimate(&latency, now) > 9 * SECOND / 10);
        latency.observe(SECOND / 100, now);
        assert!(estimate(&latency, now) > 9 * SECOND / 10);
    }
}
