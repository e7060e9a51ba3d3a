//! What a breaker's owner shares with its callers: the gate, the tally, the fuse.
//!
//! A message for every call would cost more than most calls and queue without
//! bound. So the messages that everybody would send all the time are folded into
//! three small things. The *gate* is the owner's standing answer to "may I?". The
//! *tally* is verdicts added up. The *fuse* says how many failures the owner need
//! not hear about, because no decision could come of them. The one that burns
//! the fuse is left for the owner as it is, with the reading of the tally it
//! came at; so the owner judges exactly what a circuit asked call by call would.
//!
//! # Invariants
//!
//! 1. Every verdict is counted in exactly one place: a cell, the fuse, or the
//!    reports; and from there in exactly one of window and `late`.
//! 2. Of the verdicts of one thread the owner sees no later one without the
//!    earlier ones.
//! 3. While a failure waits for the owner no failure is folded.

use std::time::Instant;

use breakerbox_core::{Fuse, Generation, Notice, Orphaned, Outcome, Standing, Ticket, Wake};

use crate::Rejected;
use crate::sync::{AtomicU64, Ordering};

mod fuse;
mod gate;
#[cfg(all(test, loom))]
mod loom_tests;
mod published_config;
mod reading;
mod tally;
mod thread_slot;

use fuse::{FuseWord, Mode, SharedFuse};
pub(super) use gate::Glance;
use gate::{Admitted, Gate};
pub(super) use published_config::PublishedConfig;
pub(super) use reading::{Heard, Reading};
use tally::ShardedTally;

#[derive(Debug)]
pub(super) struct CallPath {
    /// The successes that had come when the last run of failures ended:
    /// `generation:24 successes:40`.
    calm_since: AtomicU64,
    tally: ShardedTally,
    gate: Gate,
    fuse: SharedFuse,
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fold {
    /// It was counted, and that is all.
    Done,
    /// It must be left for the owner as a report.
    Report,
}

impl CallPath {
    /// One without a fuse, which [`publish`](Self::publish) lays.
    pub(super) fn new(standing: Standing, epoch: Instant) -> Self {
        Self {
            calm_since: AtomicU64::new(0),
            tally: ShardedTally::new(),
            gate: Gate::new(standing),
            fuse: SharedFuse::new(standing.generation, epoch),
        }
    }

    /// The answer that most calls get.
    #[inline]
    pub(super) fn glance(&self) -> Glance {
        self.gate.glance()
    }

    /// Admits a call or says why not; never waits.
    pub(super) fn admit(&self) -> Result<Admitted, Rejected> {
        self.gate.admit()
    }

    /// Counts a success, which mostly takes a look, a load and a store.
    ///
    /// It is what [`fold`](Self::fold) does with most successes. If it does not
    /// count, it has done nothing.
    #[inline]
    pub(super) fn count_success(&self, generation: Generation) -> bool {
        let word = self.fuse.read();
        let plain = word.is_of(generation) && word.mode != Mode::Asleep;
        let counted = plain
            && thread_slot::numbered()
                .is_some_and(|slot| self.tally.success_again(slot, generation));
        if counted && word.streak > 0 {
            self.end_streak(generation);
        }
        counted
    }

    /// Counts a failure, as [`fold`](Self::fold) does. If it does not count, it
    /// has done nothing.
    #[inline]
    pub(super) fn count_failure(
        &self,
        generation: Generation,
        now: impl FnOnce() -> Instant,
    ) -> bool {
        thread_slot::numbered().is_some() && self.fuse.fold(generation, now) == Fold::Done
    }

    /// Counts a verdict, if the owner need not hear of it.
    pub(super) fn fold(
        &self,
        ticket: &Ticket,
        outcome: Outcome,
        now: impl FnOnce() -> Instant,
    ) -> Fold {
        match thread_slot::current() {
            Some(slot) if !ticket.is_decisive() => {
                self.fold_at(slot, ticket.generation(), outcome, now)
            }
            Some(_) | None => Fold::Report,
        }
    }

    fn fold_at(
        &self,
        slot: usize,
        generation: Generation,
        outcome: Outcome,
        now: impl FnOnce() -> Instant,
    ) -> Fold {
        match outcome {
            Outcome::Failure { retry_after: None } => self.fuse.fold(generation, now),
            Outcome::Failure {
                retry_after: Some(_),
            } => Fold::Report,
            Outcome::Ignored => self.fold_ignored(slot, generation),
            Outcome::Success => self.fold_success(slot, generation),
        }
    }

