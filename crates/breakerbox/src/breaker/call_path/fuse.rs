//! The failures that callers have folded, and how many more they may: the fuse.
//!
//! A failing caller must know whether its failure could open the breaker, for
//! then the owner has to decide before the call returns. What is left of the
//! fuse and the run of failures are one word, so that a failure is one
//! compare-and-swap, and what it was counted against is what it was counted in.
//! How many failures were folded is what the owner laid, less what is left.
//!
//! # Invariants
//!
//! 1. A failure is folded only while some of the fuse is left, it is not the one
//!    at which a run opens, and nothing waits for the owner to judge.
//! 2. The word's generation changes before the gate admits in the next one, so
//!    it is the instant at which a generation ends for failures.
//! 3. A success ends a run before its call returns.

use std::time::Instant;

use breakerbox_core::{Fuse, Generation, Outcome};

use super::Fold;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct SharedFuse {
    epoch: Instant,
    /// The run of failures at which to ask; a setting, 0 for none.
    streak_at: AtomicU32,
    /// When the fuse is void, in nanoseconds since `epoch`; 0 for never.
    until: AtomicU64,
    word: AtomicU64,
}

impl SharedFuse {
    pub(super) fn new(generation: Generation, epoch: Instant) -> Self {
        Self {
            epoch,
            streak_at: AtomicU32::new(0),
            until: AtomicU64::new(0),
            word: AtomicU64::new(FuseWord::of(generation).pack()),
        }
    }

    #[inline]
    pub(super) fn read(&self) -> FuseWord {
        // Acquire: who sees a generation has seen what began it.
        FuseWord::unpack(self.word.load(Ordering::Acquire))
    }

    /// Counts a failure, if no decision could come of it.
    ///
    /// One whose generation is over is for the owner too: it may be ending the
    /// generation now, and callers must not return before the gate says so.
    pub(super) fn fold(&self, generation: Generation, now: impl FnOnce() -> Instant) -> Fold {
        // Relaxed: both belong to a word that was written after them. An older
        // value judges this failure as of before the owner's change, and its
        // call has not returned.
        let until = self.until.load(Ordering::Relaxed);
        if until > 0 && since(self.epoch, now()) >= until {
            return Fold::Report;
        }
        let streak_at = self.streak_at.load(Ordering::Relaxed);
        let folded = self.change(|word| {
            let may_open = word.left == 0 || streak_at > 0 && word.streak + 1 >= streak_at;
            if !word.is_of(generation) || word.mode != Mode::Folding || may_open {
                return Err(());
            }
            Ok(FuseWord {
                left: word.left - 1,
                streak: word.longer_streak(),
                ..word
            })
        });
        if folded.is_ok() {
            Fold::Done
        } else {
            Fold::Report
        }
    }

    /// From now on failures wait for the owner, because this verdict does.
    ///
    /// Returns the word before it, or None if its generation is over.
    pub(super) fn wait_for_owner(
        &self,
        generation: Generation,
        outcome: Outcome,
    ) -> Option<FuseWord> {
        let waiting = self.change(|word| {
            let mode = match word.mode {
                Mode::Asleep => Mode::Asleep,
                Mode::Folding | Mode::Waiting => Mode::Waiting,
            };
            let streak = match outcome {
                Outcome::Failure { .. } => word.longer_streak(),
                Outcome::Ignored => word.streak,
                Outcome::Success => 0,
            };
            if !word.is_of(generation) {
                return Err(());
            }
            Ok(FuseWord {
                mode,
                streak,
                ..word
            })
        });
        waiting.ok()
    }

    /// Ends a run of failures: a success has come.
    pub(super) fn end_streak(&self, generation: Generation) {
        let _ended = self.change(|word| {
            let runs = word.is_of(generation) && word.streak > 0;
            if runs {
                Ok(FuseWord { streak: 0, ..word })
            } else {
                Err(())
            }
        });
    }

    /// Takes the fuse up; until the next one is laid, all must ask.
    pub(super) fn take(&self) -> FuseWord {
        self.change(|word| Ok::<_, ()>(FuseWord { left: 0, ..word }))
            .unwrap_or_else(|()| unreachable!("it refuses no word"))
    }

