//! The connections to one server, kept for the next request.
//!
//! Each thread has connections of its own. One is driven by the thread that made it,
//! so what a server says comes in on the thread that waits for it, and no thread has to
//! wake another one. hyper-util's client keeps one pool for all threads and finds the
//! server of each request by its URI, which takes three times the instructions.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use breakerbox_tower::{EarlyAnswer, ReplayBody};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, Version, header};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::client::legacy::connect::HttpConnector;
use thread_local::ThreadLocal;
use tokio::time::interval;
use tower::{Service, ServiceExt};

type Connector = EarlyAnswer<HttpConnector>;
type ConnectError = <Connector as Service<Uri>>::Error;
type Sender = SendRequest<ReplayBody<Body>>;

/// A client of one server, which speaks HTTP/1.1.
///
/// The client is always ready: a call that finds no free connection makes one.
#[derive(Clone)]
pub(crate) struct Connections {
    idle: Arc<ThreadLocal<Arc<Idle>>>,
    server: Arc<Server>,
}

/// The server, and the way to it.
struct Server {
    connector: Connector,
    host: HeaderValue,
    url: Uri,
}

impl Connections {
    /// Connections to the server of this URL. There are none yet.
    pub(crate) fn new(connector: Connector, url: Uri) -> Self {
        let server = Server {
            connector,
            host: host_of(&url),
            url,
        };
        Self {
            idle: Arc::default(),
            server: Arc::new(server),
        }
    }
}

/// Returns a `Host` header, in which the port of HTTP is left out.
fn host_of(url: &Uri) -> HeaderValue {
    let host = url.host().unwrap_or_default();
    let host = match url.port_u16() {
        None | Some(80) => host.to_owned(),
        Some(port) => format!("{host}:{port}"),
    };
    HeaderValue::try_from(host).expect("the host of a URL is ASCII")
}

impl Service<Request<ReplayBody<Body>>> for Connections {
    type Response = Response<Returning>;
    type Error = ConnectionError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectionError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<ReplayBody<Body>>) -> Self::Future {
        self.server.address(&mut request);
        let idle = Arc::clone(self.idle.get_or(Idle::begin));
        let server = Arc::clone(&self.server);
        Box::pin(async move {
            loop {
                let kept = idle.take();
                let is_kept = kept.is_some();
                let mut sender = match kept {
                    Some(sender) => sender,
                    None => Box::pin(server.connect()).await?,
                };
                match sender.try_send_request(request).await {
                    Ok(response) => {
                        return Ok(response.map(|body| Returning::new(body, sender, idle)));
                    }
                    Err(mut error) => match error.take_message() {
                        // The server may end a connection that is idle at any time.
                        Some(unsent) if is_kept => request = unsent,
                        _ => return Err(ConnectionError::Broken(error.into_error())),
                    },
                }
            }
        })
    }
}

impl Server {
    /// Makes a request one for this server, whatever its URI says.
    fn address(&self, request: &mut Request<ReplayBody<Body>>) {
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        *request.uri_mut() = path.into();
        *request.version_mut() = Version::HTTP_11;
        let host = request.headers_mut().entry(header::HOST);
        host.or_insert_with(|| self.host.clone());
    }

    async fn connect(&self) -> Result<Sender, ConnectionError> {
        let connector = self.connector.clone();
        let connecting = connector.oneshot(self.url.clone());
        let io = connecting.await.map_err(ConnectionError::NotMade)?;
        let (sender, connection) = handshake(io).await.map_err(ConnectionError::Broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = crate::causes(&error), "a connection has broken");
            }
        });
        Ok(sender)
    }
}

/// The connections of one thread that no request uses. The latest come last.
#[derive(Default)]
struct Idle {
    connections: Mutex<Vec<(Sender, Instant)>>,
}

impl Idle {
    /// Returns an empty list, and starts a task that ends connections which become too
    /// old.
    fn begin() -> Arc<Self> {
        let idle = Arc::new(Self::default());
        tokio::spawn(sweep(Arc::downgrade(&idle)));
        idle
    }

    /// Takes the latest connection that is ready. So connections that nobody needs become
    /// old.
    fn take(&self) -> Option<Sender> {
        let mut connections = self.connections();
        let now = Instant::now();
        let latest = connections
            .iter()
            .rposition(|(sender, since)| is_young(*since, now) && sender.is_ready())?;
        Some(connections.remove(latest).0)
    }

    fn put(&self, sender: Sender) {
        self.connections().push((sender, Instant::now()));
    }

    /// Drops connections that are too old or closed.
    fn sweep(&self) {
        let now = Instant::now();
        let is_of_use =
            |(sender, since): &(Sender, _)| is_young(*since, now) && !sender.is_closed();
        self.connections().retain(is_of_use);
    }

    fn connections(&self) -> MutexGuard<'_, Vec<(Sender, Instant)>> {
        let connections = self.connections.lock();
        connections.unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_young(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < IDLE
}

async fn sweep(idle: Weak<Idle>) {
    let mut tick = interval(SWEEP_EVERY);
    loop {
        tick.tick().await;
        match idle.upgrade() {
            Some(idle) => idle.sweep(),
            None => return,
        }
    }
}

/// The body of a response, which gives its connection back when it ends.
pub(crate) struct Returning {
    body: Incoming,
    idle: Arc<Idle>,
    /// The connection; None after it has been given back.
    sender: Option<Sender>,
}

impl Returning {
    fn new(body: Incoming, sender: Sender, idle: Arc<Idle>) -> Self {
        Self {
            body,
            idle,
            sender: Some(sender),
        }
    }
}

impl HttpBody for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        // Where the body was not read to its end, hyper ends the connection, which is
        // not ready until then.
        if let Some(sender) = self.sender.take() {
            self.idle.put(sender);
        }
    }
}

/// An exchange without a response.
#[derive(Debug)]
pub(crate) enum ConnectionError {
    /// The connection broke, or the server did not speak HTTP.
    Broken(hyper::Error),
    /// There is no connection to the server.
    NotMade(ConnectError),
}

impl Error for ConnectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Broken(error) => error,
            Self::NotMade(error) => error,
        })
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "the exchange with the server failed",
            Self::NotMade(_) => "cannot connect to the server",
        })
    }
}

/// Less than the 5 s for which Node.js, Apache and uvicorn keep a connection: a POST
/// on one that is being closed may not be sent again.
const IDLE: Duration = Duration::from_secs(4);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
