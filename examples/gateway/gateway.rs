use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use breakerbox::{BreakerBox, PoolError};
use breakerbox_tower::http::unavailable;
use breakerbox_tower::{Http, PoolService};
use http::{Request, Response, StatusCode};
use tokio::sync::Mutex;
use tower::ServiceExt;

use crate::Failure;
use crate::client::{Client, Server};
use crate::config::{Config, Prefix, Route};
use crate::headers;
use crate::pools::{Plan, Pools};

/// Sends requests on to pools of servers, by their paths.
pub(crate) struct Gateway {
    breakers: BreakerBox,
    client: Client,
    pools: Mutex<Pools>,
    routes: RwLock<Arc<Vec<Routed>>>,
}

/// A route, and where it leads.
#[derive(Clone)]
struct Routed {
    prefix: Prefix,
    service: PoolService<Server, Http>,
}

impl Gateway {
    pub(crate) fn new(breakers: BreakerBox) -> Self {
        Self {
            breakers,
            client: Client::new(),
            pools: Mutex::default(),
            routes: RwLock::default(),
        }
    }

    /// Goes by this configuration from now on. What stays keeps its breakers.
    pub(crate) async fn apply(&self, config: &Config) -> Result<(), Failure> {
        let plan = Plan::new(config, &self.client)?;
        let mut pools = self.pools.lock().await;
        pools.apply(&self.breakers, plan).await?;
        self.route(&config.route, &pools);
        pools.retain(|name| config.pool.contains_key(name)).await;
        Ok(())
    }

    /// Routes with longer prefixes first.
    fn route(&self, routes: &[Route], pools: &Pools) {
        let mut routed: Vec<_> = routes
            .iter()
            .filter_map(|route| {
                let pool = pools.find(&route.pool)?.clone();
                Some(Routed {
                    prefix: route.prefix.clone(),
                    service: PoolService::new(pool, Http),
                })
            })
            .collect();
        routed.sort_by_key(|route| std::cmp::Reverse(route.prefix.length()));
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
        let route = routes.iter().find(|route| route.prefix.begins(path))?;
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
