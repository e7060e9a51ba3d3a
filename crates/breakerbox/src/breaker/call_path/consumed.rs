//! What of the tally has been taken into the circuit.
//!
//! Counts in the cells only grow, so what is new is the difference between two
//! readings.

use breakerbox_core::{Counts, Generation, Streak, Tally};

use super::fuse::{FuseWord, LONGEST_STREAK};
use super::streak_end::{SUCCESSES, is_of};
use super::tally::Sum;

/// A reading of the tally, with the fuse disarmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) generation: Generation,
    pub(super) sum: Sum,
    pub(super) successes_at_streak_end: u64,
    pub(super) word: FuseWord,
}

/// How much of the tally the circuit has taken in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Consumed {
    /// Verdicts in the cells that counted in generations that are over.
    closed: u64,
    ignored: u64,
    /// How many failures the fuse bore when it was installed.
    installed: u32,
    late: u64,
    successes: u64,
    successes_at_streak_end: u64,
}

impl Consumed {
    /// Takes in what is new in a reading, given the counts so far.
    pub(super) fn advance(&mut self, reading: &Reading, counts: &Counts) -> Tally {
        let sum = &reading.sum;
        let late = sum.other.saturating_sub(self.closed);
        let failures = std::mem::take(&mut self.installed) - reading.word.left;
        let mut new = Tally {
            failures: failures.into(),
            ignored: advance(&mut self.ignored, sum.ignored),
            late: advance(&mut self.late, late),
            streak: Streak::Nothing,
            successes: advance(&mut self.successes, sum.successes),
        };
        new.streak = self.streak(reading, counts, &new);
        new
    }

    /// Records that a fuse was installed that bears so many failures.
    pub(super) fn install(&mut self, failures: u32) {
        self.installed = failures;
    }

    /// Starts a generation: the cells' counts of the last one are taken in.
    ///
    /// `successes_at_streak_end` is what a run that ends is marked by from now on.
    pub(super) fn start_generation(&mut self, successes_at_streak_end: u64) {
        self.closed += self.ignored + self.successes;
        (self.ignored, self.successes) = (0, 0);
        self.successes_at_streak_end = successes_at_streak_end;
    }

    fn streak(&mut self, reading: &Reading, counts: &Counts, new: &Tally) -> Streak {
        let at_end = reading.successes_at_streak_end;
        match reading.word.streak {
            0 if at_end != self.successes_at_streak_end && is_of(at_end, reading.generation) => {
                self.successes_at_streak_end = at_end;
                let before = at_end & SUCCESSES;
                Streak::Successes(reading.sum.successes.saturating_sub(before))
            }
            // No folded success has ended a run, so those in a row go on: also the
            // ones that were judged one by one, which are in no cell.
            0 => Streak::Successes(counts.consecutive_successes + new.successes),
            LONGEST_STREAK => {
                let run = counts.consecutive_failures + new.failures;
                Streak::Failures(run.max(LONGEST_STREAK.into()))
            }
            streak => Streak::Failures(streak.into()),
        }
    }
}

/// Raises `consumed` to `now` and returns by how much.
fn advance(consumed: &mut u64, now: u64) -> u64 {
    let new = now.saturating_sub(*consumed);
    *consumed += new;
    new
}
