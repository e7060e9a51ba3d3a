use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use breakerbox::{BreakerConfig, CheckPlan, Failback, Hedge, PoolConfig, Ramp, Ratio};
use breakerbox_core::ConfigFile;
use http::Uri;
use http::uri::PathAndQuery;
use serde::{Deserialize, Deserializer, de};

use crate::Failure;

/// What a gateway is told by its file; `gateway.toml` has all of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) pool: BTreeMap<String, PoolSection>,
    pub(crate) route: Vec<Route>,
}

/// Upstreams that stand in for one another, and how they are called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolSection {
    attempts: Option<u32>,
    #[serde(default)]
    breaker: ConfigFile,
    #[serde(default, with = "humantime_serde")]
    check_every: Option<Duration>,
    #[serde(default, with = "humantime_serde")]
    deadline: Option<Duration>,
    failback: Option<FailbackSection>,
    #[serde(default, deserialize_with = "path")]
    pub(crate) health_check: Option<PathAndQuery>,
    #[serde(default)]
    hedge: bool,
    pub(crate) upstream: Vec<Upstream>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailbackSection {
    #[serde(with = "humantime_serde")]
    hold: Duration,
    #[serde(with = "humantime_serde")]
    ramp: Duration,
}

/// A server that requests may go to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) tier: u8,
    #[serde(deserialize_with = "uri")]
    pub(crate) url: Uri,
    #[serde(default = "one")]
    pub(crate) weight: u16,
}

/// Which requests go to which pool.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) pool: String,
    pub(crate) prefix: String,
}

impl Config {
    /// Reads a file; nothing of it is used unless all of it is right.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let config = Self::parse(&text);
        config.map_err(|error| format!("{}: {error}", file.display()).into())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self = toml::from_str(text)?;
        for (name, pool) in &config.pool {
            pool.check()
                .map_err(|error| format!("pool.{name}: {error}"))?;
        }
        for route in &config.route {
            config.check_route(route)?;
        }
        Ok(config)
    }

    fn check_route(&self, route: &Route) -> Result<(), Failure> {
        let Route { pool, prefix } = route;
        if !prefix.starts_with('/') {
            return Err(format!("the route {prefix:?} must begin with a slash").into());
        }
        if !self.pool.contains_key(pool) {
            let pools: Vec<_> = self.pool.keys().collect();
            return Err(
                format!("the route {prefix:?} has no pool {pool:?}, only {pools:?}").into(),
            );
        }
        Ok(())
    }
}

impl PoolSection {
    /// How the pool behaves.
    pub(crate) fn config(&self) -> Result<PoolConfig, Failure> {
        let breaker = BreakerConfig::try_from(self.breaker.clone())?;
        let mut config = PoolConfig::new().breaker(breaker);
        if let Some(attempts) = self.attempts {
            config = config.attempts(attempts);
        }
        if let Some(interval) = self.check_every {
            let plan = CheckPlan::every(interval).on_edge(interval.min(EDGE));
            config = config.checks(plan);
        }
        if let Some(limit) = self.deadline {
            config = config.deadline(limit);
        }
        if let Some(FailbackSection { hold, ramp }) = self.failback {
            let ramp = Ramp::linear(Ratio::percent(10), ramp);
            config = config.failback(Failback::gradual(hold, ramp));
        }
        if self.hedge {
            config = config.hedge(Hedge::after_quantile(Ratio::percent(95)));
        }
        config.check_for_contradictions()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Failure> {
        let nonsense = [
            (self.attempts == Some(0), "attempts must be at least 1"),
            (
                is_zero(self.check_every),
                "check_every must be longer than 0s",
            ),
            (is_zero(self.deadline), "deadline must be longer than 0s"),
            (
                self.failback
                    .is_some_and(|it| it.hold.is_zero() || it.ramp.is_zero()),
                "failback.hold and failback.ramp must be longer than 0s",
            ),
            (self.upstream.is_empty(), "it needs an upstream"),
            (
                self.upstream.iter().any(|it| it.weight == 0),
                "a weight must be at least 1",
            ),
        ];
        if let Some((_, what)) = nonsense.iter().find(|(wrong, _)| *wrong) {
            return Err((*what).into());
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = self.upstream.iter().find(|it| !names.insert(&it.name)) {
            return Err(format!("two upstreams are named {:?}", twice.name).into());
        }
        self.config().map(drop)
    }
}

fn is_zero(span: Option<Duration>) -> bool {
    span.is_some_and(|span| span.is_zero())
}

const fn one() -> u16 {
    1
}

fn uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uri, D::Error> {
    let text = String::deserialize(deserializer)?;
    let uri: Uri = text.parse().map_err(de::Error::custom)?;
    match (uri.scheme_str(), uri.host(), uri.path()) {
        (Some("http"), Some(_), "/") => Ok(uri),
        _ => Err(de::Error::custom(format!(
            "{text:?} is not the URL of a server, expected one such as \"http://10.0.0.7:8080\""
        ))),
    }
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathAndQuery>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse() {
        Ok(path) if text.starts_with('/') => Ok(Some(path)),
        _ => Err(de::Error::custom(format!(
            "{text:?} is not a path such as \"/healthz\""
        ))),
    }
}

const EDGE: Duration = Duration::from_secs(1);
