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

use crate::{Forced, Generation, Notice, Outcome, RejectReason, State, Ticket};

/// The standing answer to "may I call?".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// The override in force.
    pub forced: Option<Forced>,
    /// The generation that calls are admitted in.
    pub generation: Generation,
    /// What to do because the owner is gone for good; None while it lives.
    pub orphaned: Option<Orphaned>,
    /// How many more probes may be admitted; 0 but in HalfOpen.
    pub places: u16,
    /// The state beneath the override.
    pub state: State,
    /// Whether the owner waits to hear of the next call.
    pub wake: Wake,
}

impl Standing {
    /// What a call gets: its leave, or the reason why not.
    ///
    /// # Errors
    ///
    /// The reason for which the call is rejected.
    pub const fn admit(self) -> Result<Admission, RejectReason> {
        match (self.forced, self.orphaned, self.state) {
            (Some(Forced::Open), ..) => Err(RejectReason::ForcedOpen),
            (_, Some(Orphaned::Admit), _) => Ok(Admission::Plain),
            (_, Some(Orphaned::Reject), _) => Err(RejectReason::Orphaned),
            (None, None, State::Open) => Err(RejectReason::Open),
            (_, _, State::HalfOpen) if self.places > 0 => Ok(Admission::Probe(Self {
                places: self.places - 1,
                ..self
            })),
            (None, None, State::HalfOpen) => Err(RejectReason::HalfOpen),
            _ => match self.wake {
                Wake::Asleep => Ok(Admission::First(Self {
                    wake: Wake::Awake,
                    ..self
                })),
                Wake::Awake => Ok(Admission::Plain),
            },
        }
    }

    /// The answer once a call has ended, if that changes it.
    ///
    /// A probe that judged nothing gives its place back, while its generation
    /// lasts.
    #[must_use]
    pub fn hand_back(self, notice: Notice, outcome: Outcome) -> Option<Self> {
        let gives_back = notice.probe_since.is_some() && outcome == Outcome::Ignored;
        let still_probing = self.state == State::HalfOpen && self.generation == notice.generation;
        let places = self.places.saturating_add(1);
        (gives_back && still_probing).then_some(Self { places, ..self })
    }
}

/// How a call is admitted, and what the standing answer becomes by that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Admission {
    /// As the first call that the owner waits to hear of.
    First(Standing),
    /// As one of many: nothing changes, and nobody needs to hear of it.
    Plain,
    /// As a probe. The owner must hear of it, because it has a deadline.
    Probe(Standing),
}

impl Admission {
    /// The ticket of a call that is admitted like this in `generation`.
    pub fn ticket(self, generation: Generation, now: impl FnOnce() -> Instant) -> Ticket {
        match self {
            Self::First(_) | Self::Plain => Ticket::plain(generation),
            Self::Probe(_) => Ticket::probe(generation, now()),
        }
    }
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
