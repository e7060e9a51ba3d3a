use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::access;
use crate::clients::{Kind, Place};
use crate::gateway::Gateway;

/// A connection of a client, and the place that it takes.
pub(crate) struct Connection {
    pub(crate) client: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) place: Place,
    pub(crate) stream: TcpStream,
}

impl Connection {
    /// Answers its requests until it ends. The head of the first may take so long.
    pub(crate) async fn serve(
        self,
        protocol: Builder<TokioExecutor>,
        head_timeout: Duration,
        watcher: Watcher,
    ) {
        // Without it, small answers are slower, and no less right.
        let _slower = self.stream.set_nodelay(true);
        let (client, gateway, kind) = (self.client, self.gateway, self.place.kind());
        let has_asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&has_asked);
        let service = service_fn(move |request| {
            asks.store(true, Ordering::Relaxed);
            let gateway = Arc::clone(&gateway);
            async move { Ok::<_, Infallible>(answer(&gateway, request, client, kind).await) }
        });
        let connection = protocol.serve_connection(TokioIo::new(self.stream), service);
        let mut connection = pin!(watcher.watch(connection));
        let first = match kind {
            Kind::Served => head_timeout,
            Kind::TurnedAway => head_timeout.min(TURNED_AWAY_WITHIN),
        };
        // Hyper has no limit until it knows which HTTP it is, and none for the first
        // request of HTTP/2.
        let ended = match timeout(first, connection.as_mut()).await {
            Ok(ended) => ended,
            Err(_) if kind == Kind::Served && has_asked.load(Ordering::Relaxed) => connection.await,
            Err(_) => return,
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection ended early");
        }
    }
}

async fn answer(
    gateway: &Gateway,
    request: Request<Incoming>,
    client: SocketAddr,
    kind: Kind,
) -> Response<Body> {
    let address = client.ip().to_canonical();
    access::logged(request, address, async |request| match kind {
        Kind::Served => gateway.answer(request, address).await,
        Kind::TurnedAway => gateway.turn_away(request, address).await,
    })
    .await
}

/// A probe sends its request at once, and others wait for its place.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(2);
