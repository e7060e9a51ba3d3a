//! A roster in the plainest way: a list of facts, read anew for each question.

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) config: PoolConfig,
    pub(super) facts: Vec<Facts>,
    now: Instant,
    sweep_due: Option<Instant>,
}

/// What happened to one endpoint.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    began: Began,
    pub(super) breaker: State,
    calls: u64,
    checks: Vec<Check>,
    pub(super) duty: Duty,
    ejected_until: Option<Instant>,
    ejections: u32,
    failures: u64,
    pub(super) id: EndpointId,
    is_available: bool,
    pub(super) spec: EndpointSpec,
    was_out: bool,
}

/// Since when an endpoint has come back.
#[derive(Clone, Copy, Debug)]
enum Began {
    Always,
    Back(Instant),
    Joined(Instant),
}

/// Without jitter, so that the model need not throw dice.
pub(super) const LASTS: crate::Backoff =
    crate::Backoff::exponential(Duration::from_secs(10), Duration::from_secs(300));
const FROM: u64 = 10;
const HOLD: Duration = Duration::from_secs(10);
const OVER: Duration = Duration::from_secs(30);
const SWEEP: Duration = Duration::from_secs(10);

impl Model {
    pub(super) fn new(config: PoolConfig, now: Instant) -> Self {
        Self {
            config,
            facts: Vec::new(),
            now,
            sweep_due: None,
        }
    }

    pub(super) fn add(&mut self, id: EndpointId, spec: EndpointSpec, joins: bool, now: Instant) {
        self.now = self.now.max(now);
        self.facts.push(Facts {
            began: if joins {
                Began::Joined(self.now)
            } else {
                Began::Always
            },
            breaker: State::Closed,
            calls: 0,
            checks: Vec::new(),
            duty: Duty::Enabled,
            ejected_until: None,
            ejections: 0,
            failures: 0,
            id,
            is_available: true,
            spec,
            was_out: false,
        });
        self.pass(now);
    }

    pub(super) fn absorb(&mut self, nth: usize, calls: u64, failures: u64) {
        self.facts[nth].calls += calls;
        self.facts[nth].failures += failures;
    }

    pub(super) fn check(&mut self, nth: usize, check: Check) {
        self.facts[nth].checks.push(check);
    }

    pub(super) fn forget_sweep(&mut self) {
        self.sweep_due = None;
    }

