//! Deciding which of several endpoints a call may go to.
//!
//! "If the first one fails, ask the second" looks like an `if`, until the second
//! falls over under the load of the first, every health check fails because of
//! the checker, or a primary that flaps drags all traffic back and forth. So the
//! pool's view of its endpoints is one machine, which is told what happens to
//! them and when, and whose [`Rotation`] is what callers choose from.
//!
//! # Invariants
//!
//! 1. The loads of all tiers add up to 100, unless no endpoint may be used.
//! 2. An endpoint that is disabled or draining is in no rotation.
//! 3. No more of a tier are ejected than its quota, and never the pool's last
//!    available one.
//! 4. What is said of an endpoint that was removed changes nothing.

mod breaks;
mod budget;
mod checks;
mod config;
mod ejection;
mod endpoint;
mod failback;
mod failure_rate;
mod hedge;
mod last_resort;
mod load;
mod record;
mod rotation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub use breaks::{Blame, Breaks, Judged};
pub use budget::Budget;
pub use checks::{Check, CheckPlan, Health};
pub use config::{PoolConfig, Selection, Tiering};
pub use ejection::Ejection;
pub use endpoint::{Duty, EndpointId, EndpointSpec, EndpointStatus, EndpointView};
pub use failback::Failback;
pub use failure_rate::FailureRate;
pub use hedge::Hedge;
pub use last_resort::LastResort;
pub use load::TierLoad;
pub use rotation::{Attempt, Load, Pick, Rotation, Why, Wish};

use crate::{Dice, State};
use ejection::Score;
use failback::Comeback;
use load::{Rules, Strength};
use record::Record;
use rotation::{Member, Recovering, Tier};

/// The decisions of one pool about its endpoints, as a plain value.
///
/// Inputs end in `now`, which never goes back: an earlier instant counts as the
/// latest one seen. After every input, poll changes until there are none, and
/// hand out the [`rotation`](Self::rotation) anew.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use breakerbox_core::{EndpointSpec, PoolConfig, Roster, State};
///
/// let now = Instant::now();
/// let mut roster = Roster::new(PoolConfig::new(), 7);
/// let primary = roster.add("eu", EndpointSpec::new(), now);
/// roster.add("us", EndpointSpec::new().tier(1), now);
/// roster.breaker_changed(primary, State::Open, now);
/// let loads: Vec<_> = roster.rotation().loads().map(|tier| tier.load).collect();
/// assert_eq!(loads, [0, 100]);
/// ```
#[derive(Clone, Debug)]
pub struct Roster {
    added: u64,
    changes: VecDeque<RosterChange>,
    config: PoolConfig,
    dice: Dice,
    latest: Option<Instant>,
    loads: Vec<TierLoad>,
    next_sweep: Option<Instant>,
    records: BTreeMap<EndpointId, Record>,
}

/// Something that changed in a roster.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RosterChange {
    /// An endpoint may be used, or no longer.
    Endpoint {
        /// Its status before.
        from: EndpointStatus,
        /// Which.
        id: EndpointId,
        /// Its status from now on.
        to: EndpointStatus,
    },
    /// The load is divided in another way, or a tier panics or calms down.
    Loads(Vec<TierLoad>),
}

impl Roster {
    /// A roster without endpoints, whose jitter falls as `seed` says.
    #[must_use]
    pub const fn new(config: PoolConfig, seed: u64) -> Self {
        Self {
            added: 0,
            changes: VecDeque::new(),
            config,
            dice: Dice::seeded(seed),
            latest: None,
            loads: Vec::new(),
            next_sweep: None,
            records: BTreeMap::new(),
        }
    }

    /// Adds an endpoint that is used at once.
    pub fn add(&mut self, name: &str, spec: EndpointSpec, now: Instant) -> EndpointId {
        self.admit(name, spec, Comeback::Done, now)
    }

    /// Adds an endpoint to those that serve already; it may be cold, so it ramps.
    pub fn join(&mut self, name: &str, spec: EndpointSpec, now: Instant) -> EndpointId {
        let now = self.no_earlier(now);
        let comeback = self.config.failback.begin_new(now);
        self.admit(name, spec, comeback, now)
    }

    /// Forgets an endpoint.
    pub fn remove(&mut self, id: EndpointId, now: Instant) {
        self.records.remove(&id);
        self.settle(now);
    }

    /// Does with an endpoint as the operator says.
    pub fn assign(&mut self, id: EndpointId, duty: Duty, now: Instant) {
        self.tell(id, now, |record| record.duty = duty);
    }

    /// Changes an endpoint's tier and weight.
    pub fn adjust(&mut self, id: EndpointId, spec: EndpointSpec, now: Instant) {
        self.tell(id, now, |record| record.spec = spec);
    }

