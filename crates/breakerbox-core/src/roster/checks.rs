use std::time::Duration;

use crate::{Dice, Ratio, span};

/// How the health of endpoints is checked, beside the calls that they serve.
///
/// The defaults are HAProxy's (`rise 2`, `fall 3`), but for the intervals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a plan does nothing until a configuration has it"]
pub struct CheckPlan {
    edge: Duration,
    fall: u32,
    interval: Duration,
    jitter: Ratio,
    rise: u32,
    timeout: Duration,
}

impl CheckPlan {
    /// A check every `interval`, and every fifth of it on the edge: while one
    /// more answer like the last may change an endpoint's health.
    ///
    /// Three failures in a row make an endpoint unhealthy, two successes healthy
    /// again; each check has a second; each wait is shortened by up to 20 %.
    ///
    /// # Panics
    ///
    /// If the interval is zero or longer than 100 years.
    pub const fn every(interval: Duration) -> Self {
        let interval = span::checked(interval);
        Self {
            edge: Duration::from_nanos(interval.as_nanos() as u64 / 5 + 1),
            fall: 3,
            interval,
            jitter: Ratio::percent(20),
            rise: 2,
            timeout: Duration::from_secs(1),
        }
    }

    /// The interval on the edge; a fifth of the ordinary one unless set.
    ///
    /// # Panics
    ///
    /// If the interval is zero or longer than 100 years.
    pub const fn on_edge(mut self, interval: Duration) -> Self {
        self.edge = span::checked(interval);
        self
    }

    /// How many checks in a row must fail to make an endpoint unhealthy.
    ///
    /// # Panics
    ///
    /// If that is none.
    pub const fn fall(mut self, checks: u32) -> Self {
        assert!(checks > 0, "it takes at least 1 check to be unhealthy");
        self.fall = checks;
        self
    }

    /// How many checks in a row must pass to make an endpoint healthy again.
    ///
    /// The very first check of an endpoint is enough by itself if it passes.
    ///
    /// # Panics
    ///
    /// If that is none.
    pub const fn rise(mut self, checks: u32) -> Self {
        assert!(checks > 0, "it takes at least 1 check to be healthy");
        self.rise = checks;
        self
    }

    /// How long a check may take before it has failed.
    ///
    /// # Panics
    ///
    /// If the limit is zero or longer than 100 years.
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = span::checked(limit);
        self
    }

    /// By how much of itself each wait may be shortened, at random.
    pub const fn jitter(mut self, jitter: Ratio) -> Self {
        self.jitter = jitter;
        self
    }

    /// How long to wait before the first check of an endpoint: somewhere between
    /// none and the interval on the edge.
    #[must_use]
    pub fn first_wait(&self, dice: &mut Dice) -> Duration {
        Duration::from_nanos(dice.up_to(nanos(self.edge)))
    }

    /// Returns whether the next check uses a new connection after so many failures in a
    /// row.
    ///
    /// If the old connection died in silence, every check would fail, and without calls
    /// nothing else would notice. But most endpoints that are down are down on any
    /// connection, so this gets rarer: it is true for the number of failures that makes
    /// an endpoint unhealthy, and each time that number has doubled.
    #[must_use]
    pub const fn renews_after(&self, failures: u32) -> bool {
        failures.is_multiple_of(self.fall) && (failures / self.fall).is_power_of_two()
    }

    /// How long a check may take.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.timeout
    }
}

/// What the checks say of an endpoint.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Health {
    /// It passes its checks.
    Healthy,
    /// It fails them.
    Unhealthy,
    /// It is not checked, or not yet; that is no reason to keep calls away.
    Unknown,
}

/// How one check ended.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Check {
    /// The endpoint said that it is not well, or said nothing in time.
    Failed,
    /// The endpoint is well.
    Passed,
}

/// The health of one endpoint, and the checks in a row that speak against it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    against: u32,
    health: Health,
}

impl Pulse {
    pub(super) const UNKNOWN: Self = Self {
        against: 0,
        health: Health::Unknown,
    };

