use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Collected, Full, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpSocket};

/// A server that answers as it is told, and counts.
pub(crate) struct Server {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    requests: AtomicU32,
    serves: Mutex<Serves>,
}

/// What a server answers with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Serves {
    /// 503, come back after so many seconds.
    Busy(u32),
    /// Method, path and body.
    Echo,
    /// The connection ends before the body does.
    HalfABody,
    /// gRPC's health service, of which each service has this status.
    Health(u8),
    /// The connection ends before as much has come as was promised.
    LessThanPromised,
    /// It reads the request and does not answer.
    Nothing,
    Status(u16),
}

impl Server {
    pub(crate) async fn start(serves: Serves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            requests: AtomicU32::new(0),
            serves: Mutex::new(serves),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { port, shared }
    }

    pub(crate) fn now(&self, serves: Serves) {
        *self.shared.serves.lock().unwrap() = serves;
    }

    pub(crate) fn requests(&self) -> u32 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

/// A socket that is bound and does not listen: connections to it are refused.
pub(crate) fn closed_socket() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // An error means that the client has gone, or was to see one.
            let _ended = builder
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let serves = *shared.serves.lock().unwrap();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes);
    let mut response = Response::new(whole(String::new()));
    match serves {
        Serves::Busy(seconds) => {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.headers_mut().insert("retry-after", seconds.into());
        }
        Serves::Echo => {
            let body = body.unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            *response.body_mut() = whole(format!("{} {} {body}", head.method, head.uri));
        }
        Serves::HalfABody => *response.body_mut() = half(),
        Serves::Health(status) => {
            let asked = (head.uri.path(), &body.unwrap_or_default()[..]);
            *response.body_mut() = health(asked, status);
        }
        Serves::LessThanPromised => {
            response.headers_mut().insert("content-length", 8.into());
            *response.body_mut() = half();
        }
        Serves::Nothing => std::future::pending().await,
        Serves::Status(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
    }
    Ok(response)
}

fn health(asked: (&str, &[u8]), status: u8) -> Body {
    let is_known = asked == ("/grpc.health.v1.Health/Check", b"\0\0\0\0\x05\x0a\x03a.B");
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", if is_known { 0 } else { 12 }.into());
    let frames = [
        Ok(Frame::data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]))),
        Ok(Frame::trailers(trailers)),
    ];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

fn half() -> Body {
    let frames = [
        Ok(Frame::data(Bytes::from("half"))),
        Err(io::Error::other("as it was told")),
    ];
    let frames = stream::iter(frames).then(|frame| async {
        // The first half leaves before the connection ends.
        tokio::task::yield_now().await;
        frame
    });
    StreamBody::new(frames).boxed_unsync()
}

fn whole(text: String) -> Body {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync()
}