    /// Lets time pass, after whatever else happened.
    pub(super) fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.note_who_is_back();
        if self.config.ejection.is_none() {
            self.sweep_due = None;
            return;
        }
        let due = self.sweep_due.is_some_and(|due| due <= self.now);
        if due || self.sweep_due.is_none() {
            self.sweep_due = Some(self.now + SWEEP);
        }
        if due {
            self.sweep();
            self.note_who_is_back();
        }
    }

    fn note_who_is_back(&mut self) {
        for facts in &mut self.facts {
            let is_available = facts.status(self.now).is_available();
            if is_available && !facts.is_available {
                facts.began = Began::Back(self.now);
            }
            facts.is_available = is_available;
        }
    }

    fn sweep(&mut self) {
        for tier in 0..=3 {
            for nth in self.outliers(tier) {
                let of_tier = || self.facts.iter().filter(|it| it.spec.tier == tier);
                let out = of_tier().filter(|it| it.is_ejected(self.now)).count();
                let quota = (of_tier().count() / 2).max(1);
                let available = self
                    .facts
                    .iter()
                    .filter(|it| it.status(self.now).is_available());
                if out < quota && available.count() > 1 {
                    let facts = &mut self.facts[nth];
                    facts.ejections += 1;
                    facts.was_out = true;
                    facts.ejected_until = Some(self.now + LASTS.longest(facts.ejections));
                }
            }
        }
        for facts in &mut self.facts {
            if !facts.was_out {
                facts.ejections = facts.ejections.saturating_sub(1);
            }
            facts.was_out = facts.is_ejected(self.now);
            (facts.calls, facts.failures) = (0, 0);
        }
    }

    /// By the textbook, worst first.
    fn outliers(&self, tier: u8) -> Vec<usize> {
        let judged: Vec<(f64, usize)> = (0..self.facts.len())
            .filter(|nth| {
                let facts = &self.facts[*nth];
                let is_up = facts.status(self.now).is_available();
                facts.spec.tier == tier && is_up && facts.calls >= 100
            })
            .map(|nth| {
                let facts = &self.facts[nth];
                (1.0 - facts.failures as f64 / facts.calls as f64, nth)
            })
            .collect();
        if judged.len() < 5 {
            return Vec::new();
        }
        let count = judged.len() as f64;
        let mean = judged.iter().map(|(rate, _)| rate).sum::<f64>() / count;
        let variance = judged
            .iter()
            .map(|(rate, _)| (rate - mean).powi(2))
            .sum::<f64>()
            / count;
        let limit = mean - (1.9 * variance.sqrt()).max(0.05);
        let mut outliers: Vec<_> = judged
            .into_iter()
            .filter(|(rate, _)| *rate < limit)
            .collect();
        outliers.sort_by(|a, b| a.partial_cmp(b).unwrap());
        outliers.into_iter().map(|(_, nth)| nth).collect()
    }

    pub(super) fn views(&self) -> Vec<(EndpointId, EndpointStatus, Health, u8, u32)> {
        let view = |it: &Facts| {
            let share = u8::try_from(it.share(self.now)).unwrap();
            (it.id, it.status(self.now), it.health(), share, it.ejections)
        };
        self.facts.iter().map(view).collect()
    }

    /// Tier, load and whether it panics.
    pub(super) fn loads(&self) -> Vec<(u8, u8, bool)> {
        let tiers: std::collections::BTreeSet<u8> =
            self.facts.iter().map(|it| it.spec.tier).collect();
        let tiers: Vec<u8> = tiers.into_iter().collect();
        let sum = |tier: u8, of: &dyn Fn(&Facts) -> u64| -> u64 {
            self.facts
                .iter()
                .filter(|it| it.spec.tier == tier)
                .map(of)
                .sum()
        };
        let weight = |it: &Facts| u64::from(it.spec.weight) * 100;
        let up = |it: &Facts| {
            if it.status(self.now).is_available() {
                weight(it)
            } else {
                0
            }
        };
        let back = |it: &Facts| match it.began {
            Began::Always | Began::Joined(_) => up(it),
            Began::Back(_) => up(it) / 100 * it.share(self.now),
        };
        let usable = |it: &Facts| if self.may_in_panic(it) { weight(it) } else { 0 };
        let health = |of: &dyn Fn(&Facts) -> u64| -> Vec<u64> {
            let worth = |tier: &u8| (140 * sum(*tier, of) / sum(*tier, &weight)).min(100);
            tiers.iter().map(worth).collect()
        };
        let short = health(&up).iter().sum::<u64>() < 100;
        let mut parts = health(&back);
        for (nth, up) in health(&up).into_iter().enumerate() {
            while parts[nth] < up && parts.iter().sum::<u64>() < 100 {
                parts[nth] += 1;
            }
        }
        if parts.iter().sum::<u64>() == 0 {
            parts = health(&usable);
        }
        let norm = parts.iter().sum::<u64>().min(100);
        let mut loads = vec![0; tiers.len()];
        if self.config.tiering == Tiering::Strict {
            let holds = |tier: &u8| {
                let mut of_tier = self.facts.iter().filter(|it| it.spec.tier == *tier);
                of_tier.any(|it| it.status(self.now).is_available() && !it.is_held(self.now))
            };
            let chosen = tiers.iter().position(holds);
            if let Some(chosen) = chosen.or_else(|| parts.iter().position(|part| *part > 0)) {
                loads[chosen] = 100;
            }
        } else if norm > 0 {
            for nth in 0..tiers.len() {
                let left = 100 - loads.iter().sum::<u64>();
                let exact = parts[nth] as f64 * 100.0 / norm as f64;
                loads[nth] = left.min((exact + 1e-9).round() as u64);
            }
            let left = 100 - loads.iter().sum::<u64>();
            let first = loads.iter().position(|load| *load > 0).unwrap();
            loads[first] += left;
        }
        let never = self.config.panic_below.is_zero();
        let panics = |tier: u8| short && !never && 2 * sum(tier, &up) < sum(tier, &weight);
        let all = tiers.iter().zip(loads);
        all.map(|(tier, load)| (*tier, load as u8, panics(*tier)))
            .collect()
    }

    /// Who may be picked, and how: as any other, only as a probe, or only as the
    /// last resort.
    pub(super) fn candidates(&self) -> [Vec<usize>; 3] {
        let loads = self.loads();
        let panics = |tier| loads.iter().any(|load| load.0 == tier && load.2);
        let all = || 0..self.facts.len();
        let is_open = |nth: &usize| {
            let it = &self.facts[*nth];
            let is_well = it.health() != Health::Unhealthy || panics(it.spec.tier);
            it.duty == Duty::Enabled && it.breaker == State::Open && is_well
        };
        let may = |nth: &usize| {
            let it = &self.facts[*nth];
            let status = it.status(self.now);
            status.is_available()
                || status == EndpointStatus::HalfOpen
                || panics(it.spec.tier) && self.may_in_panic(it)
        };
        let (plain, probes) = all()
            .filter(may)
            .partition(|nth| self.facts[*nth].breaker == State::Closed);
        [plain, probes, all().filter(is_open).collect()]
    }

    fn may_in_panic(&self, it: &Facts) -> bool {
        let is_bad = matches!(it.breaker, State::Open)
            || it.duty != Duty::Enabled
            || it.status(self.now) == EndpointStatus::HalfOpen;
        !is_bad
    }
}

