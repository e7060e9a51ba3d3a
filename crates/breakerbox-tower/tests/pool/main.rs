//! Pools of HTTP servers, over real sockets: what is sent where, and how often.

#![cfg(test)]

mod relay;
mod server;
mod silence;

use std::io;
use std::time::Duration;

use breakerbox::{
    Backoff, BreakerBox, BreakerConfig, CheckPlan, Endpoint, EndpointStatus, HealthCheck, Pool,
    PoolConfig, PoolError, Repeat, TripPolicy,
};
use breakerbox_tower::{
    Gather, GrpcCheck, Http, HttpCheck, Origin, PoolService, ReplayBody, WatchedBody,
};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Method, Request, Response, Uri, Version};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tower::{Layer, ServiceExt};

use server::{Server, Serves, closed_socket};

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Upstream = Origin<Client<HttpConnector, ReplayBody<Body>>>;
type Shop = PoolService<Upstream, Http>;

/// Breakers that stay out of the way.
const CONFIG: PoolConfig = PoolConfig::new()
    .breaker(BreakerConfig::new().trip_on(TripPolicy::consecutive_failures(100)))
    .retry_backoff(Backoff::fixed(Duration::from_millis(1)));

fn upstream(port: u16) -> Upstream {
    upstream_of(Version::HTTP_11, port)
}

fn upstream_of(version: Version, port: u16) -> Upstream {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(version == Version::HTTP_2)
        .build_http();
    let uri: Uri = format!("http://127.0.0.1:{port}").parse().unwrap();
    Origin::new(client, &uri).unwrap()
}

/// North in tier 0, south in tier 1.
async fn shop(config: PoolConfig, north: u16, south: u16) -> Shop {
    shop_of(config, [north, south].map(upstream)).await
}

async fn shop_of(config: PoolConfig, [north, south]: [Upstream; 2]) -> Shop {
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoints = [
        Endpoint::new("north", north),
        Endpoint::new("south", south).tier(1),
    ];
    let pool = breakers.pool("shop", config, endpoints).await.unwrap();
    PoolService::new(pool, Http)
}

type Answer = Result<Response<WatchedBody<Incoming>>, PoolError<hyper_util::client::legacy::Error>>;

async fn send(shop: &Shop, method: Method, body: Body) -> Answer {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_static("/order?n=1");
    shop.clone().oneshot(request).await
}

