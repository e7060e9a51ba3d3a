use std::convert::Infallible;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use breakerbox::CancellationToken;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use crate::access::{self, Logged};
use crate::activity::{Activity, Patience, Watched};
use crate::client_address::Peer;
use crate::clients::{Kind, Place};
use crate::config::Limits;
use crate::gateway::Gateway;

/// A connection of a client, and the place that it takes.
pub(crate) struct Connection {
    pub(crate) client: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) place: Place,
    /// The socket, which the runtime that serves the connection registers.
    pub(crate) stream: StdStream,
}

impl Connection {
    /// Answers requests until the connection ends or the client keeps the gateway waiting
    /// for too long. While the gateway drains, it answers those that have begun.
    pub(crate) async fn serve(
        self,
        protocol: Builder<TokioExecutor>,
        limits: Limits,
        drains: CancellationToken,
    ) {
        let stream = match TcpStream::from_std(self.stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot wait for a connection");
                return;
            }
        };
        // Without it, small answers are slower, and no less right.
        let _slower = stream.set_nodelay(true);
        let (activity, kind) = (Activity::new(), self.place.kind());
        let sides = Arc::new(Sides {
            client: Peer::new(self.client.ip()),
            gateway: self.gateway,
            kind,
        });
        let service = service_fn(|request| {
            let (sides, activity) = (Arc::clone(&sides), Arc::clone(&activity));
            async move { Ok::<_, Infallible>(sides.answer(request, &activity).await) }
        });
        let connection = protocol.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let patience = patience(kind, limits);
        let mut is_last_request = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection ended early");
                    }
                    return;
                }
                () = self.place.is_lost() => return,
                () = drains.cancelled(), if !is_last_request => {}
                () = activity.client_is_too_slow(patience) => {
                    if is_last_request || activity.is_request_under_way() {
                        return;
                    }
                }
            }
            // HTTP/2 tells the client, which may have sent one more request by then.
            is_last_request = true;
            activity.record_action();
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// The two sides of a connection's requests.
struct Sides {
    client: Peer,
    gateway: Arc<Gateway>,
    kind: Kind,
}

impl Sides {
    async fn answer(
        &self,
        request: Request<Incoming>,
        activity: &Arc<Activity>,
    ) -> Response<Watched<Logged>> {
        let turn = activity.enter();
        let (gateway, client) = (&self.gateway, &self.client);
        let place = match self.kind {
            Kind::Served => gateway.enter(),
            Kind::TurnedAway => None,
        };
        let response = access::logged(request, client.address, async |request| match place {
            Some(_) => gateway.answer(request, client).await,
            None => gateway.turn_away(request, client).await,
        });
        let response = response.await;
        response.map(|body| Watched::new(body, turn, place))
    }
}

fn patience(kind: Kind, limits: Limits) -> Patience {
    let patience = Patience {
        for_reading: limits.send_timeout(),
        for_request: limits.head_timeout(),
    };
    match kind {
        Kind::Served => patience,
        Kind::TurnedAway => Patience {
            for_reading: patience.for_reading.min(TURNED_AWAY_WITHIN),
            for_request: patience.for_request.min(TURNED_AWAY_WITHIN),
        },
    }
}

/// A probe sends its request at once, and other clients wait for its place.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(2);