impl Facts {
    fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.is_some_and(|until| until > now)
    }

    fn health(&self) -> Health {
        let mut health = Health::Unknown;
        let mut run = Vec::new();
        for check in &self.checks {
            if run.last().is_some_and(|last| last != check) {
                run.clear();
            }
            run.push(*check);
            match (check, run.len(), health) {
                (Check::Failed, 3.., _) => health = Health::Unhealthy,
                (Check::Passed, 2.., _) | (Check::Passed, 1, Health::Unknown) => {
                    health = Health::Healthy;
                }
                _ => {}
            }
        }
        health
    }

    fn status(&self, now: Instant) -> EndpointStatus {
        if self.duty == Duty::Disabled {
            EndpointStatus::Disabled
        } else if self.duty == Duty::Draining {
            EndpointStatus::Draining
        } else if self.breaker == State::Open {
            EndpointStatus::Open
        } else if self.health() == Health::Unhealthy {
            EndpointStatus::Unhealthy
        } else if self.breaker == State::HalfOpen {
            EndpointStatus::HalfOpen
        } else if self.is_ejected(now) {
            EndpointStatus::Ejected {
                until: self.ejected_until.unwrap(),
            }
        } else {
            EndpointStatus::Available
        }
    }

    fn is_held(&self, now: Instant) -> bool {
        matches!(self.began, Began::Back(at) if now < at + HOLD)
    }

    fn share(&self, now: Instant) -> u64 {
        let ramps_from = match self.began {
            Began::Always => return 100,
            Began::Back(at) => at + HOLD,
            Began::Joined(at) => at,
        };
        let ramped = now.saturating_duration_since(ramps_from).min(OVER);
        let steps = ramped.as_nanos() * 20 / OVER.as_nanos();
        FROM + (100 - FROM) * steps as u64 / 20
    }
}
