use breakerbox_core::{Attempt, EndpointId};

use super::flight::Flight;

/// The endpoints that a call was sent to, and their tiers.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) endpoints: Vec<EndpointId>,
    /// Whether it has gone on though every breaker rejected it, and so makes one attempt.
    is_last_resort: bool,
    /// The tiers of the last two, the last one first.
    last_tiers: [Option<u8>; 2],
}

impl Tried {
    pub(super) fn note(&mut self, flight: &Flight) {
        self.endpoints.push(flight.id());
        self.last_tiers = [Some(flight.tier()), self.last_tiers[0]];
        self.is_last_resort |= flight.is_last_resort();
    }

    /// Returns whether the call may be sent to one more endpoint.
    pub(super) const fn allows_another(&self, most: u32) -> bool {
        !self.is_last_resort && self.count() < most as usize
    }

    pub(super) const fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// What the next attempt is. It shuns a tier that failed twice in a row: with
    /// a whole tier down, all attempts would be spent in it (Envoy's
    /// `previous_priorities` does the same).
    pub(super) fn attempt(&self) -> Attempt {
        match self.last_tiers {
            [None, _] => Attempt::First,
            [last, before] if last == before => Attempt::Next { shun: last },
            _ => Attempt::Next { shun: None },
        }
    }
}
