//! Whether an endpoint answers, be it that it fails.
//!
//! A breaker opens in the same way for a server that is gone and for a page that
//! always fails. What tells them apart is whether there was an answer at all, so that
//! is kept of the latest calls.

use std::sync::atomic::{AtomicU64, Ordering};

/// How an endpoint's latest calls failed, in one word.
///
/// `answered:32 silent:32`, of which ten bits each are used: one for each of the latest
/// calls, the last one lowest. All orderings are relaxed: it stands alone.
#[derive(Debug, Default)]
pub(super) struct AnswerHistory(AtomicU64);

impl AnswerHistory {
    /// Records an answer that says that the endpoint failed, or any while its breaker
    /// rejects.
    pub(super) fn record_answer(&self) {
        self.push(ANSWERED);
    }

    /// Records a call without an answer: it was refused, broke off, or took too long.
    pub(super) fn record_silence(&self) {
        self.push(SILENT);
    }

    /// Records that the endpoint did its job. Where its breaker `rejects`, that is an
    /// answer as good as any, and otherwise none of its failures.
    ///
    /// An endpoint that is well costs a look.
    pub(super) fn record_success(&self, rejects: impl FnOnce() -> bool) {
        if self.0.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.push(if rejects() { ANSWERED } else { 0 });
    }

    /// Returns whether the endpoint fails by answers, but for a fifth of its latest
    /// failures at most: a connection breaks now and then beside any number of answers.
    pub(super) fn fails_by_answers(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        let [answered, silent] = [word >> 32, word & KEPT].map(u64::count_ones);
        answered > 0 && 4 * silent <= answered
    }

    fn push(&self, bit: u64) {
        let next = |word: u64| (word << 1) & (KEPT << 32 | KEPT) | bit;
        // Always `Some`, so it never fails.
        let _updated = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                Some(next(word))
            });
    }
}

const ANSWERED: u64 = 1 << 32;

const SILENT: u64 = 1;

/// Of ten calls.
const KEPT: u64 = (1 << 10) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r62_a_fifth_of_the_failures_may_be_silent_beside_answers() {
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
            ("oooooe", true),
            ("eooooo", true),
            ("eeeeeeeeeeoooooooooo", false),
            ("eeeeeeeeeeoooooooooss", false),
            ("erxsrrrr", true),
            ("oooooooooo", false),
        ] {
            let history = AnswerHistory::default();
            for call in calls.chars() {
                match call {
                    'e' => history.record_answer(),
                    's' => history.record_silence(),
                    'r' => history.record_success(|| true),
                    _ => history.record_success(|| false),
                }
            }
            assert_eq!(history.fails_by_answers(), expected, "{calls:?}");
        }
    }
}
