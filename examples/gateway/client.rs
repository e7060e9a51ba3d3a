use std::time::Duration;

use breakerbox::Endpoint;
use breakerbox_tower::{EarlyAnswer, Gather, GatherService, HttpCheck, Renewable};
use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::client::legacy::connect::HttpConnector;
use tower::Layer;

use crate::config::{PoolSection, Upstream};
use crate::connections::Connections;
use crate::trail::Traced;

/// A server that requests are sent to.
pub(crate) type Server = GatherService<Traced<Renewable<Connections>>>;

/// The gateway as the client of its servers.
///
/// Each server has connections of its own, so that those to one that has died in
/// silence are left without a loss for the others.
pub(crate) struct Client {
    connector: EarlyAnswer<HttpConnector>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        Self {
            connector: EarlyAnswer::new(connector),
        }
    }

    /// The endpoints of a pool.
    pub(crate) fn endpoints(&self, section: &PoolSection) -> Vec<Endpoint<Server>> {
        let check = section.health_check.as_ref();
        let upstreams = section.upstream.iter();
        upstreams
            .map(|upstream| self.endpoint(upstream, check))
            .collect()
    }

    fn endpoint(&self, upstream: &Upstream, check: Option<&PathAndQuery>) -> Endpoint<Server> {
        let connections = self.connections(&upstream.url);
        let name = upstream.endpoint(check);
        let server = Traced::new(&name, connections.clone());
        let endpoint = Endpoint::new(name, Gather::up_to(GATHER_UP_TO).layer(server))
            .renew(move |_server| connections.renew())
            .tier(upstream.tier)
            .weight(upstream.weight);
        match check {
            Some(path) => endpoint.check(HttpCheck::get(path.clone().into())),
            None => endpoint,
        }
    }

    fn connections(&self, url: &Uri) -> Renewable<Connections> {
        let (connector, url) = (self.connector.clone(), url.clone());
        let connections = move || Connections::new(connector.clone(), url.clone());
        Renewable::new(connections).max_age(CONNECTIONS_UP_TO)
    }
}

/// A busy server's host name is looked up again at least so often.
const CONNECTIONS_UP_TO: Duration = Duration::from_secs(300);
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Bodies up to this are read before their response is handed on.
const GATHER_UP_TO: u64 = 64 * 1_024;
