//! How many successes had come when the last run of failures ended.
//!
//! Successes are counted in cells that know no order. To tell how many came in a
//! row, the one that ends a run of failures leaves a mark.

use breakerbox_core::Generation;

/// A mark: `generation:24 successes:40`.
///
/// One that a verdict of another generation left is none.
pub(super) fn mark(generation: Generation, successes_before: u64) -> u64 {
    generation.number() << 40 | successes_before & SUCCESSES
}

pub(super) fn is_of(mark: u64, generation: Generation) -> bool {
    mark >> 40 == generation.number() & ((1 << 24) - 1)
}

pub(super) const SUCCESSES: u64 = (1 << 40) - 1;