    pub(super) const fn health(self) -> Health {
        self.health
    }

    pub(super) fn hear(&mut self, check: Check, plan: &CheckPlan) {
        let (agrees, other, needed) = match (self.health, check) {
            (Health::Healthy, Check::Passed) | (Health::Unhealthy, Check::Failed) => {
                (true, self.health, 0)
            }
            (Health::Unknown, Check::Passed) => (false, Health::Healthy, 1),
            (Health::Unhealthy, Check::Passed) => (false, Health::Healthy, plan.rise),
            (Health::Healthy | Health::Unknown, Check::Failed) => {
                (false, Health::Unhealthy, plan.fall)
            }
        };
        self.against = if agrees { 0 } else { self.against + 1 };
        if !agrees && self.against >= needed {
            self.health = other;
            self.against = 0;
        }
    }

    /// How long to wait before the next check.
    pub(super) fn wait(self, plan: &CheckPlan, dice: &mut Dice) -> Duration {
        let longest = if self.against > 0 {
            plan.edge
        } else {
            plan.interval
        };
        longest - Duration::from_nanos(dice.up_to(plan.jitter.of(nanos(longest))))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: CheckPlan = CheckPlan::every(Duration::from_secs(5));

    #[test]
    fn r64_checks_that_go_on_failing_leave_their_connection_less_and_less_often() {
        let renewals = (0..30).filter(|failures| PLAN.renews_after(*failures));
        assert_eq!(renewals.collect::<Vec<_>>(), [3, 6, 12, 24]);
    }

    #[test]
    fn r57_three_failures_make_unhealthy_and_two_successes_healthy() {
        use Check::{Failed, Passed};
        use Health::{Healthy, Unhealthy, Unknown};
        let mut pulse = Pulse::UNKNOWN;
        for (check, health) in [
            (Failed, Unknown),
            (Passed, Healthy),
            (Failed, Healthy),
            (Failed, Healthy),
            (Passed, Healthy),
            (Failed, Healthy),
            (Failed, Healthy),
            (Failed, Unhealthy),
            (Failed, Unhealthy),
            (Passed, Unhealthy),
            (Failed, Unhealthy),
            (Passed, Unhealthy),
            (Passed, Healthy),
        ] {
            pulse.hear(check, &PLAN);
            assert_eq!(pulse.health(), health, "after {check:?}");
        }
    }

    #[test]
    fn r57_checks_come_faster_on_the_edge_and_with_jitter() {
        let mut dice = Dice::seeded(1);
        let mut pulse = Pulse::UNKNOWN;
        let mut waits =
            |pulse: Pulse| -> Vec<_> { (0..100).map(|_| pulse.wait(&PLAN, &mut dice)).collect() };
        let calm = Duration::from_secs(4)..=Duration::from_secs(5);
        let edge = Duration::from_millis(800)..=Duration::from_millis(1_001);
        let waited = waits(pulse);
        assert!(waited.iter().all(|wait| calm.contains(wait)));
        assert!(waited.iter().any(|wait| *wait != waited[0]));
        pulse.hear(Check::Failed, &PLAN);
        assert!(waits(pulse).iter().all(|wait| edge.contains(wait)));
        pulse.hear(Check::Passed, &PLAN);
        assert!(waits(pulse).iter().all(|wait| calm.contains(wait)));
    }

    #[test]
    fn r57_first_checks_are_spread_over_the_interval_on_the_edge() {
        let mut dice = Dice::seeded(1);
        let waits: Vec<_> = (0..1_000).map(|_| PLAN.first_wait(&mut dice)).collect();
        let (soon, late) = (Duration::from_millis(50), Duration::from_millis(950));
        assert!(waits.iter().any(|wait| *wait < soon));
        assert!(waits.iter().any(|wait| *wait > late));
        assert!(
            waits
                .iter()
                .all(|wait| *wait <= Duration::from_millis(1_001))
        );
    }
}
