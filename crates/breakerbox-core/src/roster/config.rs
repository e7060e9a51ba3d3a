use std::time::Duration;

use super::{Budget, CheckPlan, Ejection, Failback, Hedge};
use crate::{Backoff, BreakerConfig, ConfigError, Ratio, span};

/// How a pool chooses endpoints and repeats calls: a `Copy` value.
///
/// Single values that make no sense panic in the function that takes them,
/// which in a `const` is at compile time. Values that make no sense together are
/// refused with a [`ConfigError`] by the pool.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use breakerbox_core::{BreakerConfig, Hedge, PoolConfig, Ratio};
///
/// const LEDGER: PoolConfig = PoolConfig::new()
///     .breaker(BreakerConfig::new().call_timeout(Duration::from_millis(500)))
///     .deadline(Duration::from_secs(2))
///     .hedge(Hedge::after_quantile(Ratio::percent(95)));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a configuration does nothing until a pool is given it"]
pub struct PoolConfig {
    pub(super) attempts: u32,
    pub(super) breaker: BreakerConfig,
    pub(super) budget: Budget,
    pub(super) checks: CheckPlan,
    pub(super) deadline: Option<Duration>,
    pub(super) ejection: Option<Ejection>,
    pub(super) failback: Failback,
    pub(super) hedge: Option<Hedge>,
    pub(super) overprovisioned: u32,
    pub(super) panic_below: Ratio,
    pub(super) retry_backoff: Backoff,
    pub(super) selection: Selection,
    pub(super) tiering: Tiering,
}

impl PoolConfig {
    /// What you would run in production, before anything else is known.
    ///
    /// | what | default | why, and whose |
    /// |---|---|---|
    /// | [`attempts`](Self::attempts) | 3 | two endpoints can fail a call, and it still works (the AWS SDKs') |
    /// | [`breaker`](Self::breaker) | [`BreakerConfig::new`] | of each endpoint; its [`call_timeout`](BreakerConfig::call_timeout) limits each attempt |
    /// | [`budget`](Self::budget) | 20 % of the calls in flight, at least 3 | retries must not add to an outage (Envoy's) |
    /// | [`checks`](Self::checks) | every 5 s, every 1 s on the edge | for endpoints that have a health check |
    /// | [`deadline`](Self::deadline) | none | you know how long your caller waits; set it |
    /// | [`ejection`](Self::ejection) | outliers, for 10 s and longer | an endpoint that fails every fifth call opens no breaker |
    /// | [`failback`](Self::failback) | 10 % for 10 s, then over 30 s to all | a flapping primary must not drag traffic back and forth |
    /// | [`hedge`](Self::hedge) | none | extra load is a decision |
    /// | [`overprovisioned`](Self::overprovisioned) | 140 % | a tier that lost a quarter still carries all (Envoy's) |
    /// | [`panic_below`](Self::panic_below) | 50 % | when most endpoints look bad, the look is what is bad (Envoy's) |
    /// | [`retry_backoff`](Self::retry_backoff) | 25 ms doubling to 250 ms, full jitter | callers that failed together must not come back together (Envoy's) |
    /// | [`selection`](Self::selection) | power of two choices | finds the fast ones and keeps off the busy ones |
    /// | [`tiering`](Self::tiering) | spill | a tier that shrinks hands on a part, not all |
    pub const fn new() -> Self {
        Self {
            attempts: 3,
            breaker: BreakerConfig::new(),
            budget: Budget::new(Ratio::percent(20), 3),
            checks: CheckPlan::every(Duration::from_secs(5)),
            deadline: None,
            ejection: Some(Ejection::of_outliers()),
            failback: Failback::slow_start(),
            hedge: None,
            overprovisioned: 140,
            panic_below: Ratio::percent(50),
            retry_backoff: Backoff::exponential(
                Duration::from_millis(25),
                Duration::from_millis(250),
            )
            .jitter(Ratio::percent(100)),
            selection: Selection::PowerOfTwo,
            tiering: Tiering::Spill,
        }
    }

