//! What has been counted, as the owner hears of it.
//!
//! Counts in the cells only grow, so news is the difference between two
//! readings. The owner keeps what it has heard of beside its circuit, and both
//! survive it.

use breakerbox_core::{Counts, Generation, Streak, Tally};

use super::SUCCESSES;
use super::fuse::{FuseWord, LONGEST_STREAK, Mode};
use super::tally::Sum;

/// A reading of the tally.
#[derive(Clone, Copy, Debug)]
pub(in crate::breaker) struct Reading {
    pub(super) calm_since: u64,
    pub(super) generation: Generation,
    pub(super) sum: Sum,
    pub(super) word: FuseWord,
}

/// What the owner has already heard of the tally.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::breaker) struct Heard {
    /// As it was read when the latest verdict was a success.
    calm_since: u64,
    /// Verdicts in the cells that counted in generations that are over.
    closed: u64,
    failures: u64,
    ignored: u64,
    /// How long the fuse was when it was laid.
    laid: u32,
    late: u64,
    successes: u64,
}

impl Heard {
    /// What is new in a reading, given the counts so far.
    pub(in crate::breaker) fn news(&mut self, reading: &Reading, counts: &Counts) -> Tally {
        let Reading { sum, word, .. } = reading;
        let late = sum.other.saturating_sub(self.closed);
        let mut news = Tally {
            failures: advance(&mut self.failures, (self.laid - word.left).into()),
            ignored: advance(&mut self.ignored, sum.ignored),
            late: advance(&mut self.late, late),
            streak: Streak::Nothing,
            successes: advance(&mut self.successes, sum.successes),
        };
        news.streak = self.streak(reading, counts, &news);
        news
    }

    /// The fuse was taken up, and what it had counted heard of.
    pub(in crate::breaker) fn taken(&mut self) {
        (self.failures, self.laid) = (0, 0);
    }

    /// A fuse of this length was laid.
    pub(in crate::breaker) fn laid(&mut self, laid: u32) {
        self.laid = laid;
    }

    /// A generation is over, with this much left of its fuse.
    ///
    /// Returns the failures that nobody had heard of, which are late.
    pub(in crate::breaker) fn over(&mut self, left: u32) -> u64 {
        let late = u64::from(self.laid - left) - self.failures;
        self.closed += self.ignored + self.successes;
        *self = Self {
            failures: 0,
            ignored: 0,
            laid: 0,
            successes: 0,
            ..*self
        };
        late
    }

    fn streak(&mut self, reading: &Reading, counts: &Counts, news: &Tally) -> Streak {
        match reading.word.streak {
            // No folded success has ended a run, so those in a row go on: the
            // ones that were reported too, which are in no cell.
            0 if reading.calm_since == self.calm_since => {
                Streak::Successes(counts.consecutive_successes + news.successes)
            }
            0 => {
                self.calm_since = reading.calm_since;
                let before = reading.successes_before_calm();
                Streak::Successes(reading.sum.successes.saturating_sub(before))
            }
            LONGEST_STREAK => {
                let run = counts.consecutive_failures + news.failures;
                Streak::Failures(run.max(LONGEST_STREAK.into()))
            }
            streak => Streak::Failures(streak.into()),
        }
    }
}

impl Reading {
    pub(in crate::breaker) fn is_of(&self, generation: Generation) -> bool {
        self.generation == generation
    }

    pub(in crate::breaker) fn is_awake(&self) -> bool {
        self.word.mode != Mode::Asleep
    }

    fn successes_before_calm(&self) -> u64 {
        let same = self.calm_since >> 40 == self.generation.number() & ((1 << 24) - 1);
        if same { self.calm_since & SUCCESSES } else { 0 }
    }
}

/// Raises `heard` to `now` and returns by how much.
fn advance(heard: &mut u64, now: u64) -> u64 {
    let news = now.saturating_sub(*heard);
    *heard += news;
    news
}
