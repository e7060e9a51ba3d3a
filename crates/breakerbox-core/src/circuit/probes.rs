use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use crate::{Outcome, span};

/// The calls that a HalfOpen generation lets through.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    /// The number of probes that are out, by the instant at which they were admitted.
    ///
    /// The map is sorted, since there may be thousands of probes, and each one that is
    /// admitted or settled asks for the oldest.
    out: BTreeMap<Instant, u32>,
    /// The sum of `out`.
    out_in_all: u32,
    places: u16,
    succeeded: u16,
}

impl Probes {
    pub(crate) fn new(places: u16) -> Self {
        Self {
            out: BTreeMap::new(),
            out_in_all: 0,
            places,
            succeeded: 0,
        }
    }

    pub(crate) fn admit(&mut self, since: Instant) {
        *self.out.entry(since).or_default() += 1;
        self.out_in_all += 1;
    }

    pub(crate) fn settle(&mut self, since: Instant, outcome: Outcome) {
        if let Entry::Occupied(mut out) = self.out.entry(since) {
            self.out_in_all -= 1;
            match *out.get() {
                1 => drop(out.remove()),
                more => *out.get_mut() = more - 1,
            }
        }
        if outcome == Outcome::Success {
            self.succeeded += 1;
        }
    }

    pub(crate) fn all_succeeded(&self) -> bool {
        self.succeeded >= self.places
    }

    pub(crate) fn free_places(&self) -> u16 {
        let out = u16::try_from(self.out_in_all).unwrap_or(u16::MAX);
        self.places
            .saturating_sub(self.succeeded)
            .saturating_sub(out)
    }

    /// Returns when the oldest probe is overdue, if probes have a deadline.
    pub(crate) fn next_deadline(&self, limit: Option<Duration>) -> Option<Instant> {
        let (oldest, _) = self.out.first_key_value()?;
        Some(span::after(*oldest, limit?))
    }
}
