use std::hint::black_box;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use breakerbox_core::{
    Attempt, EndpointSpec, FailureRate, Load, PoolConfig, Repeat, Roster, Rotation, Wish,
};

use super::Guard;

/// The choice alone, as a pool's calls make it: with numbers that others write.
#[derive(Debug)]
pub struct Picks {
    in_flight: Vec<AtomicU32>,
    last_picks: Vec<AtomicU64>,
    rotation: Rotation,
}

impl Picks {
    /// Among so many endpoints.
    #[must_use]
    pub fn of(endpoints: usize) -> Self {
        let mut roster = Roster::new(PoolConfig::new(), 1);
        let now = Instant::now();
        for nth in 0..endpoints {
            roster.add(&nth.to_string(), EndpointSpec::new(), now);
        }
        Self {
            in_flight: (0..endpoints).map(|_| AtomicU32::new(0)).collect(),
            last_picks: (0..endpoints as u64).map(AtomicU64::new).collect(),
            rotation: roster.rotation(),
        }
    }
}

impl Guard for Picks {
    fn run(&self, _fails: bool) -> bool {
        let wish = Wish {
            attempt: Attempt::First,
            bits: fastrand::u64(..),
            key: None,
            repeat: Repeat::Idempotent,
        };
        let look = |seat: usize| {
            let in_flight = self.in_flight[seat].load(Ordering::Relaxed);
            let last_pick = self.last_picks[seat].load(Ordering::Relaxed);
            Some(Load {
                failure_rate: FailureRate::of(0, 512),
                in_flight,
                latency: Some(1_000_000),
                probed_in_vain: false,
                since_pick: Some(1_000_000 - last_pick),
            })
        };
        black_box(self.rotation.pick(wish, || 0, look)).is_some()
    }
}
