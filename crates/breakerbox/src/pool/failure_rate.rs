//! How many of an endpoint's recent calls failed, in one word.
//!
//! These are the calls of two spans, the current one and the one before. A span ends
//! after 256 calls, or after ten seconds if there are fewer.
//!
//! An endpoint that looks bad is not asked, and one that is not asked goes on looking
//! bad. So twenty seconds after the last call nothing is known any more, and the next
//! calls find out.

use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::FailureRate;

use crate::moment::Moment;

/// All orderings are relaxed, and nothing is exchanged: the word stands alone, and of
/// two calls that end at once one may go uncounted, which changes no rate by more than
/// chance does.
#[derive(Debug, Default)]
pub(super) struct RecentFailures(AtomicU64);

impl RecentFailures {
    pub(super) fn rate(&self, now: impl Into<Moment>) -> FailureRate {
        match self.0.load(Ordering::Relaxed) {
            0 => FailureRate::UNKNOWN,
            word => Spans(word).at(tick(now)).rate(),
        }
    }

    /// A call worked.
    pub(super) fn record_success(&self, now: impl Into<Moment>) {
        let spans = self.spans_with_room(now);
        self.store((spans.0 + CALL) & !IN_A_ROW);
    }

    /// A call failed.
    pub(super) fn record_failure(&self, now: impl Into<Moment>) {
        let spans = self.spans_with_room(now);
        let row = if spans.0 & IN_A_ROW == IN_A_ROW {
            0
        } else {
            ONE_IN_A_ROW
        };
        self.store(spans.0 + CALL + FAILURE + row);
    }

    /// What has been seen says nothing about what is to come.
    pub(super) fn forget(&self) {
        self.store(0);
    }

    fn spans_with_room(&self, now: impl Into<Moment>) -> Spans {
        Spans(self.0.load(Ordering::Relaxed)).with_room(tick(now))
    }

    fn store(&self, word: u64) {
        self.0.store(word, Ordering::Relaxed);
    }
}

/// `began:24 in_a_row:4 failures:9 calls:9 failures:9 calls:9`: when the current span
/// began, in units of about 134 ms (wraps after 26 days), how many failures came last,
/// what was counted in the span before, and in the current one.
#[derive(Clone, Copy, Debug)]
struct Spans(u64);

impl Spans {
    /// Without the spans that are over at a tick.
    fn at(self, now: u64) -> Self {
        match self.age(now) / SPAN {
            0 => self,
            1 => self.followed(now),
            _ => Self(now << BEGAN),
        }
    }

    /// The same, with room for one more call.
    fn with_room(self, now: u64) -> Self {
        let spans = self.at(now);
        if spans.0 & COUNT == CALLS {
            spans.followed(now)
        } else {
            spans
        }
    }

    /// The current span becomes the one before.
    fn followed(self, now: u64) -> Self {
        let current = self.0 & ((1 << SPAN_BITS) - 1);
        Self(now << BEGAN | self.0 & IN_A_ROW | current << SPAN_BITS)
    }

    fn age(self, now: u64) -> u64 {
        let age = now.wrapping_sub(self.0 >> BEGAN) & TICKS;
        // Another thread may have read the clock later, and have been here before.
        if age > TICKS - SPAN { 0 } else { age }
    }

    fn rate(self) -> FailureRate {
        let count = |place: u32| (self.0 >> place & COUNT) as u32;
        let calls = count(0) + count(SPAN_BITS);
        let failures = count(COUNT_BITS) + count(SPAN_BITS + COUNT_BITS);
        let in_a_row = (self.0 & IN_A_ROW) / ONE_IN_A_ROW;
        FailureRate::of(failures, calls).in_a_row(in_a_row as u32)
    }
}

fn tick(now: impl Into<Moment>) -> u64 {
    now.into().number() >> 27 & TICKS
}

const COUNT_BITS: u32 = 9;
const SPAN_BITS: u32 = 2 * COUNT_BITS;
const BEGAN: u32 = 40;

const COUNT: u64 = (1 << COUNT_BITS) - 1;
const TICKS: u64 = u64::MAX >> BEGAN;

const CALL: u64 = 1;
const FAILURE: u64 = 1 << COUNT_BITS;
const ONE_IN_A_ROW: u64 = 1 << (2 * SPAN_BITS);
const IN_A_ROW: u64 = 0xF * ONE_IN_A_ROW;

/// In one span.
const CALLS: u64 = 256;

/// In ticks: about ten seconds.
const SPAN: u64 = 75;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The failures and calls that are known after so many calls, of which some failed.
    fn known(recent: &RecentFailures, now: Instant) -> (u32, u32) {
        let rate = recent.rate(now);
        (rate.failures(), rate.calls())
    }

    #[test]
    fn r63_a_rate_is_that_of_the_last_hundreds_of_calls() {
        let (now, recent) = (Instant::now(), RecentFailures::default());
        assert_eq!(known(&recent, now), (0, 0));
        for call in 0..10_000 {
            match call % 5 {
                0 => recent.record_failure(now),
                _ => recent.record_success(now),
            }
            let (failures, calls) = known(&recent, now);
            assert!((failures * 5).abs_diff(calls) <= 9, "{failures} of {calls}");
            let least = 256.min(call + 1);
            assert!((least..=512).contains(&calls), "{calls} after {call}");
        }
        for _ in 0..512 {
            recent.record_success(now);
        }
        assert_eq!(known(&recent, now).0, 0, "they are too many calls ago");
    }

    #[test]
    fn r63_what_failed_is_forgotten_after_a_while() {
        let (now, recent) = (Instant::now(), RecentFailures::default());
        recent.record_failure(now);
        recent.record_success(now + 9 * SECOND);
        for (after, known_then) in [(9, (1, 2)), (11, (1, 2)), (19, (1, 2)), (21, (0, 0))] {
            assert_eq!(
                known(&recent, now + after * SECOND),
                known_then,
                "{after} s"
            );
        }
        recent.record_success(now + 11 * SECOND);
        assert_eq!(known(&recent, now + 11 * SECOND), (1, 3));
        assert_eq!(known(&recent, now + 22 * SECOND), (0, 1));
        recent.record_failure(now + 60 * SECOND);
        assert_eq!(known(&recent, now + 60 * SECOND), (1, 1));
        recent.forget();
        assert_eq!(known(&recent, now + 60 * SECOND), (0, 0));
    }

    #[test]
    fn r63_what_failed_weeks_ago_is_forgotten() {
        let (now, recent) = (Instant::now(), RecentFailures::default());
        recent.record_failure(now);
        for days in 1..26 {
            let later = now + days * 24 * 3_600 * SECOND;
            assert_eq!(known(&recent, later), (0, 0), "{days} days later");
        }
    }

    #[test]
    fn r63_failures_in_a_row_are_counted_up_to_fifteen() {
        let (now, recent) = (Instant::now(), RecentFailures::default());
        for failures in 1..1_000 {
            recent.record_failure(now);
            let rate = recent.rate(now);
            let known = FailureRate::of(rate.failures(), rate.calls());
            assert_eq!(rate, known.in_a_row(failures.min(15)));
        }
        recent.record_success(now);
        let rate = recent.rate(now);
        assert_eq!(rate, FailureRate::of(rate.failures(), rate.calls()));
    }

    #[test]
    fn r63_a_thread_that_read_the_clock_before_forgets_nothing() {
        let (now, recent) = (Instant::now(), RecentFailures::default());
        recent.record_failure(now + SECOND);
        recent.record_failure(now);
        assert_eq!(known(&recent, now), (2, 2));
    }
}
