use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use breakerbox_core::{EndpointId, Outcome, ProbeTime, Verdict};

use super::lineup::{Boarded, Leave};
use super::slot::{Berth, Slot};
use crate::{Decision, Failure, Judgement, OwnedPermit, clock};

/// An attempt at an endpoint, from its pick to its end.
///
/// However it ends, also when its caller is gone, the endpoint has one call in
/// flight less.
pub(super) struct Flight {
    berth: Arc<dyn Berth>,
    pub(super) client: Option<u64>,
    id: EndpointId,
    key: Option<u64>,
    /// None once it is settled.
    leave: Option<Leave>,
    since: Instant,
    tier: u8,
    /// None until there is an answer.
    took: Option<Duration>,
}

impl Flight {
    /// The flight, and the value of its endpoint.
    pub(super) fn new<T>(boarded: Boarded<T>, key: Option<u64>, since: Instant) -> (Self, T)
    where
        T: Clone + Send + Sync + 'static,
    {
        let slot: Arc<Slot<T>> = boarded.slot;
        let flight = Self {
            berth: Arc::clone(&slot) as Arc<dyn Berth>,
            client: None,
            id: boarded.id,
            key,
            leave: Some(boarded.leave),
            since,
            tier: boarded.tier,
            took: None,
        };
        // Both are the user's and may panic, and then the flight has ended.
        if let Some(permit) = flight.permit() {
            slot.renew_for(permit);
        }
        let value = slot.value.clone();
        (flight, value)
    }

    pub(super) fn endpoint(&self) -> &str {
        self.berth.name()
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

    /// From when on the endpoint had all that it was sent.
    pub(super) const fn counts_from(&mut self, at: Instant) {
        self.since = at;
    }

    /// Returns whether its endpoint's breaker did not admit it.
    pub(super) const fn is_last_resort(&self) -> bool {
        matches!(self.leave, Some(Leave::LastResort))
    }

    fn permit(&self) -> Option<&OwnedPermit> {
        match &self.leave {
            Some(Leave::Permit(permit)) => Some(permit),
            Some(Leave::LastResort) | None => None,
        }
    }

    fn permit_mut(&mut self) -> Option<&mut OwnedPermit> {
        match &mut self.leave {
            Some(Leave::Permit(permit)) => Some(permit),
            Some(Leave::LastResort) | None => None,
        }
    }

    fn is_probe(&self) -> bool {
        self.permit().is_some_and(OwnedPermit::is_probe)
    }

    /// It has an answer, whose end is still to come.
    pub(super) fn answered(&mut self, now: Instant) {
        self.took = Some(self.until(now));
        self.berth.record_answer(now);
        // Its end may be far away, or never seen.
        self.berth.record_evidence(Verdict::Success, now);
        if let Some(permit) = self.permit_mut() {
            permit.note_answer();
        }
    }

    /// The time that it has, if it is a probe and that has a deadline.
    pub(super) fn probe_time(&self) -> Option<ProbeTime> {
        self.permit()?.probe_time()
    }

    /// Makes a timer. A runtime without any is not the endpoint's failure.
    pub(super) fn without_blame<R>(&mut self, make: impl FnOnce() -> R) -> R {
        catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
            self.give_place_back();
            resume_unwind(panic)
        })
    }

    /// It is a probe no more: how long it takes is up to its caller.
    pub(super) fn give_place_back(&mut self) {
        if let Some(permit) = self.permit_mut() {
            permit.hand_back();
        }
    }

    /// It ended like this. That is recorded at once; awaited, it means that the
    /// endpoint's breaker has decided.
    pub(super) fn settle(self, verdict: Verdict, now: Instant) -> Decision {
        let verdict = match verdict {
            Verdict::Ambiguous => self.berth.judge_break(self.id, self.client),
            verdict => verdict,
        };
        self.settle_as(verdict, verdict.outcome().into(), now)
    }

    /// It took longer than it may.
    pub(super) fn settle_timed_out(self, limit: Duration, now: Instant) -> Decision {
        self.settle_as(Verdict::Sent, Failure::timed_out(limit).into(), now)
    }

    fn settle_as(mut self, verdict: Verdict, judgement: Judgement, now: Instant) -> Decision {
        let is_probe = self.is_probe();
        self.berth.record(verdict, self.key, self.until(now), now);
        if self.took.is_none() || verdict.outcome().is_failure() {
            self.berth.record_evidence(verdict, now);
        }
        if is_probe && judgement.outcome == Outcome::Ignored {
            self.berth.record_vain_probe(now);
        }
        match self.leave.take().expect("settling consumes the flight") {
            Leave::LastResort => Decision::made(),
            Leave::Permit(permit) => permit.settle(judgement),
        }
    }

    /// It was given up for a reason that is not the endpoint's: another attempt
    /// won, or the call had no time left.
    pub(super) fn give_up(mut self) {
        self.record_no_end();
        if let Some(Leave::Permit(permit)) = self.leave.take() {
            permit.ignore();
        }
    }

    /// Before its permit is settled.
    fn record_no_end(&self) {
        let now = clock::now();
        self.berth.record_no_end(self.until(now), now);
        if self.is_probe() {
            self.berth.record_vain_probe(now);
        }
    }

    /// How long the answer took, or has taken so far.
    fn until(&self, now: Instant) -> Duration {
        self.took
            .unwrap_or_else(|| now.saturating_duration_since(self.since))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.berth.leave();
        if self.leave.is_none() {
            return;
        }
        // Its caller is gone; its permit counts in the same way.
        if thread::panicking() || self.berth.fails_by_abandoned(self.since) {
            let now = clock::now();
            self.berth
                .record(Verdict::Sent, self.key, self.until(now), now);
            self.berth.record_evidence(Verdict::Sent, now);
        } else {
            self.record_no_end();
        }
    }
}

/// The attempt that brought an answer, while that is still coming in.
///
/// From [`Pool::call_streaming`](super::Pool::call_streaming). Until it is settled
/// or dropped the call counts as in flight at its endpoint. Dropped unsettled, it
/// counts as [`BreakerConfig::abandoned`](crate::BreakerConfig::abandoned) says.
#[must_use = "a permit that is dropped at once abandons its call"]
pub struct PoolPermit {
    flight: Flight,
}

impl PoolPermit {
    pub(super) fn new(flight: Flight) -> Self {
        Self { flight }
    }

    /// The name of the endpoint that answered.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.flight.endpoint()
    }

    /// The answer ended like this. It is recorded at once; await it to know that
    /// the endpoint's breaker has decided.
    pub fn settle(self, verdict: Verdict) -> Decision {
        self.flight.settle(verdict, clock::now())
    }
}

impl fmt::Debug for PoolPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolPermit")
            .field("endpoint", &self.endpoint())
            .finish_non_exhaustive()
    }
}
