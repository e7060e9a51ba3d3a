use std::collections::BTreeSet;
use std::time::Duration;

use breakerbox::{BreakerConfig, CheckPlan, ConfigError, Failback, Hedge, PoolConfig, Ramp, Ratio};
use breakerbox_core::ConfigFile;
use http::uri::PathAndQuery;
use serde::{Deserialize, Deserializer};

use super::read;
use super::span::Span;
use super::upstream::Upstream;
use crate::Failure;
use crate::headers::HostSent;

/// Upstreams that stand in for one another, and how they are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolSection {
    #[serde(default, deserialize_with = "attempts")]
    attempts: Option<u32>,
    #[serde(default)]
    breaker: ConfigFile,
    check_every: Option<Span>,
    deadline: Option<Span>,
    failback: Option<FailbackSection>,
    #[serde(default, deserialize_with = "path")]
    pub(crate) health_check: Option<PathAndQuery>,
    #[serde(default)]
    hedge: bool,
    idle_timeout: Option<Span>,
    #[serde(default)]
    preserve_host: bool,
    pub(crate) upstream: Vec<Upstream>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailbackSection {
    hold: Span,
    ramp: Span,
}

impl PoolSection {
    /// How the pool behaves.
    pub(crate) fn config(&self) -> Result<PoolConfig, Failure> {
        let breaker = BreakerConfig::try_from(self.breaker.clone())?;
        let call_timeout = breaker.limit_of_calls();
        let (each, all) = self.limits(call_timeout)?;
        let mut config = PoolConfig::new()
            .breaker(breaker.call_timeout(each))
            .deadline(all);
        if let Some(attempts) = self.attempts {
            config = config.attempts(attempts);
        }
        if let Some(Span(interval)) = self.check_every {
            let plan = CheckPlan::every(interval).on_edge(interval.min(EDGE));
            config = config.checks(plan);
        }
        if let Some(FailbackSection { hold, ramp }) = self.failback {
            let ramp = Ramp::linear(Ratio::percent(10), ramp.0);
            config = config.failback(Failback::gradual(hold.0, ramp));
        }
        if self.hedge {
            config = config.hedge(hedge(each)?);
        }
        let checked = config.check_for_contradictions();
        checked.map_err(|error| explain(&error, call_timeout))?;
        Ok(config)
    }

    /// How long the body of a response may pause.
    pub(crate) fn idle_timeout(&self) -> Duration {
        self.idle_timeout.map_or(IDLE_TIMEOUT, |Span(idle)| idle)
    }

    /// Returns the host that upstreams are told they were asked for.
    pub(crate) const fn host_sent(&self) -> HostSent {
        match self.preserve_host {
            true => HostSent::Client,
            false => HostSent::Server,
        }
    }

    /// How long an attempt may take, and all of them together. There is always a
    /// limit: a server that is stopped would hold its clients for ever.
    fn limits(&self, call_timeout: Option<Duration>) -> Result<(Duration, Duration), Failure> {
        let least = call_timeout.unwrap_or_default();
        let all = self.deadline.map_or(DEADLINE.max(least), |Span(all)| all);
        let each = call_timeout.unwrap_or(CALL_TIMEOUT.min(all));
        if all < each {
            return Err(format!(
                "deadline = {all:?} is shorter than breaker.call_timeout = {each:?}, \
                 so no attempt could take that long: expected at least as much"
            )
            .into());
        }
        Ok((each, all))
    }

    /// Whether it makes a pool, as far as its values by themselves do not say.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.upstream.is_empty() {
            return Err("it needs an upstream".into());
        }
        if self.check_every.is_some() && self.health_check.is_none() {
            return Err("check_every needs a health_check, which says what to ask for".into());
        }
        self.check_upstreams()?;
        self.config().map(drop)
    }

    /// Whether each is somebody else.
    fn check_upstreams(&self) -> Result<(), String> {
        let (mut addresses, mut names) = (BTreeSet::new(), BTreeSet::new());
        for upstream in &self.upstream {
            if !names.insert(&upstream.name) {
                return Err(format!("two upstreams are named \"{}\"", upstream.name));
            }
            if !addresses.insert(upstream.address()) {
                return Err(format!(
                    "two upstreams are at {}, so one would stand in for itself: \
                     expected one, with more weight if it is for more requests",
                    upstream.url
                ));
            }
        }
        Ok(())
    }
}

/// Says so if a file did not set what is in the way.
fn explain(error: &ConfigError, call_timeout: Option<Duration>) -> String {
    match (error.key(), call_timeout) {
        ("trip.slow_rate", None) => format!(
            "{error}; the file does not set call_timeout, so this is the default: \
             {CALL_TIMEOUT:?}, or the deadline if that is less"
        ),
        _ => error.to_string(),
    }
}

/// A pool would refuse this too, and advise a setting that no file has.
fn hedge(each: Duration) -> Result<Hedge, String> {
    let hedge = Hedge::after_quantile(Ratio::percent(95));
    let soonest = hedge.delay(Duration::ZERO);
    match each > soonest {
        true => Ok(hedge),
        false => Err(format!(
            "hedge: one is sent after {soonest:?} or later, but an attempt ends after {each:?}, \
             so there would never be one: expected a longer breaker.call_timeout, or no hedge"
        )),
    }
}

fn attempts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    read::whole(deserializer, 1..=u32::MAX).map(Some)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathAndQuery>, D::Error> {
    let path = read::text(deserializer, "a path such as \"/healthz\"", |text| {
        let path = text.parse().ok()?;
        text.starts_with('/').then_some(path)
    });
    path.map(Some)
}

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(30);
const EDGE: Duration = Duration::from_secs(1);
/// As Envoy's for streams: an event stream may be quiet for long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
