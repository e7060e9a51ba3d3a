use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use breakerbox::{BreakerBox, Endpoint, Pool, PoolError};
use breakerbox_tower::http::unavailable;
use breakerbox_tower::{Gather, GatherService, Http, HttpCheck, Origin, PoolService, ReplayBody};
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{Layer, ServiceExt};

use crate::Failure;
use crate::config::{Config, PoolSection, Route, Upstream};
use crate::headers;

type Server = GatherService<Origin<Client<HttpConnector, ReplayBody<Body>>>>;

/// Sends requests on to pools of servers, by their paths.
pub(crate) struct Gateway {
    breakers: BreakerBox,
    client: Client<HttpConnector, ReplayBody<Body>>,
    routes: RwLock<Arc<Vec<Routed>>>,
}

/// A route, and where it leads.
#[derive(Clone)]
struct Routed {
    prefix: String,
    service: PoolService<Server, Http>,
}

/// What was applied last.
#[derive(Default)]
pub(crate) struct Applied {
    pools: BTreeMap<String, (PoolSection, Pool<Server>)>,
}

impl Gateway {
    pub(crate) fn new(breakers: BreakerBox) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self {
            breakers,
            client,
            routes: RwLock::default(),
        }
    }

    /// Goes by this configuration from now on. What stays keeps its breakers.
    pub(crate) async fn apply(
        &self,
        config: &Config,
        applied: &mut Applied,
    ) -> Result<(), Failure> {
        for (name, section) in &config.pool {
            let pool = match applied.pools.remove(name) {
                Some((before, pool)) => {
                    self.change(&pool, &before, section).await?;
                    pool
                }
                None => self.start(name, section).await?,
            };
            applied.pools.insert(name.clone(), (section.clone(), pool));
        }
        self.route(&config.route, applied);
        let is_gone = |name: &String| !config.pool.contains_key(name);
        let gone: Vec<_> = applied
            .pools
            .keys()
            .filter(|name| is_gone(name))
            .cloned()
            .collect();
        for name in gone {
            if let Some((_, pool)) = applied.pools.remove(&name) {
                pool.close().await;
            }
        }
        Ok(())
    }

    async fn start(&self, name: &str, section: &PoolSection) -> Result<Pool<Server>, Failure> {
        let config = section.config()?;
        let endpoints = self.endpoints(section)?;
        Ok(self
            .breakers
            .pool(name.to_owned(), config, endpoints)
            .await?)
    }

    async fn change(
        &self,
        pool: &Pool<Server>,
        before: &PoolSection,
        section: &PoolSection,
    ) -> Result<(), Failure> {
        pool.reconfigure(section.config()?).await?;
        let checked_alike = before.health_check == section.health_check;
        for upstream in &before.upstream {
            // At another address, or asked otherwise, it is another server.
            let mut now = section.upstream.iter();
            let stays = now.any(|it| it.name == upstream.name && it.url == upstream.url);
            if !(stays && checked_alike) {
                pool.remove(&upstream.name).await;
            }
        }
        Ok(pool.update(self.endpoints(section)?).await?)
    }

    fn endpoints(&self, section: &PoolSection) -> Result<Vec<Endpoint<Server>>, Failure> {
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
    ) -> Result<Endpoint<Server>, Failure> {
        let origin = Origin::new(self.client.clone(), &upstream.url)?;
        let server = Gather::up_to(GATHER_UP_TO).layer(origin);
        let endpoint = Endpoint::new(upstream.name.clone(), server)
            .tier(upstream.tier)
            .weight(upstream.weight);
        Ok(match check {
            Some(path) => endpoint.check(HttpCheck::get(path.clone().into())),
            None => endpoint,
        })
    }

    /// Routes with longer prefixes first.
    fn route(&self, routes: &[Route], applied: &Applied) {
        let mut routed: Vec<_> = routes
            .iter()
            .map(|route| Routed {
                prefix: route.prefix.clone(),
                service: PoolService::new(applied.pools[&route.pool].1.clone(), Http),
            })
            .collect();
        routed.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routed);
    }

    /// Answers a request with what a server of its route says.
    pub(crate) async fn serve(&self, mut request: Request<Body>) -> Response<Body> {
        let Some(service) = self.find(request.uri().path()) else {
            return status(StatusCode::NOT_FOUND);
        };
        headers::of_request(&mut request);
        match service.oneshot(request).await {
            Ok(mut response) => {
                headers::of_hop(response.headers_mut());
                response.map(Body::new)
            }
            Err(PoolError::Rejected(rejected)) => unavailable(rejected.retry_after()),
            Err(PoolError::TimedOut(_)) => status(StatusCode::GATEWAY_TIMEOUT),
            Err(error) => {
                tracing::warn!(error = %crate::causes(&error), "no server answered");
                status(StatusCode::BAD_GATEWAY)
            }
        }
    }

    fn find(&self, path: &str) -> Option<PoolService<Server, Http>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let route = routes
            .iter()
            .find(|route| path.starts_with(&route.prefix))?;
        Some(route.service.clone())
    }

    /// How all pools are, as text.
    pub(crate) fn pools(&self) -> String {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let pools = routes.iter().map(|route| route.service.pool());
        let told = pools.map(|pool| (pool.name().to_owned(), pool.snapshot().to_string()));
        told.collect::<BTreeMap<_, _>>()
            .into_values()
            .map(|pool| pool + "\n")
            .collect()
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

const CONNECT_WITHIN: Duration = Duration::from_millis(500);
/// Bodies up to this are read before their response is handed on.
const GATHER_UP_TO: u64 = 64 * 1_024;
/// Less than most servers keep a connection for.
const IDLE: Duration = Duration::from_secs(30);
