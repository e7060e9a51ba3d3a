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
}

/// A flight that is ignored, not abandoned, if it is dropped once another one
/// has won.
pub(super) struct Loser<'a> {
    pub(super) decided: &'a AtomicBool,
    /// None once it is back.
    pub(super) flight: Option<Flight>,
}

impl Loser<'_> {
    pub(super) fn back(mut self) -> Flight {
        self.flight.take().expect("it is back only once")
    }
}

impl Drop for Loser<'_> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take()
            && self.decided.load(Ordering::Relaxed)
        {
            flight.give_up();
        }
    }
}