async fn text(answer: Answer) -> String {
    let body = answer.unwrap().into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

fn whole(text: &'static str) -> Body {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body whose length nobody knows before its end.
fn streamed(pieces: Vec<Bytes>) -> Body {
    let frames = stream::iter(pieces).then(|piece| async move {
        tokio::task::yield_now().await;
        Ok(Frame::data(piece))
    });
    StreamBody::new(frames).boxed_unsync()
}

fn in_flight<S: Clone + Send + Sync + 'static>(pool: &Pool<S>) -> u32 {
    let endpoints = pool.snapshot().endpoints;
    endpoints.iter().map(|endpoint| endpoint.in_flight).sum()
}

#[tokio::test]
async fn r53_an_upload_that_was_refused_a_connection_goes_elsewhere_whole() {
    let south = Server::start(Serves::Echo).await;
    let closed = closed_socket();
    let port = closed.local_addr().unwrap().port();
    let shop = shop(CONFIG, port, south.port).await;
    // By no means idempotent; but nothing was sent.
    let pieces = vec![
        Bytes::from("a "),
        Bytes::from("whole "),
        Bytes::from("order"),
    ];
    let answer = send(&shop, Method::POST, streamed(pieces)).await;
    assert_eq!(text(answer).await, "POST /order?n=1 a whole order");
    assert_eq!(south.requests(), 1);
    assert_eq!(in_flight(shop.pool()), 0);
}

#[tokio::test]
async fn r53_a_post_is_not_sent_twice() {
    for (serves, status) in [(Serves::Busy(30), 503), (Serves::Status(500), 500)] {
        let north = Server::start(serves).await;
        let south = Server::start(Serves::Echo).await;
        let shop = shop(CONFIG, north.port, south.port).await;
        let answer = send(&shop, Method::POST, whole("order")).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!((north.requests(), south.requests()), (1, 0));
    }
}

#[tokio::test]
async fn r53_a_post_that_may_run_twice_is_sent_again_after_pushback() {
    let north = Server::start(Serves::Busy(30)).await;
    let south = Server::start(Serves::Echo).await;
    let shop = shop(CONFIG, north.port, south.port).await;
    let shop = shop.repeat_by(|_head| Repeat::Idempotent);
    let answer = send(&shop, Method::POST, whole("order")).await;
    assert_eq!(text(answer).await, "POST /order?n=1 order");
    assert_eq!((north.requests(), south.requests()), (1, 1));
}

#[tokio::test]
async fn r53_a_put_is_sent_again_with_its_body() {
    let north = Server::start(Serves::Status(500)).await;
    let south = Server::start(Serves::Echo).await;
    let shop = shop(CONFIG, north.port, south.port).await;
    for body in [whole("order"), streamed(vec!["or".into(), "der".into()])] {
        let answer = send(&shop, Method::PUT, body).await;
        assert_eq!(text(answer).await, "PUT /order?n=1 order");
    }
    assert_eq!((north.requests(), south.requests()), (2, 2));
}

#[tokio::test]
async fn r53_a_put_whose_body_was_too_large_to_keep_is_not_sent_again() {
    let north = Server::start(Serves::Status(500)).await;
    let south = Server::start(Serves::Echo).await;
    let shop = shop(CONFIG, north.port, south.port).await.replay_up_to(64);
    let answer = send(
        &shop,
        Method::PUT,
        streamed(vec!["or".into(), "der".into()]),
    )
    .await;
    assert_eq!(answer.unwrap().status(), 500);
    assert_eq!((north.requests(), south.requests()), (1, 0));
}

#[tokio::test]
async fn r53_a_put_that_hangs_is_sent_again_with_its_body() {
    let north = Server::start(Serves::Nothing).await;
    let south = Server::start(Serves::Echo).await;
    let limit = BreakerConfig::new().call_timeout(Duration::from_millis(500));
    let shop = shop(CONFIG.breaker(limit), north.port, south.port).await;
    // North keeps the connection, and so the body, when it is given up.
    let answer = send(
        &shop,
        Method::PUT,
        streamed(vec!["or".into(), "der".into()]),
    )
    .await;
    assert_eq!(text(answer).await, "PUT /order?n=1 order");
}

#[tokio::test]
async fn r53_an_upload_that_breaks_is_nobodys_failure() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let north = Server::start(Serves::Echo).await;
        let south = Server::start(Serves::Echo).await;
        let upstreams = [north.port, south.port].map(|port| upstream_of(version, port));
        let shop = shop_of(CONFIG, upstreams).await;
        let frames = stream::iter([
            Ok(Frame::data(Bytes::from("or"))),
            Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        ]);
        let frames = frames.then(|frame| async {
            // The first piece leaves before the upload breaks.
            tokio::task::yield_now().await;
            frame
        });
        let body = StreamBody::new(frames).boxed_unsync();
        let answer = send(&shop, Method::PUT, body).await;
        assert!(matches!(answer, Err(PoolError::Failed(_))), "{answer:?}");
        let breaker = shop.pool().breaker("north").unwrap();
        let counts = breaker.snapshot().await.counts;
        assert_eq!(counts.failures, 0, "{version:?}");
        assert_eq!(south.requests(), 0, "{version:?}");
    }
}

#[tokio::test]
async fn a_request_of_any_version_is_sent_in_that_of_the_client() {
    let north = Server::start(Serves::Echo).await;
    for ours in [Version::HTTP_11, Version::HTTP_2] {
        let upstream = upstream_of(ours, north.port);
        let shop = shop_of(CONFIG, [upstream.clone(), upstream]).await;
        for theirs in [Version::HTTP_10, Version::HTTP_2, Version::HTTP_3] {
            let mut request = Request::new(whole("order"));
            *request.version_mut() = theirs;
            let answer = shop.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.version(), ours, "{theirs:?}");
        }
    }
}

