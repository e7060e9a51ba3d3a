use breakerbox_core::{Attempt, EndpointId};

use super::flight::Flight;

/// The endpoints that a call was sent to, and their tiers.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub(super) endpoints: Vec<EndpointId>,
    tiers: Vec<u8>,
}

impl Tried {
    pub(super) fn note(&mut self, flight: &Flight) {
        self.endpoints.push(flight.id());
        self.tiers.push(flight.tier());
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