    /// What had been counted when this verdict came, which is left for the owner.
    ///
    /// None if its generation is over. The caller holds the lock on the reports,
    /// so readings stand in them in the order in which they were taken.
    pub(super) fn reading_at(&self, ticket: &Ticket, outcome: Outcome) -> Option<Reading> {
        let generation = ticket.generation();
        if ticket.is_probe() {
            return self.reading_of(generation);
        }
        let word = self.fuse.wait_for_owner(generation, outcome)?;
        Some(self.reading(generation, word))
    }

    /// What has been counted, while its generation lasts.
    pub(super) fn reading_of(&self, generation: Generation) -> Option<Reading> {
        let word = self.fuse.read();
        word.is_of(generation)
            .then(|| self.reading(generation, word))
    }

    /// Gives a probe's place back, if it judged nothing.
    pub(super) fn hand_back(&self, notice: Notice, outcome: Outcome) {
        self.gate.hand_back(notice, outcome);
    }

    pub(super) fn standing(&self) -> Standing {
        self.gate.standing()
    }

    /// A number that changes when a verdict is counted.
    pub(super) fn activity(&self) -> u64 {
        let generation = self.standing().generation;
        let sum = self.tally.sum(generation);
        let counted = sum.ignored + sum.successes + sum.other;
        let word = self.fuse.read();
        counted.wrapping_add(u64::from(word.left ^ word.streak))
    }

    /// For the owner: what has been counted; no failure is folded until `lay`.
    pub(super) fn take(&self, generation: Generation) -> Reading {
        let word = self.fuse.take();
        self.reading(generation, word)
    }

    /// For the owner: ends a generation. Returns what is left of its fuse.
    pub(super) fn begin(&self, generation: Generation) -> u32 {
        self.fuse.begin(generation).left
    }

    /// From when on a rejected call is worth another try, where that is known.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.gate.retry_at().map(crate::moment::Moment::instant)
    }

    /// For the owner: what holds from now on, when it has taken what was counted.
    ///
    /// Returns how many failures may be folded.
    pub(super) fn publish(
        &self,
        standing: Standing,
        fuse: Fuse,
        streak: u64,
        retry_at: Option<Instant>,
    ) -> u32 {
        // The gate last: who is admitted in a generation finds its fuse.
        let laid = self.fuse.lay(fuse, streak, Mode::of(standing));
        self.gate.publish(standing, retry_at);
        laid
    }

    pub(super) fn orphan(&self, choice: Orphaned) {
        self.gate.orphan(choice);
    }

    fn fold_ignored(&self, slot: usize, generation: Generation) -> Fold {
        let word = self.fuse.read();
        match word.mode {
            _ if !word.is_of(generation) => self.count_late(slot),
            Mode::Asleep => Fold::Report,
            Mode::Folding | Mode::Waiting => {
                self.tally.ignored(slot, generation);
                Fold::Done
            }
        }
    }

    fn fold_success(&self, slot: usize, generation: Generation) -> Fold {
        let word = self.fuse.read();
        match word.mode {
            _ if !word.is_of(generation) => self.count_late(slot),
            Mode::Asleep => Fold::Report,
            Mode::Folding | Mode::Waiting => {
                self.tally.success(slot, generation);
                if word.streak > 0 {
                    self.end_streak(generation);
                }
                Fold::Done
            }
        }
    }

    #[cold]
    fn end_streak(&self, generation: Generation) {
        let before = self.tally.sum(generation).successes - 1;
        let tagged = generation.number() << 40 | before & SUCCESSES;
        // Relaxed: read after the fuse, whose change below releases it.
        self.calm_since.store(tagged, Ordering::Relaxed);
        self.fuse.end_streak(generation);
    }

    #[cold]
    fn count_late(&self, slot: usize) -> Fold {
        self.tally.late(slot);
        Fold::Done
    }

    fn reading(&self, generation: Generation, word: FuseWord) -> Reading {
        // After the fuse: every success that a counted failure has seen is in.
        let calm_since = self.calm_since.load(Ordering::Relaxed);
        Reading {
            calm_since,
            generation,
            sum: self.tally.sum(generation),
            word,
        }
    }
}

impl Mode {
    fn of(standing: Standing) -> Self {
        match standing.wake {
            Wake::Asleep => Self::Asleep,
            Wake::Awake => Self::Folding,
        }
    }
}

const SUCCESSES: u64 = (1 << 40) - 1;