#[tokio::test]
async fn r54_pushback_is_obeyed() {
    let north = Server::start(Serves::Busy(30)).await;
    let south = Server::start(Serves::Echo).await;
    let shop = shop(CONFIG, north.port, south.port).await;
    for _ in 0..3 {
        let answer = send(&shop, Method::GET, whole("")).await;
        assert_eq!(text(answer).await, "GET /order?n=1 ");
    }
    assert_eq!((north.requests(), south.requests()), (1, 3));
}

#[tokio::test]
async fn r52_bodies_that_break_open_the_breaker() {
    let north = Server::start(Serves::HalfABody).await;
    let south = Server::start(Serves::Echo).await;
    let three = BreakerConfig::new().trip_on(TripPolicy::consecutive_failures(3));
    let shop = shop(CONFIG.breaker(three), north.port, south.port).await;
    for _ in 0..3 {
        let answer = send(&shop, Method::GET, whole("")).await.unwrap();
        assert!(answer.into_body().collect().await.is_err());
    }
    let answer = send(&shop, Method::GET, whole("")).await;
    assert_eq!(text(answer).await, "GET /order?n=1 ");
    assert_eq!((north.requests(), south.requests()), (3, 1));
}

#[tokio::test]
async fn r53_a_small_body_that_breaks_is_asked_for_elsewhere() {
    let north = Server::start(Serves::LessThanPromised).await;
    let south = Server::start(Serves::Echo).await;
    let breakers = BreakerBox::start("test").await.unwrap();
    let gather = Gather::up_to(1_024);
    let endpoints = [
        Endpoint::new("north", gather.layer(upstream(north.port))),
        Endpoint::new("south", gather.layer(upstream(south.port))).tier(1),
    ];
    let pool = breakers.pool("shop", CONFIG, endpoints).await.unwrap();
    let request = Request::get("/").body(whole("")).unwrap();
    let shop = PoolService::new(pool, Http);
    let answer = shop.oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "GET / ");
    assert_eq!((north.requests(), south.requests()), (1, 1));
}

#[tokio::test]
async fn r51_a_body_counts_as_in_flight_until_it_is_read_or_dropped() {
    let north = Server::start(Serves::Echo).await;
    let shop = shop(CONFIG, north.port, north.port).await;
    let answer = send(&shop, Method::POST, whole("order")).await.unwrap();
    assert_eq!(in_flight(shop.pool()), 1);
    drop(answer);
    assert_eq!(in_flight(shop.pool()), 0);
}

#[tokio::test]
async fn r57_an_endpoint_is_checked_by_the_client_that_serves_its_calls() {
    let north = Server::start(Serves::Status(500)).await;
    let breakers = BreakerBox::start("test").await.unwrap();
    let check = HttpCheck::get(Uri::from_static("/healthz"));
    let endpoint = Endpoint::new("north", upstream(north.port)).check(check);
    let often = CheckPlan::every(Duration::from_millis(10)).on_edge(Duration::from_millis(10));
    let pool = breakers.pool("shop", CONFIG.checks(often), [endpoint]);
    let pool = pool.await.unwrap();
    let mut events = pool.events();
    while pool.snapshot().endpoints[0].status != EndpointStatus::Unhealthy {
        events.next().await;
    }
    north.now(Serves::Echo);
    while pool.snapshot().endpoints[0].status == EndpointStatus::Unhealthy {
        events.next().await;
    }
}

#[tokio::test]
async fn r57_only_a_service_that_says_it_serves_passes_the_check_of_grpc() {
    let server = Server::start(Serves::Health(1)).await;
    for (service, serves, is_well) in [
        ("a.B", Serves::Health(1), true),
        ("a.B", Serves::Health(2), false),
        ("a.C", Serves::Health(1), false),
        ("a.B", Serves::Echo, false),
        ("a.B", Serves::HalfABody, false),
        ("a.B", Serves::Status(503), false),
    ] {
        server.now(serves);
        let endpoint = upstream_of(Version::HTTP_2, server.port);
        let checked = GrpcCheck::new(service).check(endpoint).await;
        assert_eq!(
            checked.is_ok(),
            is_well,
            "{service} {serves:?}: {checked:?}"
        );
    }
}
