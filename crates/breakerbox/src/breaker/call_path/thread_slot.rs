//! A number for each thread, small enough to index a table.
//!
//! Successes are counted without a locked instruction, which needs a place that
//! one thread alone writes. Numbers are handed out as threads come and taken
//! back as they go, so a process that starts a million threads one after the
//! other needs no more of them than live at once.

use std::cell::Cell;
use std::sync::Mutex;

use crate::lock;

/// The number of this thread, if it has been asked for before.
#[inline]
pub(super) fn numbered() -> Option<usize> {
    Some(NUMBER.get()).filter(|number| *number < LIMIT)
}

/// The number of this thread, from 0; None while it ends, or beyond the last.
pub(super) fn current() -> Option<usize> {
    numbered().or_else(take)
}

#[cold]
fn take() -> Option<usize> {
    if NUMBER.get() == UNNUMBERED {
        // An error means that the thread ends, and then it stays unnumbered.
        let number = RETURN.try_with(|returned| returned.number).ok()?;
        NUMBER.set(number);
    }
    Some(NUMBER.get()).filter(|number| *number < LIMIT)
}

/// Gives the number back when the thread ends.
///
/// The lock on the free numbers makes what this thread counted visible to the
/// next one of the same number, which goes on counting from there.
struct Return {
    number: usize,
}

impl Return {
    fn new() -> Self {
        let number = lock::with(&FREE, |free| {
            free.returned.pop().unwrap_or_else(|| {
                free.handed_out += 1;
                free.handed_out - 1
            })
        });
        Self { number }
    }
}

impl Drop for Return {
    fn drop(&mut self) {
        NUMBER.set(ENDING);
        lock::with(&FREE, |free| free.returned.push(self.number));
    }
}

struct Free {
    handed_out: usize,
    returned: Vec<usize>,
}

thread_local! {
    // Without a destructor, so that reading it is one load.
    static NUMBER: Cell<usize> = const { Cell::new(UNNUMBERED) };
    static RETURN: Return = Return::new();
}

static FREE: Mutex<Free> = Mutex::new(Free {
    handed_out: 0,
    returned: Vec::new(),
});

/// How many threads can have a number at once.
pub(super) const LIMIT: usize = 1_024;

const ENDING: usize = usize::MAX;
const UNNUMBERED: usize = usize::MAX - 1;
