//! The fuse: the failures that callers have folded, and how many more they may.
//!
//! A failing caller must know whether its failure could open the breaker, for
//! then somebody has to judge before the call returns. What is left of the fuse
//! and the run of failures are one word, so that a failure is one
//! compare-and-swap, and what it was counted against is what it was counted in.
//! How many failures were folded is what was installed, less what is left.
//!
//! # Invariants
//!
//! 1. A failure is folded only while some of the fuse is left, and only if it is
//!    not the one at which a run opens.
//! 2. Only who holds the lock on the ledger disarms and installs a fuse. Between
//!    the two nothing is folded.
//! 3. The word's generation changes before the gate admits in the next one, so
//!    it is the instant at which a generation ends for failures.
//! 4. A success ends a run before its call returns.

use breakerbox_core::{Fuse, Generation, Wake};

use crate::moment::Moment;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct SharedFuse {
    /// The run of failures at which one must be judged; 0 for none.
    streak_at: AtomicU32,
    /// When the fuse is void, in the bits of a `Moment`.
    until: AtomicU64,
    word: AtomicU64,
}

impl SharedFuse {
    pub(super) fn new(generation: Generation) -> Self {
        Self {
            streak_at: AtomicU32::new(0),
            until: AtomicU64::new(Moment::bits(None)),
            word: AtomicU64::new(FuseWord::of(generation).pack()),
        }
    }

    #[inline]
    pub(super) fn read(&self) -> FuseWord {
        // Acquire: a reader that sees a generation has seen what began it.
        FuseWord::unpack(self.word.load(Ordering::Acquire))
    }

    /// Counts a failure, if no decision could come of it.
    #[inline(never)]
    pub(super) fn fold(&self, generation: Generation) -> bool {
        let folded = self.change(|word| {
            // Relaxed, twice: both were stored before the word that was read.
            let streak_at = self.streak_at.load(Ordering::Relaxed);
            let until = Moment::from_bits(self.until.load(Ordering::Relaxed));
            let ends_run = streak_at > 0 && word.streak + 1 >= streak_at;
            if !word.folds(generation) || word.left == 0 || ends_run {
                return None;
            }
            let is_void = until.is_some_and(Moment::has_passed);
            (!is_void).then(|| FuseWord {
                left: word.left - 1,
                streak: (word.streak + 1).min(LONGEST_STREAK),
                ..word
            })
        });
        folded.is_some()
    }

    /// Ends a run of failures: a success has come.
    pub(super) fn end_streak(&self, generation: Generation) {
        self.change(|word| {
            let runs = word.is_of(generation) && word.streak > 0;
            runs.then_some(FuseWord { streak: 0, ..word })
        });
    }

    /// Leaves nothing of the fuse, so that every failure must be judged.
    ///
    /// Returns the word before.
    pub(super) fn disarm(&self) -> FuseWord {
        let before = self.change(|word| (word.left > 0).then_some(FuseWord { left: 0, ..word }));
        // Where nothing was left nothing could be folded, so a look is enough.
        before.unwrap_or_else(|| self.read())
    }

    /// Installs a fuse in place of the one that was disarmed, and returns how many
    /// failures it bears.
    ///
    /// `streak` is the run of failures that is known; `disarmed` is the one that
    /// the word had. Where it has no longer that one, a success has ended it.
    pub(super) fn install(&self, fuse: Fuse, streak: u64, disarmed: u32, wake: Wake) -> u32 {
        let until = Moment::bits(fuse.until.map(Moment::of));
        let streak_at = fuse.streak_at.unwrap_or(0).min(LONGEST_STREAK);
        // Relaxed, twice: the word's release below comes after them.
        self.until.store(until, Ordering::Relaxed);
        self.streak_at.store(streak_at, Ordering::Relaxed);
        let left = u32::try_from(fuse.folds).unwrap_or(LONGEST_FUSE);
        let left = left.min(LONGEST_FUSE);
        let known = u32::try_from(streak).unwrap_or(LONGEST_STREAK);
        self.change(|word| {
            let streak = if word.streak == disarmed {
                known.min(LONGEST_STREAK)
            } else {
                word.streak
            };
            Some(FuseWord {
                left,
                streak,
                wake,
                ..word
            })
        });
        left
    }

    /// Ends a generation for verdicts and starts the next one, without a fuse.
    pub(super) fn start_generation(&self, generation: Generation) {
        // AcqRel: who sees the new generation sees what came before it.
        self.word
            .swap(FuseWord::of(generation).pack(), Ordering::AcqRel);
    }

    /// Changes the word and returns the one before, unless it is refused.
    fn change(&self, mut change: impl FnMut(FuseWord) -> Option<FuseWord>) -> Option<FuseWord> {
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
                Ok(before) => return Some(FuseWord::unpack(before)),
                Err(other) => word = other,
            }
        }
    }
}

/// `generation:32 left:15 streak:15 free:1 wake:1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FuseWord {
    generation: Generation,
    /// How many more failures may be folded.
    pub(super) left: u32,
    /// Failures since the last success.
    pub(super) streak: u32,
    /// Asleep: no verdict is folded, because the next one begins a window.
    wake: Wake,
}

impl FuseWord {
    const fn of(generation: Generation) -> Self {
        Self {
            generation,
            left: 0,
            streak: 0,
            wake: Wake::Awake,
        }
    }

    #[inline]
    pub(super) fn is_of(self, generation: Generation) -> bool {
        self.generation == generation
    }

    /// Whether verdicts of this generation are folded now.
    #[inline]
    pub(super) fn folds(self, generation: Generation) -> bool {
        self.is_of(generation) && self.wake == Wake::Awake
    }

    #[inline]
    fn pack(self) -> u64 {
        let wake = match self.wake {
            Wake::Awake => 0,
            Wake::Asleep => 1,
        };
        self.generation.number() << 32
            | u64::from(self.left) << 17
            | u64::from(self.streak) << 2
            | wake
    }

    #[inline]
    fn unpack(word: u64) -> Self {
        let bits = |from: u32| (word >> from) as u32 & ALL_OF_15;
        Self {
            generation: Generation::new(word >> 32),
            left: bits(17),
            streak: bits(2),
            wake: if word & 1 == 0 {
                Wake::Awake
            } else {
                Wake::Asleep
            },
        }
    }
}

const ALL_OF_15: u32 = (1 << 15) - 1;
/// What is longer is counted as this long.
pub(super) const LONGEST_STREAK: u32 = ALL_OF_15;
/// With the failure that burns it, shorter than the longest run: so a run that
/// reads as the longest began before the fuse was installed, and its length is
/// known.
const LONGEST_FUSE: u32 = LONGEST_STREAK - 2;
