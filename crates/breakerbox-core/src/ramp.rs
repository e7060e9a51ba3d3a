use std::time::{Duration, Instant};

use crate::standing::WHOLE;
use crate::{Ratio, span};

/// How admission grows after closing: from a share of the calls to all.
///
/// A peer that has just come back has cold caches and few connections, and the
/// whole load at once is what knocks it over again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a ramp does nothing until a configuration has it"]
pub struct Ramp {
    from: u8,
    over: Duration,
}

impl Ramp {
    /// Grows evenly from `from` to all `over` a span, in twenty steps.
    ///
    /// `from` is taken in whole percents, rounded down.
    ///
    /// # Panics
    ///
    /// If `from` is less than 1 percent, or if the span is zero or longer than
    /// 100 years.
    pub const fn linear(from: Ratio, over: Duration) -> Self {
        let percent = from.of(WHOLE as u64) as u8;
        assert!(
            percent > 0,
            "a ramp begins with at least 1 percent of the calls"
        );
        Self {
            from: percent,
            over: span::checked(over),
        }
    }

    /// The ramp of a breaker that closes now.
    pub(crate) fn begin(self, now: Instant) -> Climb {
        Climb {
            ramp: self,
            since: now,
            step: 0,
        }
    }
}

/// A ramp under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Climb {
    ramp: Ramp,
    since: Instant,
    step: u32,
}

impl Climb {
    /// How many calls of a hundred are admitted.
    pub(crate) fn share(&self) -> u8 {
        let rest = u32::from(WHOLE - self.ramp.from);
        let climbed = rest * self.step / STEPS;
        self.ramp.from + u8::try_from(climbed).expect("a part of a hundred")
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        self.since + self.ramp.over * (self.step + 1) / STEPS
    }

    /// Climbs to where it should be; None at the top.
    pub(crate) fn climb(self, now: Instant) -> Option<Self> {
        let mut climb = self;
        while climb.step < STEPS && climb.next_deadline() <= now {
            climb.step += 1;
        }
        (climb.step < STEPS).then_some(climb)
    }
}

const STEPS: u32 = 20;
