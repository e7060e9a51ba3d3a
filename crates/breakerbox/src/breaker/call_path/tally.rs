//! The tally: verdicts that need no answer, counted in a cell for each thread.
//!
//! One shared counter costs 5 ns on one core and more on two, because every
//! count moves a cache line. A cell that one thread alone writes costs a load
//! and a store; the owner adds the cells up when it decides.
//!
//! # Invariants
//!
//! 1. A cell is written by the thread of its number only.
//! 2. Counts grow for the life of the breaker and are never reset: what a
//!    generation counted is the difference to its base.
//! 3. A cell takes the tag of a generation only after the last reading of the
//!    generation before.

use std::sync::OnceLock;

use breakerbox_core::Generation;

use super::thread_slot::LIMIT;
use crate::sync::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct ShardedTally {
    /// The cell of the first thread that came, so that one needs no table.
    first: Cell,
    /// That thread's number plus one; 0 while none has come.
    first_slot: AtomicUsize,
    table: OnceLock<Box<Table>>,
    /// How many cells of the table may have counted: all below this number.
    used: AtomicUsize,
}

type Table = [OnceLock<Box<[Cell; PER_CHUNK]>>; LIMIT / PER_CHUNK];

/// What all cells hold together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    /// Verdicts of the generation that was asked for.
    pub(super) ignored: u64,
    /// Verdicts of all others.
    pub(super) other: u64,
    pub(super) successes: u64,
}

impl ShardedTally {
    pub(super) fn new() -> Self {
        let cells = Self {
            first: Cell::default(),
            first_slot: AtomicUsize::new(0),
            table: OnceLock::new(),
            used: AtomicUsize::new(0),
        };
        // Loom does not know what `OnceLock` orders, so there all is made here.
        #[cfg(loom)]
        (0..LIMIT).for_each(|slot| {
            cells.in_table(slot);
        });
        cells
    }

    /// Counts a success, if this thread has counted in this generation before.
    #[inline]
    pub(super) fn count_success_again(&self, slot: usize, generation: Generation) -> bool {
        // Relaxed, twice: as in `of` and in `count`.
        let cell = if self.first_slot.load(Ordering::Relaxed) == slot + 1 {
            Some(&self.first)
        } else {
            self.made(slot)
        };
        let Some(cell) =
            cell.filter(|cell| cell.tag.load(Ordering::Relaxed) == generation.number())
        else {
            return false;
        };
        add_one(&cell.successes.count);
        true
    }

    pub(super) fn count_success(&self, slot: usize, generation: Generation) {
        self.of(slot).count(generation, |cell| &cell.successes);
    }

    pub(super) fn count_ignored(&self, slot: usize, generation: Generation) {
        self.of(slot).count(generation, |cell| &cell.ignored);
    }

    /// Adds up what `generation` has counted, and apart from it all the rest.
    pub(super) fn sum(&self, generation: Generation) -> Sum {
        let mut sum = Sum::default();
        self.first.add_to(&mut sum, generation);
        // Relaxed: a thread raises it before its first count, so who must see a
        // count sees this too.
        let used = self.used.load(Ordering::Relaxed);
        for cell in (0..used).filter_map(|slot| self.made(slot)) {
            cell.add_to(&mut sum, generation);
        }
        sum
    }

    #[inline]
    fn made(&self, slot: usize) -> Option<&Cell> {
        let chunk = self.table.get()?[slot / PER_CHUNK].get()?;
        Some(&chunk[slot % PER_CHUNK])
    }

    fn of(&self, slot: usize) -> &Cell {
        // Relaxed: the value alone says whose the first cell is, for good.
        if self.first_slot.load(Ordering::Relaxed) == slot + 1 {
            return &self.first;
        }
        self.beyond_first(slot)
    }

    fn beyond_first(&self, slot: usize) -> &Cell {
        // Relaxed: as above.
        let claimed =
            self.first_slot
                .compare_exchange(0, slot + 1, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_ok() {
            return &self.first;
        }
        self.in_table(slot)
    }

    fn in_table(&self, slot: usize) -> &Cell {
        let new_table = || Box::new([const { OnceLock::new() }; LIMIT / PER_CHUNK]);
        let new_chunk = || Box::new(std::array::from_fn(|_| Cell::default()));
        // Relaxed: it is raised before the cell is counted in, by the same thread.
        if self.used.load(Ordering::Relaxed) <= slot {
            self.used.fetch_max(slot + 1, Ordering::Relaxed);
        }
        let table = self.table.get_or_init(new_table);
        let chunk = table[slot / PER_CHUNK].get_or_init(new_chunk);
        &chunk[slot % PER_CHUNK]
    }
}

/// One thread's counts, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cell {
    ignored: Counter,
    successes: Counter,
    /// The generation that the counters' bases belong to.
    tag: AtomicU64,
}

#[derive(Debug, Default)]
struct Counter {
    base: AtomicU64,
    count: AtomicU64,
}

impl Cell {
    fn count(&self, generation: Generation, counter: impl FnOnce(&Self) -> &Counter) {
        // Relaxed: this thread alone writes the tag.
        if self.tag.load(Ordering::Relaxed) != generation.number() {
            self.retag(generation);
        }
        add_one(&counter(self).count);
    }

    #[cold]
    fn retag(&self, generation: Generation) {
        for counter in [&self.ignored, &self.successes] {
            // Relaxed: this thread alone writes the count, and the tag's release
            // comes after the base.
            counter
                .base
                .store(counter.count.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        // Release: who reads the tag reads the bases that belong to it.
        self.tag.store(generation.number(), Ordering::Release);
    }

    fn add_to(&self, sum: &mut Sum, generation: Generation) {
        // Acquire, counts before the tag: a count that is read was made before
        // any base that is read after it, so no verdict of this generation is
        // taken for one of another; what comes meanwhile is read the next time.
        let ignored = self.ignored.count.load(Ordering::Acquire);
        let successes = self.successes.count.load(Ordering::Acquire);
        sum.other += ignored + successes;
        if self.tag.load(Ordering::Acquire) != generation.number() {
            return;
        }
        for (count, counter, total) in [
            (ignored, &self.ignored, &mut sum.ignored),
            (successes, &self.successes, &mut sum.successes),
        ] {
            // Relaxed: the tag was read with acquire.
            let of_generation = count.saturating_sub(counter.base.load(Ordering::Relaxed));
            *total += of_generation;
            sum.other -= of_generation;
        }
    }
}

/// Adds one to a number that this thread alone writes.
#[inline]
fn add_one(count: &AtomicU64) {
    // Relaxed load: nobody else writes it. Release store: who reads the count
    // has seen what its verdict is about.
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Release);
}

#[cfg(not(loom))]
const PER_CHUNK: usize = 64;
/// Loom tries every order of every load, so it gets no cell that nobody uses.
#[cfg(loom)]
const PER_CHUNK: usize = 1;
