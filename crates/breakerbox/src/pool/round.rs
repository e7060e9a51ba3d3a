use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::flight::Flight;

/// An attempt, and perhaps a hedge beside it.
pub(super) struct Round {
    /// With the first of them.
    pub(super) began: Instant,
    /// One of them has won.
    pub(super) decided: AtomicBool,
}

impl Round {
    pub(super) fn new(first: &Flight) -> Self {
        Self {
            began: first.since(),
            decided: AtomicBool::new(false),
        }
    }

    pub(super) fn enter(&self, flight: Flight) -> Contender<'_> {
        Contender {
            flight: Some(flight),
            round: self,
        }
    }
}

/// A flight that is ignored, not abandoned, if it is dropped once another one
/// has won.
pub(super) struct Contender<'a> {
    /// None once it is back.
    flight: Option<Flight>,
    pub(super) round: &'a Round,
}

impl Contender<'_> {
    pub(super) fn flight(&mut self) -> &mut Flight {
        self.flight.as_mut().expect("it is not back yet")
    }

    pub(super) fn back(mut self) -> Flight {
        self.flight.take().expect("it is back only once")
    }
}

impl Drop for Contender<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take()
            && self.round.decided.load(Ordering::Relaxed)
        {
            flight.give_up();
        }
    }
}
