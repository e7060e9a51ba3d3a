use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use axum::body::Body;
use breakerbox::{BreakerBox, PoolError, Readiness, Verdict};
use breakerbox_tower::http::unavailable;
use breakerbox_tower::{IdleTimeout, IdleTimeoutBody, ReplayError, error_verdict};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Mutex;
use tower::Service;

use crate::client::Client;
use crate::client_address::Peer;
use crate::clients::{RequestUnderWay, Requests};
use crate::config::{Config, Limits};
use crate::headers::{self, Way};
use crate::pools::{Plan, Pools};
use crate::refusal::{is_of_server, refusal};
use crate::rules::{Routed, Rules};
use crate::trail::Trail;
use crate::upload::{TooLarge, Upload};
use crate::{Failure, path};

/// Sends requests on to pools of servers, by their paths.
pub(crate) struct Gateway {
    breakers: BreakerBox,
    client: Client,
    pools: Mutex<Pools>,
    readiness: Readiness,
    requests: Requests,
    rules: RwLock<Rules>,
}

impl Gateway {
    pub(crate) fn new(breakers: BreakerBox, readiness: Readiness) -> Self {
        Self {
            breakers,
            client: Client::new(),
            pools: Mutex::default(),
            readiness,
            requests: Requests::default(),
            rules: RwLock::default(),
        }
    }

    /// Goes by this configuration from now on. What stays keeps its breakers.
    pub(crate) async fn apply(&self, config: &Config) -> Result<(), Failure> {
        let plan = Plan::new(config, &self.client)?;
        let mut pools = self.pools.lock().await;
        pools.apply(&self.breakers, plan).await?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Rules::new(config, &pools);
        pools.retain(|name| config.pool.contains_key(name)).await;
        Ok(())
    }

    /// Returns what clients may take at present.
    pub(crate) fn limits(&self) -> Limits {
        self.rules().limits
    }

    /// Returns a place for one more request; None if too many are under way.
    pub(crate) fn enter(&self) -> Option<RequestUnderWay> {
        self.requests.enter(self.limits().connections)
    }

    /// Answers a request: by itself, or with what a server of its route says.
    pub(crate) async fn answer(&self, request: Request<Incoming>, client: &Peer) -> Response<Body> {
        let mut request = Upload::limited(request, self.limits().body_bytes);
        if let Some(refusal) = refusal(&request) {
            return status(refusal);
        }
        if is_of_server(request.method(), request.uri()) {
            return status(StatusCode::NO_CONTENT);
        }
        if path::normalize(request.uri_mut()).is_none() {
            return status(StatusCode::BAD_REQUEST);
        }
        match self.own_page(&request, client) {
            Some(page) => page,
            None => self.forward(request, client).await,
        }
    }

    /// Answers a request that is one too many, or whose client is: a probe as ever. A path that
    /// only becomes another one by being normalized is nothing that a probe asks for.
    pub(crate) async fn turn_away(
        &self,
        request: Request<Incoming>,
        client: &Peer,
    ) -> Response<Body> {
        let path = request.uri().path();
        let mut response = match is_own_path(path) && path::is_normal(path) {
            true => self.answer(request, client).await,
            false => {
                // The rest of its upload is read for a while.
                drop(Upload::limited(request, 0));
                unavailable(Some(COME_BACK_AFTER))
            }
        };
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
        response
    }

    /// Returns what the gateway says of itself, where that is asked for.
    fn own_page<B>(&self, request: &Request<B>, client: &Peer) -> Option<Response<Body>> {
        Some(match request.uri().path() {
            // Its servers are nobody's business outside.
            "/.gateway/pools" if client.address.is_loopback() && !self.is_proxied(request) => {
                Response::new(self.pools().into())
            }
            "/.gateway/ready" => match self.readiness.is_ready() {
                true => status(StatusCode::OK),
                false => status(StatusCode::SERVICE_UNAVAILABLE),
            },
            path if is_own_path(path) => status(StatusCode::NOT_FOUND),
            _ => return None,
        })
    }

    async fn forward(&self, mut request: Request<Upload>, client: &Peer) -> Response<Body> {
        let Some((mut route, is_from_proxy)) = self.find(request.uri().path()) else {
            return status(StatusCode::NOT_FOUND);
        };
        if let Some(trail) = Trail::of(&request) {
            trail.enter_pool(route.service.pool().name());
        }
        if request.body().is_too_large() {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let way = Way {
            client,
            is_from_proxy,
            host: route.host,
        };
        headers::of_request(&mut request, way);
        // It is always ready.
        match route.service.call(request.map(limited)).await {
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

    /// The route of this path, and whether its clients are a proxy.
    fn find(&self, path: &str) -> Option<(Routed, bool)> {
        let rules = self.rules();
        Some((rules.route(path)?.clone(), rules.behind_proxy))
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
fn limited(body: Upload) -> Body {
    match body.is_end_stream() {
        true => Body::empty(),
        false => Body::new(IdleTimeoutBody::new(body, UPLOAD_IDLE)),
    }
}

/// Whose fault it was: the client's if its upload broke, or the gateway's own if it is
/// out of files, ports or memory.
fn fault<E: Error + 'static>(error: &PoolError<E>) -> StatusCode {
    let mut causes = crate::chain(error);
    if let PoolError::TimedOut(_) = error {
        StatusCode::GATEWAY_TIMEOUT
    } else if !causes.any(|cause| matches!(cause.downcast_ref(), Some(UploadError::Body(_)))) {
        match error_verdict(error) {
            Verdict::OutOfResources => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_GATEWAY,
        }
    } else {
        causes
            .find_map(of_upload)
            .unwrap_or(StatusCode::BAD_REQUEST)
    }
}

fn of_upload(cause: &(dyn Error + 'static)) -> Option<StatusCode> {
    if cause.is::<IdleTimeout>() {
        Some(StatusCode::REQUEST_TIMEOUT)
    } else {
        cause
            .is::<TooLarge>()
            .then_some(StatusCode::PAYLOAD_TOO_LARGE)
    }
}

/// Whether no other server has this path.
fn is_own_path(path: &str) -> bool {
    path.starts_with("/.gateway/")
}

type UploadError = ReplayError<axum::Error>;

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// For a client that is one too many.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);
const UPLOAD_IDLE: Duration = Duration::from_secs(30);
