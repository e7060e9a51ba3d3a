use std::time::Instant;

use super::checks::Pulse;
use super::failback::Comeback;
use super::{Duty, EndpointId, EndpointSpec, EndpointStatus, EndpointView, Failback, Health};
use crate::State;

/// All that a roster knows of one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) breaker: State,
    pub(super) calls: u64,
    comeback: Comeback,
    pub(super) duty: Duty,
    pub(super) ejected_until: Option<Instant>,
    pub(super) ejections: u32,
    pub(super) failures: u64,
    /// A number that depends on nothing but its name.
    pub(super) identity: u64,
    pub(super) pulse: Pulse,
    since: Instant,
    pub(super) spec: EndpointSpec,
    status: EndpointStatus,
    /// Whether it was ejected at some time since the last sweep.
    pub(super) was_out: bool,
}

impl Record {
    pub(super) fn new(identity: u64, spec: EndpointSpec, comeback: Comeback, now: Instant) -> Self {
        Self {
            breaker: State::Closed,
            calls: 0,
            comeback,
            duty: Duty::Enabled,
            ejected_until: None,
            ejections: 0,
            failures: 0,
            identity,
            pulse: Pulse::UNKNOWN,
            since: now,
            spec,
            status: EndpointStatus::Available,
            was_out: false,
        }
    }

    pub(super) const fn status(&self) -> EndpointStatus {
        self.status
    }

    pub(super) const fn since(&self) -> Instant {
        self.since
    }

    /// Whether it has shown that it holds since it came back.
    pub(super) const fn holds(&self) -> bool {
        self.comeback.holds()
    }

    pub(super) fn view(&self, id: EndpointId) -> EndpointView {
        EndpointView {
            ejections: self.ejections,
            health: self.pulse.health(),
            id,
            share: self.comeback.share(),
            since: self.since,
            status: self.status,
            tier: self.spec.tier,
            weight: self.spec.weight,
        }
    }

    /// Its weight, in hundredths, as far as it has come back.
    pub(super) fn effective_weight(&self) -> u64 {
        u64::from(self.spec.weight) * u64::from(self.comeback.share())
    }

    /// Its weight, in hundredths, as if all of it had come back.
    pub(super) fn whole_weight(&self) -> u64 {
        u64::from(self.spec.weight) * 100
    }

    /// What it counts for in its tier, in hundredths.
    pub(super) fn weight_in_tier(&self) -> u64 {
        u64::from(self.spec.weight) * u64::from(self.comeback.share_of_tier())
    }

    /// Whether calls may go to it, also if its tier panics.
    pub(super) const fn may_serve(&self, panics: bool) -> bool {
        let is_closed = matches!(self.breaker, State::Closed);
        self.status.is_available() || panics && is_closed && self.status.is_usable_in_panic()
    }

    /// Whether its breaker needs a call, and may get one.
    pub(super) const fn may_probe(&self, panics: bool) -> bool {
        match self.status {
            EndpointStatus::HalfOpen => true,
            EndpointStatus::Unhealthy => panics && matches!(self.breaker, State::HalfOpen),
            _ => false,
        }
    }

    /// Returns whether its breaker will get a call once it is HalfOpen.
    pub(super) fn may_probe_once_half_open(&self, panics: bool) -> bool {
        let is_unhealthy = self.pulse.health() == Health::Unhealthy;
        self.status == EndpointStatus::Open && (panics || !is_unhealthy)
    }

    /// Returns whether it is usable, or will be after a while.
    pub(super) fn comes_back_by_itself(&self, panics: bool) -> bool {
        match self.status {
            EndpointStatus::Open => self.may_probe_once_half_open(panics),
            EndpointStatus::Disabled | EndpointStatus::Draining | EndpointStatus::Unhealthy => {
                false
            }
            EndpointStatus::Available
            | EndpointStatus::Ejected { .. }
            | EndpointStatus::HalfOpen => true,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let comeback = self.comeback.next_deadline();
        let comeback = comeback.filter(|_| self.status.is_available());
        self.ejected_until.into_iter().chain(comeback).min()
    }

    /// Lets time pass, and finds its status anew. Returns the former status if
    /// that has changed.
    pub(super) fn settle(&mut self, failback: Failback, now: Instant) -> Option<EndpointStatus> {
        self.ejected_until = self.ejected_until.filter(|until| *until > now);
        let (was, is) = (self.status, self.found());
        self.status = is;
        if is.is_available() && !was.is_available() {
            self.comeback = failback.begin(now);
        }
        self.comeback = self.comeback.advance(now);
        if was == is {
            return None;
        }
        self.since = now;
        Some(was)
    }

    const fn found(&self) -> EndpointStatus {
        match (self.duty, self.breaker, self.pulse.health()) {
            (Duty::Disabled, ..) => EndpointStatus::Disabled,
            (Duty::Draining, ..) => EndpointStatus::Draining,
            (Duty::Enabled, State::Open, _) => EndpointStatus::Open,
            (Duty::Enabled, _, Health::Unhealthy) => EndpointStatus::Unhealthy,
            (Duty::Enabled, State::HalfOpen, _) => EndpointStatus::HalfOpen,
            (Duty::Enabled, State::Closed, _) => match self.ejected_until {
                Some(until) => EndpointStatus::Ejected { until },
                None => EndpointStatus::Available,
            },
        }
    }
}