    /// The state of an endpoint's breaker is this now; an override that is in
    /// force counts as Open or Closed.
    pub fn breaker_changed(&mut self, id: EndpointId, state: State, now: Instant) {
        self.tell(id, now, |record| record.breaker = state);
    }

    /// The states of so many breakers are these now, as in
    /// [`breaker_changed`](Self::breaker_changed).
    pub fn breakers_changed(
        &mut self,
        states: impl IntoIterator<Item = (EndpointId, State)>,
        now: Instant,
    ) {
        for (id, state) in states {
            if let Some(record) = self.records.get_mut(&id) {
                record.breaker = state;
            }
        }
        self.settle(now);
    }

    /// A health check of an endpoint ended. Returns how long to wait before the
    /// next one, or None if there is no such endpoint.
    pub fn checked(&mut self, id: EndpointId, check: Check, now: Instant) -> Option<Duration> {
        let plan = self.config.checks;
        self.tell(id, now, |record| record.pulse.hear(check, &plan));
        let record = self.records.get(&id)?;
        Some(record.pulse.wait(&plan, &mut self.dice))
    }

    /// So many more calls to an endpoint ended, of which so many failed.
    pub fn absorb(&mut self, id: EndpointId, calls: u64, failures: u64) {
        if let Some(record) = self.records.get_mut(&id) {
            record.calls += calls;
            record.failures += failures;
        }
    }

    /// Goes by another configuration from now on.
    pub fn reconfigure(&mut self, config: PoolConfig, now: Instant) {
        self.config = config;
        self.next_sweep = None;
        self.settle(now);
    }

