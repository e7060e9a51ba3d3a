//! The owner's book: the circuit, and what of the tally has been entered in it.
//!
//! It is written by straight code, which neither waits nor runs user code but
//! for the trip policy, and that is asked when everything else is entered. So
//! whenever an owner crashes, the book is whole.

use std::time::{Duration, Instant};

use breakerbox_core::{Circuit, Pace, Wake};

use super::call_path::{CallPath, Heard, Reading};
use super::reports::{Batch, Report, Reports, Verdict};

#[derive(Debug)]
pub(super) struct Ledger {
    /// Reports that were read and are not entered yet.
    batch: Batch,
    circuit: Circuit,
    heard: Heard,
    /// When to look once more after falling asleep.
    look_again: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(circuit: Circuit) -> Self {
        Self {
            batch: Batch::new(),
            circuit,
            heard: Heard::default(),
            look_again: None,
        }
    }

    pub(super) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub(super) fn circuit_mut(&mut self) -> &mut Circuit {
        &mut self.circuit
    }

    /// Enters all that was reported, all that was folded and all that is due,
    /// and publishes what holds from now on.
    pub(super) fn settle_up(&mut self, reports: &Reports, path: &CallPath, now: Instant) {
        loop {
            while let Some((report, at)) = self.batch.pop_front() {
                self.hear(path, report, at);
            }
            let mut batch = std::mem::take(&mut self.batch);
            reports.read_or(&mut batch, || self.close(path, now));
            self.batch = batch;
            if self.batch.is_empty() {
                return;
            }
        }
    }

    /// Does something to the circuit; if that ends its generation, so it does
    /// for callers.
    pub(super) fn act<T>(&mut self, path: &CallPath, act: impl FnOnce(&mut Circuit) -> T) -> T {
        let before = self.circuit.generation();
        let done = act(&mut self.circuit);
        if self.circuit.generation() != before {
            let left = path.begin(self.circuit.generation());
            let late = self.heard.over(left);
            self.circuit.note_late(late);
        }
        done
    }

    /// When there is something to do without being asked.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.circuit
            .next_deadline()
            .into_iter()
            .chain(self.look_again)
            .min()
    }

    /// Enters what was folded and what is due, and publishes what follows.
    fn close(&mut self, path: &CallPath, now: Instant) {
        let reading = path.take(self.circuit.generation());
        self.enter(Some(reading), now);
        self.heard.taken();
        self.act(path, |circuit| circuit.handle_deadline(now));
        let standing = self.circuit.standing();
        let run = self.circuit.counts().consecutive_failures;
        let laid = path.publish(standing, self.circuit.fuse(), run, self.circuit.retry_at());
        self.heard.laid(laid);
        self.look_again = match standing.wake {
            Wake::Asleep if reading.is_awake() => Some(now + LOOK_AGAIN),
            Wake::Asleep => self.look_again.filter(|at| *at > now),
            Wake::Awake => None,
        };
    }

    fn hear(&mut self, path: &CallPath, report: Report, at: Instant) {
        match report {
            Report::Admitted(notice, reading) => {
                self.enter(reading, at);
                self.act(path, |circuit| circuit.admitted(notice, at));
            }
            Report::Settled(verdict) => self.judge(path, verdict, at),
        }
    }

    fn judge(&mut self, path: &CallPath, verdict: Verdict, at: Instant) {
        let Verdict {
            outcome,
            pace,
            reading,
            ticket,
        } = verdict;
        self.enter(reading, at);
        self.act(path, |circuit| match pace {
            Pace::Fast => circuit.settle(ticket, outcome, at),
            Pace::Slow => circuit.settle_slow(ticket, outcome, at),
        });
    }

    /// Enters what a reading has that is new, as of `at`.
    ///
    /// One of a generation that is over has nothing to enter: what was not heard
    /// of when it ended is late.
    fn enter(&mut self, reading: Option<Reading>, at: Instant) {
        let Some(reading) = reading.filter(|it| it.is_of(self.circuit.generation())) else {
            return;
        };
        let news = self.heard.news(&reading, &self.circuit.counts());
        // Whoever folded it met no deadline, so it came before one that is due.
        let before_due = self
            .circuit
            .next_deadline()
            .map(|due| due - Duration::from_nanos(1));
        self.circuit
            .absorb(&news, before_due.map_or(at, |before| at.min(before)));
    }
}

/// A success that was being counted while the owner fell asleep is found then.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
