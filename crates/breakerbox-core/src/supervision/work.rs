//! The work of a supervision, which the tests count instead of its time.
//!
//! Whatever a supervision does with many children goes through comparisons of
//! their ids, as all its collections are ordered by them, or through the states
//! of their records. So these two count.

/// Counts one comparison of two ids, or one look at a record's state.
#[cfg(not(test))]
pub(super) const fn count() {}

#[cfg(test)]
pub(super) fn count() {
    COUNTED.with(|counted| counted.set(counted.get() + 1));
}

/// Returns what was counted in this thread while `work` was done.
#[cfg(test)]
pub(super) fn counted(work: impl FnOnce()) -> u64 {
    let before = COUNTED.get();
    work();
    COUNTED.get() - before
}

#[cfg(test)]
thread_local! {
    static COUNTED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
