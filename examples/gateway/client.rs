use std::time::Duration;

use axum::body::Body;
use breakerbox::Endpoint;
use breakerbox_tower::{
    EarlyAnswer, Gather, GatherService, HttpCheck, InvalidOrigin, Origin, Renewable, ReplayBody,
};
use http::uri::PathAndQuery;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as HyperClient};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Layer;

use crate::config::{PoolSection, Upstream};
use crate::trail::Traced;

/// A server that requests are sent to.
pub(crate) type Server = GatherService<Traced<Origin<Renewable<Connections>>>>;

/// The connections to one server.
type Connections = HyperClient<EarlyAnswer<HttpConnector>, ReplayBody<Body>>;

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
    pub(crate) fn endpoints(
        &self,
        section: &PoolSection,
    ) -> Result<Vec<Endpoint<Server>>, InvalidOrigin> {
        let check = section.health_check.as_ref();
        let upstreams = section.upstream.iter();
        upstreams
            .map(|upstream| self.endpoint(upstream, check))
            .collect()
    }

    fn endpoint(
        &self,
        upstream: &Upstream,
        check: Option<&PathAndQuery>,
    ) -> Result<Endpoint<Server>, InvalidOrigin> {
        let connections = self.connections();
        let origin = Origin::new(connections.clone(), &upstream.url)?;
        let name = upstream.endpoint(check);
        let server = Gather::up_to(GATHER_UP_TO).layer(Traced::new(&name, origin));
        let endpoint = Endpoint::new(name, server)
            .renew(move |_server| connections.renew())
            .tier(upstream.tier)
            .weight(upstream.weight);
        Ok(match check {
            Some(path) => endpoint.check(HttpCheck::get(path.clone().into())),
            None => endpoint,
        })
    }

    fn connections(&self) -> Renewable<Connections> {
        let connector = self.connector.clone();
        let connections = move || {
            legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector.clone())
        };
        Renewable::new(connections).max_age(CONNECTIONS_UP_TO)
    }
}

/// A busy server's host name is looked up again at least so often.
const CONNECTIONS_UP_TO: Duration = Duration::from_secs(300);
const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Bodies up to this are read before their response is handed on.
const GATHER_UP_TO: u64 = 64 * 1_024;
/// Less than the 5 s for which Node.js, Apache and uvicorn keep a connection: a POST
/// on one that is being closed may not be sent again.
const IDLE: Duration = Duration::from_secs(4);
