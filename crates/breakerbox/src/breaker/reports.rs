//! What callers have to tell a breaker's owner, until it reads it.
//!
//! A report that travels in a message dies with the mailbox, and a million
//! callers make a million messages. So reports are kept here, beside the owner,
//! and the message only asks it to look: it may be lost, repeated or coalesced.
//!
//! # Invariants
//!
//! 1. A report is read once, in the order in which reports were made.
//! 2. At most one message asks the owner to look, however many reports wait.
//! 3. Who waits for a report is answered when the owner has dealt with it and
//!    has published what follows, or when there is no owner any more.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use super::answers::{Answer, Answers};
use super::call_path::Reading;
use crate::lock;
use breakerbox_core::{Notice, Outcome, Pace, Ticket};

/// Something that happened to one call.
#[derive(Debug)]
pub(super) enum Report {
    /// It was admitted, and the owner waits to hear of it.
    ///
    /// With what had been counted when it was, unless its generation was over.
    Admitted(Notice, Option<Reading>),
    /// It ended.
    Settled(Verdict),
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) pace: Pace,
    /// What had been counted when it did, unless its generation was over.
    pub(super) reading: Option<Reading>,
    pub(super) ticket: Ticket,
}

#[derive(Debug)]
pub(super) struct Reports {
    answers: Answers,
    queue: Mutex<Queue>,
}

/// Reports in the order in which they were made, each with its time.
pub(super) type Batch = VecDeque<(Report, Instant)>;

#[derive(Debug)]
struct Queue {
    /// Whether the owner has been asked to look and has not begun to.
    asked: bool,
    made: u64,
    readers: Readers,
    waiting: Batch,
}

/// Whether anybody will ever read.
#[derive(Debug, Eq, PartialEq)]
enum Readers {
    Ended,
    GoOn,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self {
            answers: Answers::default(),
            queue: Mutex::new(Queue {
                asked: false,
                made: 0,
                readers: Readers::GoOn,
                waiting: Batch::new(),
            }),
        }
    }

    /// Leaves a report and returns its number, counted from 1.
    ///
    /// `report` is made under the lock, so that what it reads of the tally stands
    /// in the order of the reports. `ask` has the owner look, unless it has been
    /// asked already.
    pub(super) fn make(
        &self,
        at: Instant,
        report: impl FnOnce() -> Report,
        ask: impl FnOnce(),
    ) -> u64 {
        let (number, asked) = lock::with(&self.queue, |queue| {
            queue.made += 1;
            if queue.readers == Readers::GoOn {
                queue.waiting.push_back((report(), at));
            }
            (queue.made, std::mem::replace(&mut queue.asked, true))
        });
        if !asked {
            ask();
        }
        number
    }

    /// How many reports have been made.
    pub(super) fn made(&self) -> u64 {
        lock::with(&self.queue, |queue| queue.made)
    }

    /// Begins to read: who makes a report from now on must ask again.
    pub(super) fn begin(&self) {
        lock::with(&self.queue, |queue| queue.asked = false);
    }

    /// Moves all reports into `batch`, which is empty; if there is none, settles up.
    ///
    /// No report is made meanwhile. All at once, because callers who do not await
    /// make reports about as fast as an owner that locks for each can read them.
    pub(super) fn read_or(&self, batch: &mut Batch, settle_up: impl FnOnce()) {
        lock::with(&self.queue, |queue| {
            if queue.waiting.is_empty() {
                settle_up();
                batch.shrink_to(CAPACITY_KEPT);
                queue.waiting.shrink_to(CAPACITY_KEPT);
            }
            std::mem::swap(batch, &mut queue.waiting);
        });
    }

    /// Answers who waits for a report that has been read.
    pub(super) fn answer(&self) {
        let read = lock::with(&self.queue, |queue| queue.made - queue.waiting.len() as u64);
        self.answers.raise(read);
    }

    /// Answers everybody for good: nobody will read any more.
    pub(super) fn end(&self) {
        lock::with(&self.queue, |queue| {
            queue.readers = Readers::Ended;
            queue.waiting.clear();
        });
        self.answers.raise(u64::MAX);
    }

    /// Whether nobody will read any more.
    pub(super) fn are_over(&self) -> bool {
        self.answers.include(u64::MAX)
    }

    /// Waits for report `number`, unless it has been dealt with.
    pub(super) fn answer_to(&self, number: u64) -> Option<Answer> {
        self.answers.of(number)
    }
}

/// What is kept for the next reports when all have been read.
const CAPACITY_KEPT: usize = 64;

impl Drop for Reports {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use breakerbox_core::{Admission, Generation};

    use super::*;

    fn note() -> Report {
        let now = Instant::now();
        let ticket = Admission::Plain.ticket(Generation::FIRST, || now);
        Report::Admitted(ticket.notice(), None)
    }

    /// Reads all that is there as an owner would; returns how many there were.
    fn read_all(reports: &Reports) -> u64 {
        reports.begin();
        let (mut read, mut batch) = (0, Batch::new());
        let mut settled_up = false;
        while !settled_up {
            reports.read_or(&mut batch, || settled_up = true);
            read += batch.drain(..).count() as u64;
        }
        reports.answer();
        read
    }

    #[test]
    fn r22_however_many_reports_wait_one_message_asks_to_look() {
        let reports = Reports::new();
        for _ in 0..3 {
            let mut asked = 0;
            for _ in 0..1_000 {
                reports.make(Instant::now(), note, || asked += 1);
            }
            assert_eq!(asked, 1);
            assert_eq!(read_all(&reports), 1_000);
        }
        assert!(reports.answers.include(3_000));
    }

    #[test]
    fn r22_callers_beside_an_owner_send_no_more_messages_than_it_has_looked() {
        const MAKERS: u64 = 4;
        const EACH: u64 = 2_000;
        let (reports, messages) = (Reports::new(), AtomicU64::new(0));
        let make = || {
            for _ in 0..EACH {
                reports.make(Instant::now(), note, || {
                    messages.fetch_add(1, Ordering::SeqCst);
                });
            }
        };
        let (mut looks, mut read) = (0, 0);
        thread::scope(|scope| {
            for _ in 0..MAKERS {
                scope.spawn(make);
            }
            while read < MAKERS * EACH {
                // Looking without being asked is what commands and timers do.
                looks += 1;
                read += read_all(&reports);
                assert!(messages.load(Ordering::SeqCst) <= looks + 1);
                thread::yield_now();
            }
        });
        assert_eq!(read, MAKERS * EACH);
        assert!(reports.answers.include(read) && !reports.answers.include(read + 1));
    }
}
