use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{EndpointId, Verdict};

use super::lineup::Boarded;
use super::slot::Slot;
use crate::{OwnedPermit, clock};

/// An attempt at an endpoint, from its pick to its end.
///
/// However it ends, also when its caller is gone, the endpoint has one call in
/// flight less.
pub(super) struct Flight<T> {
    id: EndpointId,
    /// None once it is settled.
    permit: Option<OwnedPermit>,
    since: Instant,
    slot: Arc<Slot<T>>,
    tier: u8,
}

impl<T> Flight<T> {
    pub(super) fn new(boarded: Boarded<T>, since: Instant) -> Self {
        Self {
            id: boarded.id,
            permit: Some(boarded.permit),
            since,
            slot: boarded.slot,
            tier: boarded.tier,
        }
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.slot.name
    }

    pub(super) const fn id(&self) -> EndpointId {
        self.id
    }

    pub(super) const fn tier(&self) -> u8 {
        self.tier
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// It ended like this. Returns when the endpoint's breaker has decided.
    pub(super) async fn settle(mut self, verdict: Verdict) {
        let now = clock::now();
        let took = now.saturating_duration_since(self.since);
        self.slot.hear(verdict, took, now);
        if let Some(permit) = self.permit.take() {
            let decision = permit.settle(verdict.outcome());
            drop(self);
            decision.await;
        }
    }

    /// It was given up for a reason that is not the endpoint's: another attempt
    /// won, or the call had no time left.
    pub(super) fn give_up(mut self) {
        if let Some(permit) = self.permit.take() {
            permit.ignore();
        }
        self.hear_no_end();
    }

    fn hear_no_end(&self) {
        let now = clock::now();
        let took = now.saturating_duration_since(self.since);
        self.slot.hear_no_end(took, now);
    }
}

impl<T: Clone> Flight<T> {
    pub(super) fn value(&self) -> T {
        self.slot.value.clone()
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.slot.leave();
        // Its caller is gone; the permit counts as abandoned.
        if self.permit.is_some() {
            self.hear_no_end();
        }
    }
}
