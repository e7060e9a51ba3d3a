use std::cmp::Reverse;

use breakerbox_tower::PoolService;

use crate::client::Server;
use crate::client_address::client_address;
use crate::config::{Config, Limits, Prefix};
use crate::headers::HostSent;
use crate::judge::Judge;
use crate::pools::Pools;

/// What requests go by.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) behind_proxy: bool,
    pub(crate) limits: Limits,
    /// Those with longer prefixes first.
    pub(crate) routes: Vec<Routed>,
}

/// A route, and where it leads.
#[derive(Clone)]
pub(crate) struct Routed {
    pub(crate) host: HostSent,
    pub(crate) prefix: Prefix,
    pub(crate) service: PoolService<Server, Judge>,
}

impl Rules {
    pub(crate) fn new(config: &Config, pools: &Pools) -> Self {
        let behind_proxy = config.behind_proxy;
        let routes = config.route.iter().filter_map(|route| {
            let pool = pools.find(&route.pool)?.clone();
            let section = config.pool.get(&route.pool)?;
            let idle_timeout = section.idle_timeout();
            let service = PoolService::new(pool, Judge { idle_timeout });
            Some(Routed {
                host: section.host_sent(),
                prefix: route.prefix.clone(),
                service: service.client_by(move |head| client_address(&head.headers, behind_proxy)),
            })
        });
        let mut routes: Vec<_> = routes.collect();
        routes.sort_by_key(|route| Reverse(route.prefix.length()));
        Self {
            behind_proxy,
            limits: config.limits,
            routes,
        }
    }

    /// Returns the route of a path that has been normalized.
    pub(crate) fn route(&self, path: &str) -> Option<&Routed> {
        self.routes.iter().find(|route| route.prefix.begins(path))
    }
}
