//! What a breaker says to callers until it says otherwise.
//!
//! A breaker has one owner, and asking it about each call would cost more than
//! most calls. So the owner publishes a standing answer, small enough for one
//! machine word, and callers work out from it whether they may pass. The rule
//! by which they do is here, so that there is one rule.
//!
//! # Invariants
//!
//! 1. Admitting by the standing answer and asking the [`Circuit`](crate::Circuit)
//!    are the same.
//! 2. A place taken or handed back changes the answer of its own generation only.

use std::time::Instant;

use crate::ticket::Role;
use crate::{Forced, Generation, Notice, Outcome, RejectReason, State, Ticket};

/// The standing answer to "may I call?".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The override in force.
    pub forced: Option<Forced>,
    /// The generation that calls are admitted in.
    pub generation: Generation,
    /// Whether the calls in flight are counted.
    pub in_flight: InFlight,
    /// What to do because the owner is gone for good; None while it lives.
    pub orphaned: Option<Orphaned>,
    /// How many more calls may be admitted, where they are counted: probes in
    /// HalfOpen, calls in flight in Closed.
    pub places: u16,
    /// How many calls of a hundred are admitted while Closed.
    pub share: u8,
    /// The state beneath the override.
    pub state: State,
    /// Whether the owner waits to hear of the next call.
    pub wake: Wake,
}

impl Standing {
    /// What a call gets: its leave, or the reason why not.
    ///
    /// `draw` is asked for a number from 0 to 99 while the breaker ramps up, and
    /// at no other time.
    ///
    /// # Errors
    ///
    /// The reason for which the call is rejected.
    pub fn admit(self, draw: impl FnOnce() -> u8) -> Result<Admission, RejectReason> {
        match (self.forced, self.orphaned, self.state) {
            (Some(Forced::Open), ..) => Err(RejectReason::ForcedOpen),
            (_, Some(Orphaned::Admit), _) => Ok(Admission::Plain),
            (_, Some(Orphaned::Reject), _) => Err(RejectReason::Orphaned),
            (None, None, State::Open) => Err(RejectReason::Open),
            (_, _, State::HalfOpen) if self.places > 0 => Ok(Admission::Probe(self.less_one())),
            (None, None, State::HalfOpen) => Err(RejectReason::HalfOpen),
            (None, None, State::Closed) if self.share < WHOLE && draw() >= self.share => {
                Err(RejectReason::Ramp)
            }
            (forced, None, State::Closed) if self.in_flight == InFlight::Counted => {
                self.admit_counted(forced)
            }
            _ => Ok(self.admit_plain()),
        }
    }

    /// The answer once a call has ended, if that changes it.
    ///
    /// A probe that judged nothing gives its place back, and one of the calls in
    /// flight its own, while their generation lasts.
    #[must_use]
    pub fn hand_back(self, notice: Notice, outcome: Outcome) -> Option<Self> {
        let gives_back = match (self.state, notice.role) {
            (State::HalfOpen, Role::Probe { .. }) => outcome == Outcome::Ignored,
            (State::Closed, Role::Counted | Role::Last) => true,
            _ => false,
        };
        let places = self.places.saturating_add(1);
        let lasts = self.generation == notice.generation;
        (gives_back && lasts).then_some(Self { places, ..self })
    }

    fn admit_plain(self) -> Admission {
        match self.wake {
            Wake::Asleep => Admission::First(self.awake()),
            Wake::Awake => Admission::Plain,
        }
    }

    /// One of the calls in flight; the last one is let through, and opens.
    fn admit_counted(self, forced: Option<Forced>) -> Result<Admission, RejectReason> {
        match (self.places, forced, self.wake) {
            (0, None, _) => Err(RejectReason::InFlight),
            (0, Some(_), _) => Ok(self.admit_plain()),
            (1, ..) => Ok(Admission::Last(self.less_one().awake())),
            (_, _, Wake::Asleep) => Ok(Admission::First(self.less_one().awake())),
            (_, _, Wake::Awake) => Ok(Admission::Counted(self.less_one())),
        }
    }

    fn less_one(self) -> Self {
        Self {
            places: self.places - 1,
            ..self
        }
    }

    fn awake(self) -> Self {
        Self {
            wake: Wake::Awake,
            ..self
        }
    }
}

/// How a call is admitted, and what the standing answer becomes by that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Admission {
    /// As one of the calls in flight, which are counted.
    Counted(Standing),
    /// As the first call that the owner waits to hear of.
    First(Standing),
    /// As the one in flight that is one too many, which opens the breaker.
    Last(Standing),
    /// As one of many: nothing changes, and nobody needs to hear of it.
    Plain,
    /// As a probe. The owner must hear of it, because it has a deadline.
    Probe(Standing),
}

impl Admission {
    /// What the standing answer becomes by it, if it changes.
    #[must_use]
    pub const fn becomes(self) -> Option<Standing> {
        match self {
            Self::Counted(next) | Self::First(next) | Self::Last(next) | Self::Probe(next) => {
                Some(next)
            }
            Self::Plain => None,
        }
    }

    /// Whether the owner must hear of it.
    #[must_use]
    pub const fn is_news(self) -> bool {
        matches!(self, Self::First(_) | Self::Last(_) | Self::Probe(_))
    }

    /// The ticket of a call that is admitted like this in `generation`.
    pub fn ticket(self, generation: Generation, now: impl FnOnce() -> Instant) -> Ticket {
        let role = match self {
            Self::Counted(_) => Role::Counted,
            Self::First(next) if next.in_flight == InFlight::Counted => Role::Counted,
            Self::First(_) | Self::Plain => Role::Plain,
            Self::Last(_) => Role::Last,
            Self::Probe(_) => Role::Probe { since: now() },
        };
        Ticket::new(generation, role)
    }
}

/// Whether the calls in flight are counted while Closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InFlight {
    /// They are, because the trip policy asks.
    Counted,
    /// They are not.
    Uncounted,
}

/// Whether the owner waits to hear of the next call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wake {
    /// It does: a window begins with it.
    Asleep,
    /// It does not.
    Awake,
}

/// What callers get when a breaker's owner is gone for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Orphaned {
    /// Every call is admitted and judges nothing.
    Admit,
    /// No call is admitted.
    Reject,
}

/// The share of a breaker that is not ramping up: all.
pub(crate) const WHOLE: u8 = 100;
