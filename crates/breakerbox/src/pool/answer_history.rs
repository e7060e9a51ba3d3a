//! Whether an endpoint answers, be it that it fails.
//!
//! A breaker opens in the same way for a server that is gone and for a page that
//! always fails. What tells them apart is whether there was an answer at all, so that
//! is kept of the latest calls.

use std::sync::atomic::{AtomicU64, Ordering};

/// Which of an endpoint's latest calls had an answer, in one word.
///
/// `calls:54 silent:10`: how many calls are kept, and a bit for each of them, the latest
/// one lowest: whether it had no answer. Successes are kept only beside silent calls, so
/// an endpoint that is well costs a look. All orderings are relaxed: it stands alone.
#[derive(Debug, Default)]
pub(super) struct AnswerHistory(AtomicU64);

impl AnswerHistory {
    /// Records an answer that says that the endpoint failed.
    pub(super) fn record_error(&self) {
        self.push(0);
    }

    /// Records a call without an answer: it was refused, broke off, or took too long.
    pub(super) fn record_silence(&self) {
        self.push(1);
    }

    /// Records that the endpoint did its job.
    pub(super) fn record_success(&self) {
        if self.0.load(Ordering::Relaxed) & SILENT != 0 {
            self.push(0);
        }
    }

    /// Returns whether the endpoint failed by answers, but for a fifth of its latest
    /// calls at most: a connection breaks now and then beside any number of answers.
    pub(super) fn fails_by_answers(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let silent = u64::from((word & SILENT).count_ones());
        let calls = word >> KEPT;
        calls > 0 && 5 * silent <= calls
    }

    fn push(&self, bit: u64) {
        let next = |word: u64| {
            let calls = ((word >> KEPT) + 1).min(KEPT);
            calls << KEPT | (word << 1 | bit) & SILENT
        };
        // Always `Some`, so it never fails.
        let _updated = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                Some(next(word))
            });
    }
}

/// How many calls are kept.
const KEPT: u64 = 10;

const SILENT: u64 = (1 << KEPT) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r62_a_fifth_of_the_calls_may_be_silent_beside_answers() {
        for (calls, expected) in [
            ("", false),
            ("e", true),
            ("s", false),
            ("ee", true),
            ("ss", false),
            ("seee", false),
            ("seeee", true),
            ("eeees", true),
            ("eeeess", false),
            ("eeeeeeeess", true),
            ("eeeeeeesss", false),
            ("sssssssssseeeeeeeeee", true),
            ("eeeeeeeeeesss", false),
            ("sesesesese", false),
            ("ssssssssssooeeeee", false),
            ("ssssssssssooooooooooeeeee", true),
        ] {
            let history = AnswerHistory::default();
            for call in calls.chars() {
                match call {
                    'e' => history.record_error(),
                    's' => history.record_silence(),
                    _ => history.record_success(),
                }
            }
            assert_eq!(history.fails_by_answers(), expected, "{calls:?}");
        }
    }

    #[test]
    fn r62_an_endpoint_that_is_well_does_not_fail_at_all() {
        let history = AnswerHistory::default();
        history.record_success();
        assert!(!history.fails_by_answers());
    }
}
