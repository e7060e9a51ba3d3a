//! The verdicts inside a window, and when they leave it.
//!
//! A rate over "the last ten seconds" is only as honest as its forgetting: a
//! breaker that reads stale counts trips on an outage that is over. So leaving
//! is an event like arriving, with a deadline of its own.
//!
//! # Invariants
//!
//! 1. The sums are exactly the verdicts inside the window.
//! 2. While anything is inside that time will push out, there is a deadline.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Shape, Window};
use crate::counts::{Counts, Streak, Sums};
use crate::{Outcome, span};

#[derive(Clone, Debug)]
pub(crate) struct Verdicts {
    forgetting: Forgetting,
    streak: Streak,
    sums: Sums,
}

impl Verdicts {
    /// An empty window that begins now.
    pub(crate) fn new(window: Window, now: Instant) -> Self {
        let forgetting = match window.0 {
            Shape::Fixed { span } => Forgetting::AtOnce {
                span,
                ends: Some(now + span),
            },
            Shape::Last { calls } => Forgetting::ByCall(Last::new(calls)),
            Shape::Rolling { span, slices } => Forgetting::BySlice(Slices::new(span, slices, now)),
            Shape::Unbounded => Forgetting::Never,
        };
        Self {
            forgetting,
            streak: Streak::Nothing,
            sums: Sums::default(),
        }
    }

    /// Keeps what is inside for good.
    pub(crate) fn freeze(&mut self) {
        self.forgetting = Forgetting::Never;
    }

    /// Whether the next call must be told of, because a window begins with it.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(self.forgetting, Forgetting::AtOnce { ends: None, .. })
    }

    /// Notes that there was a call, which begins a window if none is running.
    pub(crate) fn wake(&mut self, now: Instant) {
        if let Forgetting::AtOnce {
            span,
            ends: ends @ None,
        } = &mut self.forgetting
        {
            *ends = Some(now + *span);
        }
    }

    pub(crate) fn record(&mut self, outcome: Outcome, now: Instant) {
        self.wake(now);
        self.sums.add(outcome);
        self.streak.add(outcome);
        match &mut self.forgetting {
            Forgetting::ByCall(last) => self.sums.subtract(last.push(outcome)),
            Forgetting::BySlice(slices) => self.sums.subtract(slices.push(outcome, now)),
            Forgetting::AtOnce { .. } | Forgetting::Never => {}
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.streak.within(self.sums)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.forgetting {
            Forgetting::AtOnce { ends, .. } => *ends,
            Forgetting::BySlice(slices) if self.sums != Sums::default() => Some(slices.turns_at()),
            Forgetting::ByCall(_) | Forgetting::BySlice(_) | Forgetting::Never => None,
        }
    }

    /// Lets go of what is no longer inside at `now`.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        match &mut self.forgetting {
            Forgetting::AtOnce { ends, .. } if ends.is_some_and(|ends| ends <= now) => {
                *ends = None;
                self.sums = Sums::default();
            }
            Forgetting::BySlice(slices) => self.sums.subtract(slices.turn(now)),
            Forgetting::AtOnce { .. } | Forgetting::ByCall(_) | Forgetting::Never => {}
        }
    }
}

/// How verdicts leave.
#[derive(Clone, Debug)]
enum Forgetting {
    AtOnce {
        span: Duration,
        /// None: the last window is over and no call has begun another.
        ends: Option<Instant>,
    },
    ByCall(Last),
    BySlice(Slices),
    Never,
}

/// The last calls, one entry each.
#[derive(Clone, Debug)]
struct Last {
    calls: usize,
    entries: VecDeque<Sums>,
}

impl Last {
    fn new(calls: u32) -> Self {
        Self {
            calls: calls as usize,
            entries: VecDeque::new(),
        }
    }

    /// Takes a verdict in and returns what it pushed out.
    ///
    /// An entry is one judged call and the ignored ones that came after it;
    /// those before the first judged call go with it.
    fn push(&mut self, outcome: Outcome) -> Sums {
        match self.entries.back_mut() {
            Some(entry) if outcome == Outcome::Ignored || entry.is_unjudged() => entry.add(outcome),
            _ => {
                let mut entry = Sums::default();
                entry.add(outcome);
                self.entries.push_back(entry);
            }
        }
        if self.entries.len() <= self.calls {
            return Sums::default();
        }
        self.entries.pop_front().unwrap_or_default()
    }
}

/// A ring of slices of time, the newest one at the back.
#[derive(Clone, Debug)]
struct Slices {
    length: Duration,
    ring: VecDeque<Sums>,
    /// When the newest slice began.
    since: Instant,
}

impl Slices {
    fn new(span: Duration, slices: u16, now: Instant) -> Self {
        let length = span::from_nanos(span.as_nanos().div_ceil(u128::from(slices)));
        Self {
            length,
            ring: vec![Sums::default(); slices.into()].into(),
            since: now,
        }
    }

    /// Takes a verdict into the slice that `now` is in and returns what fell out.
    fn push(&mut self, outcome: Outcome, now: Instant) -> Sums {
        let gone = self.turn(now);
        self.ring
            .back_mut()
            .expect("a ring has at least one slice")
            .add(outcome);
        gone
    }

    fn turns_at(&self) -> Instant {
        self.since + self.length
    }

    /// Moves on to the slice that `now` is in and returns what fell out.
    fn turn(&mut self, now: Instant) -> Sums {
        let passed = now.saturating_duration_since(self.since).as_nanos() / self.length.as_nanos();
        let mut gone = Sums::default();
        for _ in 0..passed.min(self.ring.len() as u128) {
            let oldest = self.ring.pop_front().unwrap_or_default();
            gone.merge(oldest);
            self.ring.push_back(Sums::default());
        }
        self.since += span::from_nanos(self.length.as_nanos() * passed);
        gone
    }
}
