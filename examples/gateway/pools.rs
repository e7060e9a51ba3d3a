use std::collections::BTreeMap;

use breakerbox::{BreakerBox, Endpoint, Pool, PoolConfig};

use crate::Failure;
use crate::client::{Client, Server};
use crate::config::{Config, Name};

/// The pools that there are now, all of which the box has as well.
#[derive(Default)]
pub(crate) struct Pools {
    by_name: BTreeMap<Name, Pool<Server>>,
}

impl Pools {
    pub(crate) fn find(&self, name: &Name) -> Option<&Pool<Server>> {
        self.by_name.get(name)
    }

    /// Makes or changes all of them. Those that are planned no more stay, until
    /// nobody is sent to them: then [`retain`](Self::retain) what there is to be.
    ///
    /// What can be wrong with a plan is found before. If it fails still, it is
    /// because the box ends, and no pool is lost: the next plan begins with them.
    pub(crate) async fn apply(&mut self, breakers: &BreakerBox, plan: Plan) -> Result<(), Failure> {
        let known: Vec<_> = self.by_name.keys().cloned().collect();
        let (old, new): (Vec<_>, Vec<_>) = plan
            .pools
            .into_iter()
            .partition(|pool| known.contains(&pool.name));
        for pool in new {
            if let Err(error) = self.start(breakers, pool).await {
                self.retain(|name| known.contains(name)).await;
                return Err(error);
            }
        }
        for pool in old {
            self.change(pool).await?;
        }
        Ok(())
    }

    async fn start(&mut self, breakers: &BreakerBox, planned: Planned) -> Result<(), Failure> {
        let name = planned.name.to_string();
        let pool = breakers.pool(name, planned.config, planned.endpoints);
        self.by_name.insert(planned.name, pool.await?);
        Ok(())
    }

    /// Whoever stays keeps its breaker, and the pool is empty at no time: it adds
    /// who is new before it removes who is gone.
    async fn change(&self, planned: Planned) -> Result<(), Failure> {
        if let Some(pool) = self.by_name.get(&planned.name) {
            pool.reconfigure(planned.config).await?;
            pool.update(planned.endpoints).await?;
        }
        Ok(())
    }

    /// Closes all but these.
    pub(crate) async fn retain(&mut self, stays: impl Fn(&Name) -> bool) {
        let names = self.by_name.keys();
        let gone: Vec<_> = names.filter(|name| !stays(name)).cloned().collect();
        for name in gone {
            if let Some(pool) = self.by_name.remove(&name) {
                pool.close().await;
            }
        }
    }
}

/// Pools as a configuration wants them, with all their endpoints.
pub(crate) struct Plan {
    pools: Vec<Planned>,
}

struct Planned {
    config: PoolConfig,
    endpoints: Vec<Endpoint<Server>>,
    name: Name,
}

impl Plan {
    pub(crate) fn new(config: &Config, client: &Client) -> Result<Self, Failure> {
        let mut pools = Vec::new();
        for (name, section) in &config.pool {
            pools.push(Planned {
                config: section.config()?,
                endpoints: client.endpoints(section),
                name: name.clone(),
            });
        }
        Ok(Self { pools })
    }
}
