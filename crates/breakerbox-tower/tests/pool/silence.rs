//! Connections that die in silence, over real sockets.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use breakerbox::{
    Backoff, BreakerBox, BreakerConfig, Endpoint, Pool, PoolConfig, State, TripPolicy,
};
use breakerbox_tower::{Http, Lazy, Origin, PoolService, Renewable, ReplayBody};
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http::{Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::service::service_fn as service_fn_of_hyper;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::transport::Channel;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use super::relay::Relay;
use super::server::{Server, Serves};
use super::{Body, whole};

/// Opens on the second call in a row without an answer.
const CONFIG: PoolConfig = PoolConfig::new().attempts(1).breaker(
    BreakerConfig::new()
        .call_timeout(Duration::from_millis(300))
        .open_for(Backoff::fixed(Duration::from_millis(20)))
        .probes(1)
        .trip_on(TripPolicy::consecutive_failures(2)),
);

/// Whether the endpoint says how to let go of its connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    Given,
    Kept,
}

fn uri(port: u16) -> Uri {
    format!("http://127.0.0.1:{port}").parse().unwrap()
}

type Legacy = Client<HttpConnector, ReplayBody<Body>>;

fn legacy(is_http2: bool) -> Renewable<Legacy> {
    Renewable::new(move || {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.http2_only(is_http2).build_http()
    })
}

fn channel(port: u16) -> Renewable<Channel> {
    let endpoint = Channel::builder(uri(port));
    Renewable::new(move || endpoint.connect_lazy())
}

/// An HTTP/2 connection as a service.
#[derive(Clone)]
struct Connection(SendRequest<ReplayBody<Body>>);

impl Service<Request<ReplayBody<Body>>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReplayBody<Body>>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

async fn connect(port: u16) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(Connection(sender))
}

#[tokio::test]
async fn r64_a_probe_finds_the_server_that_the_old_connections_do_not() {
    for word in [Word::Given, Word::Kept] {
        for is_http2 in [false, true] {
            let relay = relay().await;
            let client = legacy(is_http2);
            let server = Origin::new(client.clone(), &uri(relay.port)).unwrap();
            let renew = move |_: &_| client.renew();
            probe(
                &format!("a client, HTTP/2 {is_http2}"),
                word,
                &relay,
                server,
                renew,
            )
            .await;
        }
        let relay = relay().await;
        let connection = Lazy::new(service_fn(connect), relay.port);
        let server = Origin::new(connection.clone(), &uri(relay.port)).unwrap();
        let renew = move |_: &_| connection.renew();
        probe("a connection", word, &relay, server, renew).await;

        let relay = self::relay().await;
        let channel = channel(relay.port);
        let server = ServiceBuilder::new()
            .map_request(|request: Request<ReplayBody<Body>>| request.map(tonic::body::Body::new))
            .service(channel.clone());
        let renew = move |_: &_| channel.renew();
        probe("a channel", word, &relay, server, renew).await;
    }
}

async fn relay() -> Relay {
    let server = Server::start(Serves::Echo).await;
    Relay::to(server.port).await
}

/// Has connections die and sees what becomes of the endpoint.
async fn probe<S, R>(
    way: &str,
    word: Word,
    relay: &Relay,
    server: S,
    renew: impl Fn(&S) + Send + Sync + 'static,
) where
    S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Error + Send + 'static,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>> + Send + std::fmt::Debug,
{
    let endpoint = Endpoint::new("north", server);
    let endpoint = match word {
        Word::Given => endpoint.renew(renew),
        Word::Kept => endpoint,
    };
    let breakers = BreakerBox::start("test").await.unwrap();
    let pool = breakers.pool("shop", CONFIG, [endpoint]).await.unwrap();
    // Side by side, so that HTTP/1.1 has as many connections.
    let first = join_all((0..6).map(|_| begin(&pool))).await;
    for answer in first {
        answer.unwrap().into_body().collect().await.unwrap();
    }
    relay.fall_silent();
    let breaker = pool.breaker("north").unwrap();
    for _ in 0..2 {
        assert!(begin(&pool).await.is_err(), "{way}");
    }
    assert_ne!(breaker.state(), State::Closed, "{way}");
    let connections = relay.connections();
    timeout(Duration::from_secs(30), breaker.ready())
        .await
        .unwrap();
    let answer = begin(&pool).await;
    match word {
        Word::Given => {
            answer.unwrap().into_body().collect().await.unwrap();
            assert_eq!(breaker.state(), State::Closed, "{way}");
            assert_eq!(relay.connections(), connections + 1, "{way}");
        }
        Word::Kept => {
            assert!(answer.is_err(), "{way}");
            assert_ne!(breaker.state(), State::Closed, "{way}");
            assert_eq!(relay.connections(), connections, "{way}");
        }
    }
}

async fn begin<S, R>(
    pool: &Pool<S>,
) -> Result<Response<breakerbox_tower::WatchedBody<R>>, breakerbox::PoolError<S::Error>>
where
    S: Service<Request<ReplayBody<Body>>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Error + Send + 'static,
    S::Future: Send + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    let request = Request::post("/order").body(whole("order")).unwrap();
    let service: PoolService<S, Http> = PoolService::new(pool.clone(), Http);
    ServiceExt::<Request<Body>>::oneshot(service, request).await
}

#[tokio::test]
async fn r64_an_answer_under_way_comes_to_its_end_on_a_connection_that_is_left() {
    for is_http2 in [false, true] {
        let goes_on = Arc::new(Notify::new());
        let port = serve_halves(Arc::clone(&goes_on)).await;
        let client = legacy(is_http2);
        let north = Origin::new(client.clone(), &uri(port)).unwrap();
        let breakers = BreakerBox::start("test").await.unwrap();
        let endpoints = [Endpoint::new("north", north)];
        let pool = breakers.pool("shop", CONFIG, endpoints).await.unwrap();
        let answer = begin(&pool).await.unwrap();
        client.renew();
        goes_on.notify_one();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "one half, and the other", "HTTP/2 {is_http2}");
    }
}

/// A server whose answers go on, after their first half, when they are told to.
async fn serve_halves(goes_on: Arc<Notify>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = move |_request| {
        let goes_on = Arc::clone(&goes_on);
        let second = async move {
            goes_on.notified().await;
            Ok::<_, Infallible>(Frame::data(Bytes::from("and the other")))
        };
        let first = stream::iter([Ok(Frame::data(Bytes::from("one half, ")))]);
        let body = StreamBody::new(first.chain(stream::once(second)));
        ready(Ok::<_, Infallible>(Response::new(body.boxed_unsync())))
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn_of_hyper(answer.clone());
            let builder = Builder::new(TokioExecutor::new());
            tokio::spawn(async move {
                let connection = builder.serve_connection(TokioIo::new(stream), answer);
                // An error means that the client has gone.
                let _ended = connection.await;
            });
        }
    });
    port
}
