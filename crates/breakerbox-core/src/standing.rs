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
//! 3. Once the limit of calls in flight is reached, no call of that generation is
//!    admitted by it again, however many end meanwhile.

use std::time::Instant;

use crate::ticket::Role;
use crate::{Forced, Generation, Notice, Outcome, RejectReason, State, Ticket};

mod word;

pub use word::Beside;

/// The standing answer to "may I call?".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The override in force.
    pub forced: Option<Forced>,
    /// The generation that calls are admitted in.
    pub generation: Generation,
    /// The calls in flight, as far as they are counted.
    pub in_flight: InFlight,
    /// Whether a caller must look beyond this answer.
    pub look: Look,
    /// What to do because the owner is gone for good; None while it lives.
    pub orphaned: Option<Orphaned>,
    /// How many more probes HalfOpen admits.
    pub places: u16,
    /// How many calls of a hundred are admitted while Closed.
    pub share: u8,
    /// The state beneath the override.
    pub state: State,
    /// Whether the owner waits to hear of the next call.
    pub wake: Wake,
}

impl Standing {
    /// Returns what a call gets: its leave, or the reason why not.
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
            (None, None, State::Closed) if self.is_cut() => Err(RejectReason::InFlight),
            (None, None, State::Closed) if self.share < WHOLE && draw() >= self.share => {
                Err(RejectReason::Ramp)
            }
            (_, None, State::Closed) => Ok(self.admit_closed()),
            (Some(Forced::Closed), None, State::HalfOpen | State::Open) => Ok(self.admit_plain()),
        }
    }

    /// Returns the answer once a call has ended, if that changes it.
    ///
    /// A probe that judged nothing gives its place back, and one of the calls in
    /// flight its own, while their generation lasts.
    #[must_use]
    pub fn hand_back(self, notice: Notice, outcome: Outcome) -> Option<Self> {
        if self.generation != notice.generation {
            return None;
        }
        match (self.state, notice.role) {
            (State::HalfOpen, Role::Probe { .. }) if outcome == Outcome::Ignored => Some(Self {
                places: self.places.saturating_add(1),
                ..self
            }),
            (State::Closed, Role::Counted) => Some(Self {
                in_flight: self.in_flight.less_one(),
                ..self
            }),
            _ => None,
        }
    }

    /// Returns what `next` becomes where this answer stood: what callers have
    /// taken of it since stays taken.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        let orphaned = self.orphaned.or(next.orphaned);
        if self.generation != next.generation {
            return Self { orphaned, ..next };
        }
        Self {
            in_flight: self.in_flight.limited_to(next.in_flight.limit()),
            orphaned,
            places: self.places,
            ..next
        }
    }

    /// Whether the gate is cut: the limit of calls in flight has been reached,
    /// and the breaker is about to be Open.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.state == State::Closed && self.in_flight == InFlight::Exceeded
    }

    /// Returns the state that calls meet: the override's, that of an orphaned
    /// breaker, or the breaker's own.
    #[must_use]
    pub fn effective_state(&self) -> State {
        match (self.forced, self.orphaned) {
            (Some(Forced::Open), _) | (_, Some(Orphaned::Reject)) => State::Open,
            (Some(Forced::Closed), None) | (_, Some(Orphaned::Admit)) => State::Closed,
            (None, None) => self.state,
        }
    }

    fn admit_closed(self) -> Admission {
        let InFlight::Counted { calls, limit } = self.in_flight else {
            return self.admit_plain();
        };
        let calls = calls.saturating_add(1);
        if calls >= limit {
            let in_flight = InFlight::Exceeded;
            return Admission::Last(Self { in_flight, ..self }.awake());
        }
        let in_flight = InFlight::Counted { calls, limit };
        let next = Self { in_flight, ..self };
        match self.wake {
            Wake::Asleep => Admission::First(next.awake()),
            Wake::Awake => Admission::Counted(next),
        }
    }

    fn admit_plain(self) -> Admission {
        match self.wake {
            Wake::Asleep => Admission::First(self.awake()),
            Wake::Awake => Admission::Plain,
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
            Self::First(next) if next.in_flight.limit().is_some() => Role::Counted,
            Self::First(_) | Self::Plain => Role::Plain,
            Self::Last(_) => Role::Last,
            Self::Probe(_) => Role::Probe { since: now() },
        };
        Ticket::new(generation, role)
    }
}

/// The calls in flight while Closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InFlight {
    /// They are counted, because the trip policy asks.
    Counted {
        /// How many are in flight.
        calls: u16,
        /// The call that makes it so many opens the breaker.
        limit: u16,
    },
    /// The limit was reached: the call that did is admitted, and none after it.
    Exceeded,
    /// They are not counted.
    Uncounted {
        /// How many that were counted before are still in flight.
        calls: u16,
    },
}

impl InFlight {
    /// No calls in flight, to be counted up to `limit` if there is one.
    #[must_use]
    pub const fn none(limit: Option<u16>) -> Self {
        match limit {
            Some(limit) => Self::Counted { calls: 0, limit },
            None => Self::Uncounted { calls: 0 },
        }
    }

    /// Returns how many of the calls in flight are known.
    ///
    /// None where they are not counted, or no longer because of their number.
    #[must_use]
    pub const fn calls(self) -> Option<u16> {
        match self {
            Self::Counted { calls, .. } => Some(calls),
            Self::Exceeded | Self::Uncounted { .. } => None,
        }
    }

    pub(crate) const fn limit(self) -> Option<u16> {
        match self {
            Self::Counted { limit, .. } => Some(limit),
            Self::Exceeded | Self::Uncounted { .. } => None,
        }
    }

    /// The same calls under another limit, or under none.
    pub(crate) const fn limited_to(self, limit: Option<u16>) -> Self {
        match (self, limit) {
            (Self::Exceeded, _) => Self::Exceeded,
            (Self::Counted { calls, .. } | Self::Uncounted { calls }, Some(limit)) => {
                Self::Counted { calls, limit }
            }
            (Self::Counted { calls, .. } | Self::Uncounted { calls }, None) => {
                Self::Uncounted { calls }
            }
        }
    }

    pub(crate) const fn less_one(self) -> Self {
        match self {
            Self::Counted { calls, limit } => Self::Counted {
                calls: calls.saturating_sub(1),
                limit,
            },
            Self::Exceeded => Self::Exceeded,
            Self::Uncounted { calls } => Self::Uncounted {
                calls: calls.saturating_sub(1),
            },
        }
    }
}

/// Whether a caller must look beyond the standing answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Look {
    /// Something beside the word takes part: a share, a limit of calls in
    /// flight, or the clock when the call begins.
    Beyond,
    /// The word says it all.
    NoFurther,
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