    /// Lays a fuse in place of the one that was taken, and says how long it is.
    pub(super) fn lay(&self, fuse: Fuse, streak: u64, mode: Mode) -> u32 {
        // Relaxed: the word's release below comes after them.
        self.until.store(
            fuse.until
                .map_or(0, |until| since(self.epoch, until).max(1)),
            Ordering::Relaxed,
        );
        self.streak_at.store(
            fuse.streak_at.unwrap_or(0).min(LONGEST_STREAK),
            Ordering::Relaxed,
        );
        let left = u32::try_from(fuse.folds).unwrap_or(LONGEST_FUSE);
        let left = left.min(LONGEST_FUSE);
        let longest = u32::try_from(streak).unwrap_or(LONGEST_STREAK);
        let _laid = self.change(|word| {
            let streak = if word.streak == LONGEST_STREAK {
                word.streak
            } else {
                word.streak.min(longest)
            };
            Ok::<_, ()>(FuseWord {
                left,
                mode,
                streak,
                ..word
            })
        });
        left
    }

    /// Ends a generation for failures and returns its last word.
    pub(super) fn begin(&self, generation: Generation) -> FuseWord {
        // AcqRel: the last word is read with all that led to it, and who sees
        // the new one sees what the owner did before.
        FuseWord::unpack(
            self.word
                .swap(FuseWord::of(generation).pack(), Ordering::AcqRel),
        )
    }

    /// Changes the word and returns the one before, unless it is refused.
    fn change<E>(&self, change: impl Fn(FuseWord) -> Result<FuseWord, E>) -> Result<FuseWord, E> {
        // Acquire and AcqRel: a failure that is counted has seen the word it is
        // counted against, with what led to it; and who reads the count has
        // seen what the failure is about.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let next = change(FuseWord::unpack(word))?.pack();
            match self
                .word
                .compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(before) => return Ok(FuseWord::unpack(before)),
                Err(other) => word = other,
            }
        }
    }
}

/// `generation:24 left:19 streak:19 mode:2`.
///
/// A permit that is older by exactly a multiple of 2^24 generations would be
/// taken for one of this generation; at one change a second that is 194 days.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FuseWord {
    generation: u64,
    /// How many more failures may be folded.
    pub(super) left: u32,
    pub(super) mode: Mode,
    /// Failures since the last success.
    pub(super) streak: u32,
}

/// What callers do with verdicts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    /// Tell the owner of each: it sleeps, and wakes with the first.
    Asleep,
    /// Fold what the fuse allows.
    Folding,
    /// Fold no failure: one waits for the owner, and comes first.
    Waiting,
}

impl FuseWord {
    fn of(generation: Generation) -> Self {
        let generation = generation.number() & GENERATIONS;
        Self {
            generation,
            left: 0,
            mode: Mode::Folding,
            streak: 0,
        }
    }

    #[inline]
    pub(super) fn is_of(self, generation: Generation) -> bool {
        self.generation == generation.number() & GENERATIONS
    }

    fn longer_streak(self) -> u32 {
        (self.streak + 1).min(LONGEST_STREAK)
    }

    #[inline]
    fn pack(self) -> u64 {
        let mode = match self.mode {
            Mode::Folding => 0,
            Mode::Waiting => 1,
            Mode::Asleep => 2,
        };
        self.generation << 40 | u64::from(self.left) << 21 | u64::from(self.streak) << 2 | mode
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        let bits = |from: u32, most: u32| (word >> from) as u32 & most;
        Self {
            generation: word >> 40,
            left: bits(21, ALL_OF_19),
            mode: match word & 3 {
                0 => Mode::Folding,
                1 => Mode::Waiting,
                _ => Mode::Asleep,
            },
            streak: bits(2, ALL_OF_19),
        }
    }
}

fn since(epoch: Instant, instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX)
}

const GENERATIONS: u64 = (1 << 24) - 1;
const ALL_OF_19: u32 = (1 << 19) - 1;
/// What is longer is counted as this long.
pub(super) const LONGEST_STREAK: u32 = ALL_OF_19;
/// With the failure that burns it, shorter than the longest run: so a run that
/// reads as the longest began before the fuse was laid, and its length is known.
const LONGEST_FUSE: u32 = LONGEST_STREAK - 2;
