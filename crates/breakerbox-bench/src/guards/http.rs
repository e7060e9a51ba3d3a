//! Requests over HTTP, to a server of this process or to one that needs none.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tower::{Service, ServiceExt};

use super::AsyncGuard;
use crate::machine;

/// A service that is sent one request after another, each answer read to its end.
#[derive(Clone, Debug)]
pub struct Requests<S> {
    /// Whom they are sent to.
    pub service: S,
    /// What they ask for.
    pub uri: Uri,
}

impl<S, B> AsyncGuard for Requests<S>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send,
    B: Body<Data: Send> + Send,
{
    async fn call(&mut self, _fails: bool) -> bool {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let Ok(service) = self.service.ready().await else {
            return false;
        };
        match service.call(request).await {
            Ok(response) => response.into_body().collect().await.is_ok(),
            Err(_) => false,
        }
    }
}

/// hyper's client, as everybody uses it.
#[must_use]
pub fn client<B>() -> Client<HttpConnector, B>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// A service that answers at once.
#[derive(Clone, Copy, Debug)]
pub struct AtOnce;

impl<B> Service<Request<B>> for AtOnce {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<B>) -> Self::Future {
        ready(Ok(Response::new(ANSWER.into())))
    }
}

/// A server on the second core, for as long as the process lives.
#[derive(Clone, Copy, Debug)]
pub struct HttpServer {
    address: SocketAddr,
}

impl HttpServer {
    /// Serves on a port that was free.
    ///
    /// # Panics
    ///
    /// If there is none, or no thread.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        listener.set_nonblocking(true).expect("a socket can do it");
        thread::spawn(|| {
            machine::pin(1);
            machine::one_worker().block_on(serve(listener));
        });
        Self { address }
    }

    /// Its root.
    ///
    /// # Panics
    ///
    /// Never: an address and a port make a URI.
    #[must_use]
    pub fn uri(&self) -> Uri {
        let uri = format!("http://{}/", self.address);
        uri.parse().expect("an address and a port make a URI")
    }
}

async fn serve(listener: TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    while let Ok((stream, _)) = listener.accept().await {
        // Without it a small answer may wait for an acknowledgement.
        stream.set_nodelay(true).expect("a socket can do it");
        let answers = service_fn(|request: Request<Incoming>| AtOnce.call(request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answers));
    }
}

const ANSWER: &str = "an answer";
