use std::time::{Duration, Instant};

use crate::ramp::Climb;
use crate::{Ramp, Ratio, span};

/// How traffic comes back to an endpoint that is usable again.
///
/// A primary that flaps would drag all traffic back and forth with it. So one
/// that was out gets its ramp's first share while it holds for a while, and
/// then more and more; each fall begins that anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a failback does nothing until a configuration has it"]
pub struct Failback {
    hold: Duration,
    ramp: Option<Ramp>,
}

impl Failback {
    /// All of its share at once.
    pub const fn at_once() -> Self {
        Self {
            hold: Duration::ZERO,
            ramp: None,
        }
    }

    /// The first share of `ramp` for as long as it must `hold`, then the ramp.
    ///
    /// # Panics
    ///
    /// If it must hold for no time or for longer than 100 years.
    pub const fn gradual(hold: Duration, ramp: Ramp) -> Self {
        Self {
            hold: span::checked(hold),
            ramp: Some(ramp),
        }
    }

    /// 10 % for 10 s, then over 30 s to all (Envoy's slow start begins at 10 %).
    pub const fn slow_start() -> Self {
        Self::gradual(
            Duration::from_secs(10),
            Ramp::linear(Ratio::percent(10), Duration::from_secs(30)),
        )
    }

    pub(super) fn begin(self, now: Instant) -> Comeback {
        match self.ramp {
            None => Comeback::Done,
            Some(ramp) => Comeback::Holding {
                ramp,
                until: now + self.hold,
            },
        }
    }

    /// For one that was never out, but may be cold.
    pub(super) fn begin_new(self, now: Instant) -> Comeback {
        self.ramp
            .map_or(Comeback::Done, |ramp| Comeback::Joining(ramp.begin(now)))
    }
}

/// How far one endpoint has come back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comeback {
    Climbing(Climb),
    Done,
    Holding {
        ramp: Ramp,
        until: Instant,
    },
    /// It was never out.
    Joining(Climb),
}

impl Comeback {
    /// How many of a hundred calls it gets, of those that it would get.
    pub(super) fn share(&self) -> u8 {
        match self {
            Self::Climbing(climb) | Self::Joining(climb) => climb.share(),
            Self::Done => 100,
            Self::Holding { ramp, until } => ramp.begin(*until).share(),
        }
    }

    /// How much of a hundred of its weight counts for its tier. One that joins is
    /// spared beside the others, but what it stands for is there: nothing has
    /// failed, so no other tier shall help out.
    pub(super) fn share_of_tier(&self) -> u8 {
        match self {
            Self::Joining(_) => 100,
            Self::Climbing(_) | Self::Done | Self::Holding { .. } => self.share(),
        }
    }

    /// Whether it has shown that it holds.
    pub(super) const fn holds(&self) -> bool {
        !matches!(self, Self::Holding { .. })
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Climbing(climb) | Self::Joining(climb) => Some(climb.next_deadline()),
            Self::Done => None,
            Self::Holding { until, .. } => Some(*until),
        }
    }

    pub(super) fn advance(self, now: Instant) -> Self {
        match self {
            Self::Climbing(climb) => climb.climb(now).map_or(Self::Done, Self::Climbing),
            Self::Holding { ramp, until } if until <= now => {
                let climb = ramp.begin(until).climb(now);
                climb.map_or(Self::Done, Self::Climbing)
            }
            Self::Joining(climb) => climb.climb(now).map_or(Self::Done, Self::Joining),
            Self::Done | Self::Holding { .. } => self,
        }
    }
}
