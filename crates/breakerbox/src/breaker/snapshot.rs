use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{
    ActiveOverride, BreakerConfig, Circuit, Counts, Generation, Orphaned, Standing, State, Sums,
    Transition,
};

use crate::LastFailure;

/// A breaker at one instant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The configuration in force.
    pub config: BreakerConfig,
    /// The verdicts in the window.
    pub counts: Counts,
    /// The generation that calls are admitted in.
    pub generation: Generation,
    /// The number of calls in flight, if the trip policy asks for it.
    pub in_flight: Option<u16>,
    /// The number of the owner's incarnation, counted from 1.
    pub incarnation: u64,
    /// The last failure that was judged by itself: one that opened the breaker, or
    /// one with a kind or a text. Others are only counted.
    pub last_failure: Option<LastFailure>,
    /// The latest change of state.
    pub last_transition: Option<Transition>,
    /// Verdicts that came after the generation of their call.
    pub late: u64,
    /// The breaker's name.
    pub name: Arc<str>,
    /// The number of times in a row it has opened, less the healthy spans since.
    pub openings: u32,
    /// What callers get because the owner is gone for good; None until then.
    pub orphaned: Option<Orphaned>,
    /// The override in force.
    pub overriding: Option<ActiveOverride>,
    /// The instant from which a rejected call is worth another try, if known.
    pub retry_at: Option<Instant>,
    /// The state beneath any override.
    pub state: State,
    /// The verdicts of the breaker's whole life, without those that came late.
    pub totals: Sums,
}

impl Snapshot {
    pub(super) fn new(
        name: &Arc<str>,
        circuit: &Circuit,
        incarnation: u64,
        standing: Standing,
        last_failure: Option<LastFailure>,
    ) -> Self {
        Self {
            config: **circuit.config(),
            counts: circuit.counts(),
            generation: circuit.generation(),
            in_flight: standing.in_flight.calls(),
            incarnation,
            last_failure,
            last_transition: circuit.last_transition().copied(),
            late: circuit.late(),
            name: Arc::clone(name),
            openings: circuit.openings(),
            orphaned: standing.orphaned,
            overriding: circuit.overriding().cloned(),
            retry_at: circuit.retry_at(),
            state: circuit.state(),
            totals: circuit.totals(),
        }
    }
}
