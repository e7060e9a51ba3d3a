use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock;

/// The count of the messages that wait for a child while it is down, up to a limit.
///
/// Handles on the child ask it for a place before they send. ractor takes what is sent
/// to the bare address, so the shell asks for a place as well when it takes out a message
/// that none was asked for, and drops the message if there is none.
///
/// # Invariants
///
/// 1. While the child is down, there are never more places taken than the limit.
/// 2. A message that waits has one place, whether it is in the mailbox or was taken out;
///    but for those that were sent to the bare address and are still in the mailbox, and
///    those whose sender has just seen the child up: they have none yet.
pub(super) struct Backlog {
    counts: Mutex<Counts>,
    /// A hint, so that nobody takes the lock while the child is up.
    is_down: AtomicBool,
    limit: usize,
}

#[derive(Default)]
struct Counts {
    /// The number of messages that were ever dropped.
    dropped: u64,
    is_down: bool,
    /// Those that were given a place and are still in the mailbox.
    sent: usize,
    /// Those that the shell has taken out of the mailbox.
    taken_out: usize,
}

impl Backlog {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            counts: Mutex::default(),
            is_down: AtomicBool::new(false),
            limit,
        }
    }

    /// Returns how many messages were dropped because the child was down and full.
    pub(super) fn dropped(&self) -> u64 {
        lock::with(&self.counts, |counts| counts.dropped)
    }

    /// Takes a place for a message that is about to be sent, if the child is down.
    ///
    /// # Memory ordering
    ///
    /// Relaxed: a sender that sees the child up when it has just gone down sends a
    /// message without a place, as if it had been sent a moment before.
    pub(super) fn enter(&self) -> Result<Entered, Full> {
        if !self.is_down.load(Ordering::Relaxed) {
            return Ok(Entered::Uncounted);
        }
        lock::with(&self.counts, |counts| {
            if !counts.is_down {
                Ok(Entered::Uncounted)
            } else if counts.waiting() < self.limit {
                counts.sent += 1;
                Ok(Entered::Counted)
            } else {
                Err(Full)
            }
        })
    }

    /// Gives back the place of a message that could not be sent.
    pub(super) fn give_back(&self, entered: Entered) {
        if entered == Entered::Counted {
            lock::with(&self.counts, |counts| {
                counts.sent = counts.sent.saturating_sub(1);
            });
        }
    }

    // The shell's side.

    /// Notes that no incarnation runs, and how many messages have been taken out.
    pub(super) fn goes_down(&self, taken_out: usize) {
        lock::with(&self.counts, |counts| {
            if !counts.is_down {
                counts.sent = 0;
            }
            counts.is_down = true;
            counts.taken_out = taken_out;
        });
        self.is_down.store(true, Ordering::Relaxed);
    }

    /// Notes that an incarnation runs, or none will: no message waits any more.
    pub(super) fn opens(&self) {
        self.is_down.store(false, Ordering::Relaxed);
        lock::with(&self.counts, |counts| counts.is_down = false);
    }

    /// Returns whether a message is kept that was taken out while the child is down;
    /// otherwise counts it as dropped.
    ///
    /// Nothing tells which message a place was taken for, so the next one has it.
    pub(super) fn keeps_another(&self) -> bool {
        lock::with(&self.counts, |counts| {
            let is_kept = counts.sent > 0 || counts.waiting() < self.limit;
            if is_kept {
                counts.sent = counts.sent.saturating_sub(1);
                counts.taken_out += 1;
            } else {
                counts.dropped += 1;
            }
            is_kept
        })
    }
}

impl Counts {
    const fn waiting(&self) -> usize {
        self.sent.saturating_add(self.taken_out)
    }
}

/// Whether a message has a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Entered {
    /// It has one, which it gives back if it is not sent.
    Counted,
    /// It needs none: the child is up.
    Uncounted,
}

/// There is no place for another message.
#[derive(Debug)]
pub(super) struct Full;
