//! Thread numbers under loom, whose threads are all one to the operating system:
//! a model numbers them by hand.

use std::cell::Cell;

/// Gives this thread a number.
pub(super) fn set(number: usize) {
    NUMBER.with(|own| own.set(Some(number)));
}

pub(super) fn numbered() -> Option<usize> {
    NUMBER.with(Cell::get)
}

pub(super) fn current() -> Option<usize> {
    numbered()
}

loom::thread_local! {
    static NUMBER: Cell<Option<usize>> = Cell::new(None);
}

pub(super) const LIMIT: usize = 2;
