use std::time::{Duration, Instant};

use crate::{Outcome, span};

/// The calls that a HalfOpen generation lets through.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    /// When each one that is out was admitted.
    out: Vec<Instant>,
    places: u16,
    succeeded: u16,
}

impl Probes {
    pub(crate) fn new(places: u16) -> Self {
        Self {
            out: Vec::new(),
            places,
            succeeded: 0,
        }
    }

    pub(crate) fn admit(&mut self, since: Instant) {
        self.out.push(since);
    }

    pub(crate) fn settle(&mut self, since: Instant, outcome: Outcome) {
        if let Some(place) = self.out.iter().position(|admitted| *admitted == since) {
            self.out.swap_remove(place);
        }
        if outcome == Outcome::Success {
            self.succeeded += 1;
        }
    }

    pub(crate) fn all_succeeded(&self) -> bool {
        self.succeeded >= self.places
    }

    pub(crate) fn free_places(&self) -> u16 {
        let out = u16::try_from(self.out.len()).unwrap_or(u16::MAX);
        self.places
            .saturating_sub(self.succeeded)
            .saturating_sub(out)
    }

    /// When the oldest probe is overdue, if probes have a deadline.
    pub(crate) fn next_deadline(&self, limit: Option<Duration>) -> Option<Instant> {
        let oldest = self.out.iter().min()?;
        Some(span::after(*oldest, limit?))
    }
}
