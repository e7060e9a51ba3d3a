//! A number for each thread, small enough to index a table.
//!
//! Successes are counted without a locked instruction, which needs a place that
//! one thread alone writes. Numbers are handed out as threads come and taken
//! back as they go, so a process that starts a million threads one after the
//! other needs no more of them than live at once.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;

use crate::lock;

/// Returns the number of this thread, if it has been asked for before.
#[inline]
pub(super) fn numbered() -> Option<usize> {
    Some(NUMBER.get()).filter(|number| *number < LIMIT)
}

/// Returns the number of this thread, from 0; None while the thread ends, or if the
/// numbers below [`LIMIT`] are taken.
pub(super) fn current() -> Option<usize> {
    numbered().or_else(take)
}

#[cold]
fn take() -> Option<usize> {
    if NUMBER.get() != ENDING {
        // An error means that the thread ends, and then it stays unnumbered.
        let number = RETURN.try_with(Return::take_least).ok()?;
        NUMBER.set(number);
    }
    numbered()
}

/// The number of a thread, which is given back when the thread ends.
///
/// The lock on the free numbers makes what this thread counted visible to the
/// next one of the same number, which goes on counting from there.
struct Return {
    number: Cell<Option<usize>>,
}

impl Return {
    /// Takes the least number that is free, in exchange for the one that it has.
    fn take_least(&self) -> usize {
        let number = lock::with(&FREE, |free| {
            if let Some(number) = self.number.get() {
                free.give_back(number);
            }
            free.take()
        });
        self.number.set(Some(number));
        number
    }
}

impl Drop for Return {
    fn drop(&mut self) {
        NUMBER.set(ENDING);
        if let Some(number) = self.number.get() {
            lock::with(&FREE, |free| free.give_back(number));
        }
    }
}

/// The numbers that no thread has.
struct Free {
    handed_out: usize,
    returned: BinaryHeap<Reverse<usize>>,
}

impl Free {
    const fn new() -> Self {
        Self {
            handed_out: 0,
            returned: BinaryHeap::new(),
        }
    }

    /// Takes the least of them, so that threads which come later than others have
    /// gone count in the cells of those.
    fn take(&mut self) -> usize {
        match self.returned.pop() {
            Some(Reverse(number)) => number,
            None => {
                self.handed_out += 1;
                self.handed_out - 1
            }
        }
    }

    fn give_back(&mut self, number: usize) {
        self.returned.push(Reverse(number));
    }
}

thread_local! {
    // Without a destructor, so that reading it is one load.
    static NUMBER: Cell<usize> = const { Cell::new(UNNUMBERED) };
    static RETURN: Return = const {
        Return {
            number: Cell::new(None),
        }
    };
}

static FREE: Mutex<Free> = Mutex::new(Free::new());

/// How many threads can have a number at once.
pub(super) const LIMIT: usize = 1_024;

const ENDING: usize = usize::MAX;
const UNNUMBERED: usize = usize::MAX - 1;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Barrier;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn r26_the_least_number_that_is_free_is_given_out() {
        let mut free = Free::new();
        let all: Vec<_> = (0..5).map(|_| free.take()).collect();
        assert_eq!(all, [0, 1, 2, 3, 4]);
        for number in [3, 1, 4] {
            free.give_back(number);
        }
        assert_eq!([free.take(), free.take()], [1, 3]);
        free.give_back(0);
        assert_eq!([free.take(), free.take(), free.take()], [0, 4, 5]);
    }

    #[test]
    fn r26_a_thread_for_which_no_number_was_left_gets_one_once_others_have_gone() {
        let all_are_here = Barrier::new(THREADS);
        let (say, said) = channel();
        let threads = (0..THREADS).map(|nth| {
            let (go_on, goes_on) = channel::<()>();
            (nth, go_on, goes_on)
        });
        thread::scope(|scope| {
            let mut waiting: BTreeMap<_, _> = threads
                .map(|(nth, go_on, goes_on)| {
                    let (all_are_here, say) = (&all_are_here, say.clone());
                    let thread = scope.spawn(move || {
                        let before = current();
                        say.send((nth, before)).unwrap();
                        all_are_here.wait();
                        // Until the sender is dropped.
                        let _end = goes_on.recv();
                        current()
                    });
                    (nth, (go_on, thread))
                })
                .collect();
            let late: BTreeSet<_> = (0..THREADS)
                .map(|_| said.recv().unwrap())
                .filter_map(|(nth, number)| number.is_none().then_some(nth))
                .collect();
            assert!(late.len() >= THREADS - LIMIT);
            let in_time = |nth: &usize| !late.contains(nth);
            for (go_on, thread) in (0..THREADS)
                .filter(in_time)
                .map(|nth| waiting.remove(&nth).unwrap())
            {
                drop(go_on);
                thread.join().unwrap();
            }
            for (go_on, thread) in waiting.into_values() {
                drop(go_on);
                assert!(thread.join().unwrap().is_some());
            }
        });
    }

    /// Some more than there are numbers.
    const THREADS: usize = LIMIT + 50;
}