    /// How many endpoints one call may be sent to, hedges included.
    ///
    /// # Panics
    ///
    /// If that is none.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        assert!(attempts > 0, "a call needs at least 1 attempt");
        self.attempts = attempts;
        self
    }

    /// How the breaker of each endpoint judges.
    ///
    /// Its [`call_timeout`](BreakerConfig::call_timeout) is the limit of each
    /// attempt, its [`retry_after_cap`](BreakerConfig::retry_after_cap) that of
    /// how long pushback is obeyed.
    pub const fn breaker(mut self, config: BreakerConfig) -> Self {
        self.breaker = config;
        self
    }

    /// How many retries and hedges may be in flight.
    pub const fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How endpoints are checked, where they have a health check.
    pub const fn checks(mut self, plan: CheckPlan) -> Self {
        self.checks = plan;
        self
    }

    /// How long a call may take with all its attempts; no limit unless set.
    ///
    /// The time in which an endpoint waits for more of a call's upload is not
    /// counted, so a call that never ends what it sends has no limit.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(span::checked(limit));
        self
    }

    /// How outliers are ejected.
    pub const fn ejection(mut self, ejection: Ejection) -> Self {
        self.ejection = Some(ejection);
        self
    }

    /// How traffic comes back to an endpoint that is usable again.
    pub const fn failback(mut self, failback: Failback) -> Self {
        self.failback = failback;
        self
    }

    /// When another endpoint is asked although the first may still answer.
    pub const fn hedge(mut self, hedge: Hedge) -> Self {
        self.hedge = Some(hedge);
        self
    }

    /// How much of its load a whole tier could carry, in percent.
    ///
    /// At 140 a tier keeps all of its load until less than 71.4 % of it is left.
    ///
    /// # Panics
    ///
    /// Below 100 or above 10 000.
    pub const fn overprovisioned(mut self, percent: u32) -> Self {
        assert!(
            percent >= 100 && percent <= 10_000,
            "a tier carries between 100 and 10 000 percent of its load"
        );
        self.overprovisioned = percent;
        self
    }

    /// Below which available share a tier uses those that look bad as well, if
    /// all tiers together cannot carry the load; zero for never.
    pub const fn panic_below(mut self, share: Ratio) -> Self {
        self.panic_below = share;
        self
    }

    /// How long to wait before the n-th repetition of what was sent.
    ///
    /// What was not sent goes to another endpoint at once.
    pub const fn retry_backoff(mut self, backoff: Backoff) -> Self {
        self.retry_backoff = backoff;
        self
    }

    /// How an endpoint is chosen within a tier.
    pub const fn selection(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// How a tier is chosen.
    pub const fn tiering(mut self, tiering: Tiering) -> Self {
        self.tiering = tiering;
        self
    }

    /// Ejects nobody; breakers and health checks do all.
    pub const fn without_ejection(mut self) -> Self {
        self.ejection = None;
        self
    }

    /// How many endpoints one call may be sent to.
    #[must_use]
    pub const fn most_attempts(&self) -> u32 {
        self.attempts
    }

    /// The configuration of each endpoint's breaker.
    pub const fn of_breakers(&self) -> BreakerConfig {
        self.breaker
    }

    /// The budget of retries and hedges.
    pub const fn extra_budget(&self) -> Budget {
        self.budget
    }

    /// The plan of the health checks.
    pub const fn check_plan(&self) -> CheckPlan {
        self.checks
    }

    /// How long a call may take with all its attempts, if there is a limit.
    #[must_use]
    pub const fn limit_of_calls(&self) -> Option<Duration> {
        self.deadline
    }

    /// When to hedge, if at all.
    #[must_use]
    pub const fn hedging(&self) -> Option<Hedge> {
        self.hedge
    }

    /// How long to wait before what was sent is repeated.
    #[must_use]
    pub const fn backoff_of_retries(&self) -> Backoff {
        self.retry_backoff
    }

    /// Refuses what makes sense by itself but not together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the setting to change, and to what.
    pub fn check_for_contradictions(&self) -> Result<(), ConfigError> {
        self.breaker.refuse_contradictions()?;
        let limit = self.breaker.limit_of_calls();
        match (self.hedge, limit) {
            (Some(hedge), Some(limit)) if hedge.no_sooner_than >= limit => {
                Err(ConfigError::never_hedges(hedge.no_sooner_than, limit))
            }
            (Some(_), _) if self.attempts == 1 => Err(ConfigError::one_attempt_cannot_hedge()),
            _ => Ok(()),
        }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// How an endpoint is chosen within a tier.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Selection {
    /// The better of two that are drawn by weight: less latency times calls in
    /// flight (Mitzenmacher, "The Power of Two Choices", 2001).
    PowerOfTwo,
    /// One after the other, each as often as its weight says.
    RoundRobin,
}

/// How a tier is chosen.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Tiering {
    /// Each tier takes what the better ones cannot carry, by Envoy's formula.
    Spill,
    /// The best tier that has an available endpoint takes all: primary and
    /// standby.
    Strict,
}
