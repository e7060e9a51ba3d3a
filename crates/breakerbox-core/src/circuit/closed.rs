use std::time::Instant;

use crate::BreakerConfig;
use crate::ramp::Climb;
use crate::standing::WHOLE;
use crate::ticket::Role;

/// What only Closed has.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    /// The ramp, while it is under way.
    pub(super) climb: Option<Climb>,
    /// How many calls in flight open the breaker, if that does.
    pub(super) limit: Option<u16>,
    /// How many more may be in flight. Where the standing answer admits, its
    /// places are the ones that count.
    pub(super) places: u16,
    pub(super) since: Instant,
}

impl Closed {
    pub(super) fn new(config: &BreakerConfig, now: Instant) -> Self {
        let limit = config.trip.in_flight_limit();
        Self {
            climb: None,
            limit,
            places: limit.unwrap_or(0),
            since: now,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.climb.as_ref().map(Climb::next_deadline)
    }

    /// A call has ended that may hold a place.
    pub(super) fn take_back(&mut self, role: Role) {
        if matches!(role, Role::Counted | Role::Last) {
            self.places = self.limit.unwrap_or(0).min(self.places + 1);
        }
    }

    /// How many calls of a hundred are admitted.
    pub(super) fn share(&self) -> u8 {
        self.climb.as_ref().map_or(WHOLE, Climb::share)
    }
}
