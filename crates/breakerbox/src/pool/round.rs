use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::Progress;
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

    pub(super) fn enter<'a, P>(&'a self, progress: &'a P, flight: Flight) -> Contender<'a, P>
    where
        P: Fn() -> Progress,
    {
        Contender {
            flight: Some(flight),
            progress,
            round: self,
        }
    }
}

/// A flight on its way.
///
/// Dropped once another one has won, it is ignored and not abandoned. However it is
/// dropped, the time that an upload took is not its endpoint's.
pub(super) struct Contender<'a, P: Fn() -> Progress> {
    /// None once it is back.
    flight: Option<Flight>,
    progress: &'a P,
    pub(super) round: &'a Round,
}

impl<P: Fn() -> Progress> Contender<'_, P> {
    pub(super) fn flight(&mut self) -> &mut Flight {
        self.flight.as_mut().expect("it is not back yet")
    }

    pub(super) fn back(mut self) -> Flight {
        self.flight.take().expect("it is back only once")
    }
}

impl<P: Fn() -> Progress> Drop for Contender<'_, P> {
    fn drop(&mut self) {
        let Some(mut flight) = self.flight.take() else {
            return;
        };
        // Whoever panics is not asked how far they are.
        if !thread::panicking() {
            let upload = (self.progress)().upload;
            flight.counts_from(upload.counted_from(flight.since()));
        }
        if self.round.decided.load(Ordering::Relaxed) {
            flight.give_up();
        }
    }
}
