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
use crate::counts::{Counts, Sums};
use crate::{Outcome, Pace, Streak, Wake, span};

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

    /// Whether the next call must be told of, because time stands still until then.
    ///
    /// A fixed window begins with it; a rolling one that is empty need not turn
    /// before.
    pub(crate) fn is_asleep(&self) -> bool {
        match &self.forgetting {
            Forgetting::AtOnce { ends, .. } => ends.is_none(),
            Forgetting::BySlice(slices) => slices.wake == Wake::Asleep,
            Forgetting::ByCall(_) | Forgetting::Never => false,
        }
    }

    /// Notes that there was a call or a verdict.
    pub(crate) fn wake(&mut self, now: Instant) {
        match &mut self.forgetting {
            Forgetting::AtOnce { span, ends } if ends.is_none() => *ends = Some(now + *span),
            Forgetting::BySlice(slices) => slices.wake_up(now),
            Forgetting::AtOnce { .. } | Forgetting::ByCall(_) | Forgetting::Never => {}
        }
    }

    pub(crate) fn record(&mut self, outcome: Outcome, pace: Pace, now: Instant) {
        let verdict = Sums::of(outcome, pace);
        self.wake(now);
        self.sums.merge(verdict);
        self.streak.add(outcome);
        match &mut self.forgetting {
            Forgetting::ByCall(last) => self.sums.subtract(last.push(verdict)),
            Forgetting::BySlice(slices) => self.sums.subtract(slices.push(verdict, now)),
            Forgetting::AtOnce { .. } | Forgetting::Never => {}
        }
    }

    /// Takes verdicts in that were added up.
    ///
    /// Where the window is one of calls they must all be successes or ignored:
    /// which failure slides out when depends on their order.
    pub(crate) fn absorb(&mut self, sums: Sums, now: Instant) {
        self.wake(now);
        self.sums.merge(sums);
        match &mut self.forgetting {
            Forgetting::ByCall(last) => self.sums.subtract(last.push(sums)),
            Forgetting::BySlice(slices) => self.sums.subtract(slices.push(sums, now)),
            Forgetting::AtOnce { .. } | Forgetting::Never => {}
        }
    }

    /// Takes over how the newest verdicts follow each other, if that is known.
    pub(crate) fn correct(&mut self, streak: Streak) {
        if streak != Streak::Nothing {
            self.streak = streak;
        }
    }

    /// Whether verdicts leave by their number, so that their order matters.
    pub(crate) fn is_of_calls(&self) -> bool {
        matches!(self.forgetting, Forgetting::ByCall(_))
    }

    pub(crate) fn counts(&self) -> Counts {
        self.streak.within(self.sums)
    }

    /// When verdicts begin to leave by themselves.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match &self.forgetting {
            Forgetting::AtOnce { ends, .. } => *ends,
            Forgetting::BySlice(slices) => slices.next_deadline(),
            Forgetting::ByCall(_) | Forgetting::Never => None,
        }
    }

    /// Lets go of what is no longer inside at `now`.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        match &mut self.forgetting {
            Forgetting::AtOnce { ends, .. } if ends.is_some_and(|ends| ends <= now) => {
                *ends = None;
                self.sums = Sums::default();
            }
            Forgetting::BySlice(slices) => {
                self.sums.subtract(slices.turn(now));
                if self.sums == Sums::default() {
                    slices.wake = Wake::Asleep;
                }
            }
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

/// The last calls that judged something, oldest first.
///
/// Ignored ones take no place, so nothing pushes them out.
#[derive(Clone, Debug)]
struct Last {
    calls: usize,
    judged: VecDeque<Judged>,
}

#[derive(Clone, Copy, Debug)]
enum Judged {
    Failure(Pace),
    Success(Pace),
}

impl Last {
    fn new(calls: u32) -> Self {
        let calls = calls as usize;
        Self {
            calls,
            judged: VecDeque::new(),
        }
    }

    /// Takes verdicts in, successes first, and returns what they pushed out.
    fn push(&mut self, verdicts: Sums) -> Sums {
        let pace = if verdicts.slow > 0 {
            Pace::Slow
        } else {
            Pace::Fast
        };
        let overflowing = verdicts.successes.saturating_sub(self.calls as u64);
        let mut gone = Sums {
            successes: overflowing,
            ..Sums::default()
        };
        for _ in overflowing..verdicts.successes {
            gone.merge(self.push_one(Judged::Success(pace)));
        }
        for _ in 0..verdicts.failures {
            gone.merge(self.push_one(Judged::Failure(pace)));
        }
        gone
    }

    fn push_one(&mut self, judged: Judged) -> Sums {
        self.judged.push_back(judged);
        if self.judged.len() <= self.calls {
            return Sums::default();
        }
        match self.judged.pop_front() {
            Some(Judged::Failure(pace)) => Sums::of(Outcome::failure(), pace),
            Some(Judged::Success(pace)) => Sums::of(Outcome::Success, pace),
            None => Sums::default(),
        }
    }
}

/// A ring of slices of time, the newest one at the back.
#[derive(Clone, Debug)]
struct Slices {
    length: Duration,
    /// Without room until there is a verdict: most breakers of a crowd never have one.
    ring: VecDeque<Sums>,
    /// When the newest slice began; while asleep, one before it.
    since: Instant,
    slices: u16,
    /// Asleep while all slices are empty and no call has come since.
    wake: Wake,
}

impl Slices {
    fn new(span: Duration, slices: u16, now: Instant) -> Self {
        let length = span::from_nanos(span.as_nanos().div_ceil(u128::from(slices)));
        Self {
            length,
            ring: VecDeque::new(),
            since: now,
            slices,
            wake: Wake::Asleep,
        }
    }

    /// Takes verdicts into the slice that `now` is in and returns what fell out.
    fn push(&mut self, verdicts: Sums, now: Instant) -> Sums {
        if self.ring.is_empty() {
            let empty = std::iter::repeat_n(Sums::default(), self.slices.into());
            self.ring.extend(empty);
        }
        let gone = self.turn(now);
        let newest = self.ring.back_mut();
        newest
            .expect("a ring has at least one slice")
            .merge(verdicts);
        gone
    }

    fn wake_up(&mut self, now: Instant) {
        if self.wake == Wake::Asleep {
            // All slices are empty, so nothing falls out.
            self.turn(now);
            self.wake = Wake::Awake;
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        (self.wake == Wake::Awake).then(|| self.since + self.length)
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
