//! What a gateway is told by its file.
//!
//! A file that is wrong must change nothing, also when it is read while the
//! gateway works. So all that can be wrong with one is found here, before any of
//! it is used: each value where it stands, and then what they say together.

mod limits;
mod name;
mod pool;
mod read;
mod route;
mod span;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use crate::Failure;
pub(crate) use limits::Limits;
pub(crate) use name::Name;
pub(crate) use pool::PoolSection;
pub(crate) use route::{Prefix, Route};
pub(crate) use upstream::Upstream;

/// A file that makes sense; `gateway.toml` has all that there may be in one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) behind_proxy: bool,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(deserialize_with = "address")]
    pub(crate) listen: SocketAddr,
    pub(crate) pool: BTreeMap<Name, PoolSection>,
    pub(crate) route: Vec<Route>,
}

impl Config {
    /// Reads a file; nothing of it is used unless all of it is right.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let config = Self::parse(&text);
        config.map_err(|error| format!("{}: {error}", file.display()).into())
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self = toml::from_str(text)?;
        for (name, pool) in &config.pool {
            pool.check()
                .map_err(|error| format!("pool.{name}: {error}"))?;
        }
        config.check_routes()?;
        Ok(config)
    }

    /// Whether each route is one of its own to a pool, and each pool has one.
    fn check_routes(&self) -> Result<(), String> {
        let mut unused: BTreeSet<_> = self.pool.keys().collect();
        let mut prefixes = BTreeSet::new();
        for Route { pool, prefix } in &self.route {
            if !self.pool.contains_key(pool) {
                let pools: Vec<_> = self.pool.keys().map(Name::as_str).collect();
                return Err(format!(
                    "the route {prefix} has no pool \"{pool}\", only {pools:?}"
                ));
            }
            if !prefixes.insert(prefix) {
                return Err(format!("there are two routes {prefix}, expected one"));
            }
            unused.remove(pool);
        }
        match unused.first() {
            Some(pool) => Err(format!(
                "pool.{pool} has no route, expected one, or no such pool"
            )),
            None => Ok(()),
        }
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let expected = "an IP address and a port such as \"127.0.0.1:8080\"";
    read::text(deserializer, expected, |text| text.parse().ok())
}
