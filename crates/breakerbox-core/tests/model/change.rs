use std::time::Instant;

use breakerbox_core::{Counts, Forced, Reason, State, Transition};

/// A change of state, all that is told of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) at: Instant,
    pub(crate) evidence: Counts,
    pub(crate) from: State,
    pub(crate) generation: u64,
    pub(crate) overridden_by: Option<Forced>,
    pub(crate) reason: Reason,
    pub(crate) sequence: u64,
    pub(crate) to: State,
    pub(crate) until: Option<Instant>,
}

impl From<Transition> for Change {
    fn from(transition: Transition) -> Self {
        Self {
            at: transition.at,
            evidence: transition.evidence,
            from: transition.from,
            generation: transition.generation.number(),
            overridden_by: transition.overridden_by,
            reason: transition.reason,
            sequence: transition.sequence,
            to: transition.to,
            until: transition.until,
        }
    }
}
