use std::time::Instant;

use crate::ramp::Climb;
use crate::standing::WHOLE;
use crate::{BreakerConfig, InFlight};

/// What only Closed has.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    /// The ramp, while it is under way.
    pub(super) climb: Option<Climb>,
    /// The calls in flight. Where the standing answer admits, it is the one that
    /// knows their number.
    pub(super) in_flight: InFlight,
    pub(super) since: Instant,
}

impl Closed {
    pub(super) fn new(config: &BreakerConfig, now: Instant) -> Self {
        Self {
            climb: None,
            in_flight: InFlight::none(config.trip.in_flight_limit()),
            since: now,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.climb.as_ref().map(Climb::next_deadline)
    }

    /// How many calls of a hundred are admitted.
    pub(super) fn share(&self) -> u8 {
        self.climb.as_ref().map_or(WHOLE, Climb::share)
    }
}
