use breakerbox_core::{Attempt, EndpointId};

use super::flight::Flight;

/// The endpoints that a call was sent to, and their tiers.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) endpoints: Vec<EndpointId>,
    /// Whether it has gone on though every breaker rejected it, and so makes one attempt.
    is_last_resort: bool,
    tiers: Vec<u8>,
}

impl Tried {
    pub(super) fn note(&mut self, flight: &Flight) {
        self.endpoints.push(flight.id());
        self.tiers.push(flight.tier());
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
        match self.tiers[..] {
            [] => Attempt::First,
            [.., before, last] if before == last => Attempt::Next { shun: Some(last) },
            _ => Attempt::Next { shun: None },
        }
    }
}