    /// The configuration in force.
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// When it wants to be called again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let records = self.records.values();
        let patience = records.clone().filter_map(Self::patience_ends);
        let due = records.filter_map(Record::next_deadline).chain(patience);
        due.filter(|due| self.latest.is_none_or(|latest| *due > latest))
            .chain(self.next_sweep)
            .min()
    }

    /// Lets time pass: ends ejections, looks for outliers, ramps.
    ///
    /// Before a deadline, [`absorb`](Self::absorb) what ended since the last one.
    pub fn handle_deadline(&mut self, now: Instant) {
        self.settle(now);
    }

    /// The next thing that changed.
    pub fn poll_change(&mut self) -> Option<RosterChange> {
        self.changes.pop_front()
    }

    /// The endpoints, in the order in which they were added.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointView> {
        self.records.iter().map(|(id, record)| record.view(*id))
    }

    /// How the load is divided, the best tier first.
    #[must_use]
    pub fn loads(&self) -> &[TierLoad] {
        &self.loads
    }

    /// Whom callers may choose, as of the latest input.
    #[must_use]
    pub fn rotation(&self) -> Rotation {
        let seats: Vec<_> = self.records.keys().copied().collect();
        let seated = || self.records.values().enumerate();
        let of_tier = |tier| seated().filter(move |(_, record)| record.spec.tier == tier);
        let tiers = self.loads.iter().map(|load| {
            let members = of_tier(load.tier)
                .filter(|(_, record)| record.may_serve(load.panics))
                .map(|(seat, record)| Member {
                    weight: record.effective_weight(),
                    ..Member::whole(seat, record)
                });
            Tier::new(*load, members.collect())
        });
        let all_that = |is_it: fn(&Record, bool) -> bool| {
            let in_tier = move |load: &TierLoad| {
                let panics = load.panics;
                of_tier(load.tier).filter(move |(_, record)| is_it(record, panics))
            };
            self.loads.iter().flat_map(in_tier)
        };
        let recovering = |is_it| {
            let recovering = all_that(is_it).map(|(seat, record)| Recovering {
                for_all: self.is_out_of_patience(record),
                member: Member::whole(seat, record),
                tier: record.spec.tier,
            });
            recovering.collect()
        };
        Rotation {
            half_open: recovering(Record::may_probe),
            open: recovering(Record::may_probe_once_half_open),
            returning: all_that(Record::comes_back_by_itself)
                .map(|(seat, _)| seat)
                .collect(),
            seats: seats.into(),
            selection: self.config.selection,
            tier_of: self.records.values().map(|it| it.spec.tier).collect(),
            tiers: tiers.collect(),
        }
    }

    fn admit(
        &mut self,
        name: &str,
        spec: EndpointSpec,
        comeback: Comeback,
        now: Instant,
    ) -> EndpointId {
        let id = EndpointId(self.added);
        self.added += 1;
        let now = self.no_earlier(now);
        let record = Record::new(identity(name), spec, comeback, now);
        self.records.insert(id, record);
        self.settle(now);
        id
    }

    fn tell(&mut self, id: EndpointId, now: Instant, news: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(&id) {
            news(record);
        }
        self.settle(now);
    }

    /// Finds anew who may be used, and how the load is divided.
    fn settle(&mut self, now: Instant) {
        let now = self.no_earlier(now);
        self.settle_records(now);
        if self.is_sweep_due(now) {
            self.sweep(now);
            self.settle_records(now);
        }
        let loads = load::divide(&self.strengths(), &self.rules());
        if loads != self.loads {
            self.loads.clone_from(&loads);
            self.changes.push_back(RosterChange::Loads(loads));
        }
    }

    fn settle_records(&mut self, now: Instant) {
        let failback = self.config.failback;
        for (id, record) in &mut self.records {
            if let Some(from) = record.settle(failback, now) {
                let (id, to) = (*id, record.status());
                let change = RosterChange::Endpoint { from, id, to };
                self.changes.push_back(change);
            }
        }
    }

    /// Sets the time of the next sweep, and says whether one is due.
    fn is_sweep_due(&mut self, now: Instant) -> bool {
        let Some(ejection) = self.config.ejection else {
            self.next_sweep = None;
            return false;
        };
        let due = self.next_sweep.is_some_and(|at| at <= now);
        if due || self.next_sweep.is_none() {
            self.next_sweep = Some(now + ejection.sweep);
        }
        due
    }

    /// Ejects outliers, and forgives those who are none.
    fn sweep(&mut self, now: Instant) {
        let Some(ejection) = self.config.ejection else {
            return;
        };
        for tier in self.tiers() {
            for id in ejection.outliers(&self.scores(tier)) {
                self.eject(id, tier, &ejection, now);
            }
        }
        for record in self.records.values_mut() {
            // One that was out has not shown anything yet.
            if !record.was_out {
                record.ejections = record.ejections.saturating_sub(1);
            }
            record.was_out = record.ejected_until.is_some();
            (record.calls, record.failures) = (0, 0);
        }
    }

    fn scores(&self, tier: u8) -> Vec<Score<EndpointId>> {
        let of_tier = |record: &Record| record.spec.tier == tier && record.status().is_available();
        self.records
            .iter()
            .filter(|(_, record)| of_tier(record))
            .map(|(key, record)| Score {
                calls: record.calls,
                failures: record.failures,
                key: *key,
            })
            .collect()
    }

    /// Ejects one, unless too many of its tier are, or it is the last of all.
    fn eject(&mut self, id: EndpointId, tier: u8, ejection: &Ejection, now: Instant) {
        let is_available = |record: &&Record| record.status().is_available();
        let in_tier = || self.records.values().filter(|it| it.spec.tier == tier);
        let out = in_tier().filter(|it| it.ejected_until.is_some()).count();
        let available = self.records.values().filter(is_available).count();
        if out >= ejection.quota(in_tier().count()) || available <= 1 {
            return;
        }
        let failback = self.config.failback;
        let Some(record) = self.records.get_mut(&id) else {
            return;
        };
        record.ejections += 1;
        record.was_out = true;
        record.ejected_until = Some(now + ejection.lasts.wait(record.ejections, &mut self.dice));
        if let Some(from) = record.settle(failback, now) {
            let to = record.status();
            let change = RosterChange::Endpoint { from, id, to };
            self.changes.push_back(change);
        }
    }

    fn strengths(&self) -> Vec<Strength> {
        let strength = |tier| {
            let records = || self.records.values().filter(move |it| it.spec.tier == tier);
            let available = || records().filter(|it| it.status().is_available());
            let in_panic = records().filter(|it| it.status().is_usable_in_panic());
            Strength {
                available: available().count(),
                back: available().map(Record::weight_in_tier).sum(),
                holds: available().any(Record::holds),
                members: records().count(),
                tier,
                up: available().map(Record::whole_weight).sum(),
                usable: in_panic.map(Record::whole_weight).sum(),
                whole: records().map(Record::whole_weight).sum(),
            }
        };
        self.tiers().into_iter().map(strength).collect()
    }

    fn tiers(&self) -> Vec<u8> {
        let mut tiers: Vec<_> = self.records.values().map(|it| it.spec.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        tiers
    }

    const fn rules(&self) -> Rules {
        Rules {
            overprovisioned: self.config.overprovisioned,
            panic_below: self.config.panic_below,
            tiering: self.config.tiering,
        }
    }

    /// Until when only calls that may be made again are probes.
    fn patience_ends(record: &Record) -> Option<Instant> {
        // Whether its tier panics may be known later, and then it is time.
        record.may_probe(true).then(|| record.since() + PATIENCE)
    }

    fn is_out_of_patience(&self, record: &Record) -> bool {
        let ends = Self::patience_ends(record);
        ends.zip(self.latest).is_some_and(|(ends, now)| ends <= now)
    }

    fn no_earlier(&mut self, now: Instant) -> Instant {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        now
    }
}

/// A number that depends on nothing but the name: FNV-1a, which every replica
/// computes alike.
fn identity(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// For how long a probe is left to calls that may be made again. A pool whose
/// calls may not has to learn at their expense.
const PATIENCE: Duration = Duration::from_secs(1);
