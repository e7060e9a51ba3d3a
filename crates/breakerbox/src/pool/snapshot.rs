use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::{EndpointStatus, EndpointView, Health, State, TierLoad};

use super::slot::Slot;

/// A pool at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// Calls with an attempt in flight.
    pub active: u64,
    /// Its endpoints, in the order in which they were added.
    pub endpoints: Vec<EndpointSnapshot>,
    /// Retries and hedges in flight.
    pub extra: u64,
    /// How many attempts were made, ever, though every breaker rejected: see
    /// [`Why::LastResort`](breakerbox_core::Why::LastResort).
    pub last_resort: u64,
    /// Its name.
    pub name: Arc<str>,
    /// Its tiers, the best one first.
    pub tiers: Vec<TierLoad>,
}

/// An endpoint at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointSnapshot {
    /// The state of its breaker; an override counts as Open or Closed.
    pub breaker: State,
    /// How often in a row it was ejected, less the healthy sweeps since.
    pub ejections: u32,
    /// What its health checks say.
    pub health: Health,
    /// Calls in flight.
    pub in_flight: u32,
    /// How long its calls take of late; None if no call has told.
    pub latency: Option<Duration>,
    /// Its name.
    pub name: Arc<str>,
    /// How many of a hundred calls it gets, of those that it would get.
    pub share: u8,
    /// Since when it has its status.
    pub since: Instant,
    /// Whether it may be used.
    pub status: EndpointStatus,
    /// The tier it is in.
    pub tier: u8,
    /// Its weight within the tier.
    pub weight: u16,
}

impl EndpointSnapshot {
    pub(super) fn new<T>(view: &EndpointView, slot: &Slot<T>, now: Instant) -> Self {
        Self {
            breaker: slot.state(),
            ejections: view.ejections,
            health: view.health,
            in_flight: slot.in_flight(),
            latency: slot.latency(now),
            name: Arc::clone(&slot.name),
            share: view.share,
            since: view.since,
            status: view.status,
            tier: view.tier,
            weight: view.weight,
        }
    }
}

/// One line for each tier, and beneath it one for each of its endpoints.
impl fmt::Display for PoolSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, active, .. } = self;
        write!(f, "{name}: {active} calls in flight, {} extra", self.extra)?;
        for tier in &self.tiers {
            let panics = if tier.panics { ", panics" } else { "" };
            let TierLoad { load, .. } = tier;
            write!(f, "\n  tier {}: {load} % of the calls{panics}", tier.tier)?;
            let members = self.endpoints.iter();
            for endpoint in members.filter(|endpoint| endpoint.tier == tier.tier) {
                write!(f, "\n    {endpoint}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for EndpointSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            status,
            share,
            ..
        } = self;
        write!(f, "{name}  {status}, breaker {}", self.breaker)?;
        if *share < 100 {
            write!(f, ", back to {share} %")?;
        }
        write!(f, ", {} in flight", self.in_flight)?;
        match self.latency {
            None => Ok(()),
            Some(latency) => write!(f, ", {:.1} ms", latency.as_secs_f64() * 1e3),
        }
    }
}
