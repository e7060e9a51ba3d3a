use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Abandoned, Outcome};

use crate::clock;

/// What a dropped permit counts as, where callers can read it.
///
/// It also says whether a call must be timed at all: only where the answer
/// depends on how long it ran does admission read a clock.
#[derive(Debug)]
pub(super) struct Abandonment {
    /// 0: ignored, 1: failure, otherwise 2 and the limit in nanoseconds.
    word: AtomicU64,
}

impl Abandonment {
    pub(super) fn new(abandoned: Abandoned) -> Self {
        Self {
            word: AtomicU64::new(encode(abandoned)),
        }
    }

    pub(super) fn publish(&self, abandoned: Abandoned) {
        // Relaxed, here and below: the word stands alone, nothing is read by it.
        self.word.store(encode(abandoned), Ordering::Relaxed);
    }

    /// When a call that begins now began, if it matters.
    pub(super) fn begin(&self) -> Option<Instant> {
        (self.word.load(Ordering::Relaxed) > 1).then(clock::now)
    }

    /// The verdict on a call that began at `since` and is dropped now.
    pub(super) fn outcome(&self, since: Option<Instant>) -> Outcome {
        let ran = since.map_or(Duration::ZERO, |since| {
            clock::now().saturating_duration_since(since)
        });
        decode(self.word.load(Ordering::Relaxed)).outcome(ran)
    }
}

fn encode(abandoned: Abandoned) -> u64 {
    match abandoned {
        Abandoned::Ignored => 0,
        Abandoned::Failure => 1,
        Abandoned::FailureAfter(limit) => u64::try_from(limit.as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add(2),
    }
}

fn decode(word: u64) -> Abandoned {
    match word {
        0 => Abandoned::Ignored,
        1 => Abandoned::Failure,
        nanos => Abandoned::FailureAfter(Duration::from_nanos(nanos - 2)),
    }
}
