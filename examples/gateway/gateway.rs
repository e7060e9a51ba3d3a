use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use axum::body::Body;
use breakerbox::{BreakerBox, PoolError, Readiness};
use breakerbox_tower::http::unavailable;
use breakerbox_tower::{PoolService, ReplayError};
use http::{Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Mutex;
use tower::ServiceExt;
use tower_http::timeout::{TimeoutBody, TimeoutError};

use crate::Failure;
use crate::client::{Client, Server};
use crate::config::{Config, Prefix};
use crate::headers;
use crate::judge::Judge;
use crate::pools::{Plan, Pools};

/// Sends requests on to pools of servers, by their paths.
pub(crate) struct Gateway {
    breakers: BreakerBox,
    client: Client,
    pools: Mutex<Pools>,
    readiness: Readiness,
    rules: RwLock<Rules>,
}

/// What requests go by.
#[derive(Default)]
struct Rules {
    behind_proxy: bool,
    /// Those with longer prefixes first.
    routes: Vec<Routed>,
}

/// A route, and where it leads.
struct Routed {
    prefix: Prefix,
    service: PoolService<Server, Judge>,
}

impl Gateway {
    pub(crate) fn new(breakers: BreakerBox, readiness: Readiness) -> Self {
        Self {
            breakers,
            client: Client::new(),
            pools: Mutex::default(),
            readiness,
            rules: RwLock::default(),
        }
    }

    /// Goes by this configuration from now on. What stays keeps its breakers.
    pub(crate) async fn apply(&self, config: &Config) -> Result<(), Failure> {
        let plan = Plan::new(config, &self.client)?;
        let mut pools = self.pools.lock().await;
        pools.apply(&self.breakers, plan).await?;
        self.route(config, &pools);
        pools.retain(|name| config.pool.contains_key(name)).await;
        Ok(())
    }

    fn route(&self, config: &Config, pools: &Pools) {
        let mut routes: Vec<_> = config
            .route
            .iter()
            .filter_map(|route| {
                let pool = pools.find(&route.pool)?.clone();
                let idle_timeout = config.pool.get(&route.pool)?.idle_timeout();
                Some(Routed {
                    prefix: route.prefix.clone(),
                    service: PoolService::new(pool, Judge { idle_timeout }),
                })
            })
            .collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.length()));
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Rules {
            behind_proxy: config.behind_proxy,
            routes,
        };
    }

    /// Answers a request: by itself, or with what a server of its route says.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: SocketAddr,
    ) -> Response<Body> {
        if let Some(fault) = headers::fault(&request) {
            return status(fault);
        }
        let client = client.ip().to_canonical();
        match request.uri().path() {
            // Its servers are nobody's business outside.
            "/.gateway/pools" if client.is_loopback() && !self.is_proxied(&request) => {
                Response::new(self.pools().into())
            }
            "/.gateway/ready" => match self.readiness.is_ready() {
                true => status(StatusCode::OK),
                false => status(StatusCode::SERVICE_UNAVAILABLE),
            },
            path if path.starts_with("/.gateway/") => status(StatusCode::NOT_FOUND),
            _ => self.forward(request, client).await,
        }
    }

    async fn forward(&self, mut request: Request<Incoming>, client: IpAddr) -> Response<Body> {
        let Some((service, behind_proxy)) = self.find(request.uri().path()) else {
            return status(StatusCode::NOT_FOUND);
        };
        headers::of_request(&mut request, client, behind_proxy);
        match service.oneshot(request.map(limited)).await {
            Ok(response) if headers::is_foreign(&response) => status(StatusCode::BAD_GATEWAY),
            Ok(mut response) => {
                headers::of_response(&mut response);
                response.map(Body::new)
            }
            Err(PoolError::Rejected(rejected)) => unavailable(rejected.retry_after()),
            Err(error) => {
                // The breakers tell when there is more to it.
                tracing::debug!(error = %crate::causes(&error), "a request failed");
                status(fault(&error))
            }
        }
    }

    /// The service for this path, and whether its clients are a proxy.
    fn find(&self, path: &str) -> Option<(PoolService<Server, Judge>, bool)> {
        let rules = self.rules();
        let mut routes = rules.routes.iter();
        let route = routes.find(|route| route.prefix.begins(path))?;
        Some((route.service.clone(), rules.behind_proxy))
    }

    /// Whether it comes from a proxy, be it one that the file does not know.
    fn is_proxied<B>(&self, request: &Request<B>) -> bool {
        self.rules().behind_proxy || headers::is_forwarded(request)
    }

    fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How all pools are, as text.
    fn pools(&self) -> String {
        let rules = self.rules();
        let pools = rules.routes.iter().map(|route| route.service.pool());
        let told = pools.map(|pool| (pool.name().to_owned(), pool.snapshot().to_string()));
        told.collect::<BTreeMap<_, _>>()
            .into_values()
            .map(|pool| pool + "\n")
            .collect()
    }
}

/// An upload that may pause, but not for long.
fn limited(body: Incoming) -> Body {
    match body.is_end_stream() {
        true => Body::empty(),
        // It does not say any more whether there is anything in it.
        false => Body::new(TimeoutBody::new(UPLOAD_IDLE, body)),
    }
}

/// Whose fault it was: the client's, if its upload broke.
fn fault<E: Error + 'static>(error: &PoolError<E>) -> StatusCode {
    let mut causes = crate::chain(error);
    if let PoolError::TimedOut(_) = error {
        StatusCode::GATEWAY_TIMEOUT
    } else if !causes.any(|cause| matches!(cause.downcast_ref(), Some(UploadError::Body(_)))) {
        StatusCode::BAD_GATEWAY
    } else if causes.any(<dyn Error>::is::<TimeoutError>) {
        StatusCode::REQUEST_TIMEOUT
    } else {
        StatusCode::BAD_REQUEST
    }
}

type UploadError = ReplayError<axum::Error>;

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

const UPLOAD_IDLE: Duration = Duration::from_secs(30);
