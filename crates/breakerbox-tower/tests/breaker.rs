//! A breaker around a service: who is asked, when it is ready, what counts.

#![cfg(test)]

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, CallError, Counts, Override, RejectReason, State,
    TripPolicy, Window,
};
use breakerbox_tower::{BreakerLayer, ByResult, Classify, Grpc, Http, WatchedBody};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::time::Instant;
use tokio_test::{assert_pending, assert_ready_ok, task};
use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::limit::ConcurrencyLimit;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_test::mock;

/// Opens on the second failure in a row, for 10 s; one probe closes it.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2))
    .open_for(Backoff::fixed(Duration::from_secs(10)))
    .probes(1);

async fn breaker() -> (BreakerBox, Breaker) {
    breaker_of(CONFIG).await
}

async fn breaker_of(config: BreakerConfig) -> (BreakerBox, Breaker) {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", config).await.unwrap();
    (breakers, breaker)
}

async fn counts(breaker: &Breaker) -> Counts {
    breaker.snapshot().await.counts
}

async fn force_open(breaker: &Breaker) {
    let word = Override::forced_open("test");
    breaker.force(word).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn r19_a_layer_has_one_breaker_however_often_it_is_applied() {
    let (_breakers, breaker) = breaker().await;
    let layer = BreakerLayer::new(breaker.clone(), ByResult);
    for _route in 0..2 {
        let fails = service_fn(|()| async { Err::<(), _>("down") });
        let service = layer.clone().layer(fails);
        let failed = service.oneshot(()).await;
        assert_eq!(failed, Err(CallError::Failed("down")));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn r01_while_open_it_is_ready_answers_and_asks_nobody() {
    let (_breakers, breaker) = breaker().await;
    force_open(&breaker).await;
    let (service, mut within) = mock::pair::<(), ()>();
    // Were it polled, it would not be ready.
    within.allow(0);
    let mut service = BreakerLayer::new(breaker.clone(), ByResult).layer(service);
    service.ready().await.unwrap();
    let rejected = service.call(()).await.unwrap_err();
    assert!(
        matches!(rejected, CallError::Rejected(rejected)
            if rejected.reason() == RejectReason::ForcedOpen),
        "{rejected:?}"
    );
    breaker.release().await.unwrap();
    let mut ready = task::spawn(service.ready());
    assert_pending!(ready.poll(), "it asks the service again");
}

#[tokio::test(start_paused = true)]
async fn r07_a_service_that_waits_is_woken_when_its_breaker_lets_probes_through() {
    let (_breakers, breaker) = breaker().await;
    let echo = service_fn(|text: &'static str| async move { Ok::<_, &str>(text) });
    let layer = BreakerLayer::new(breaker.clone(), ByResult).wait_while_open();
    let mut service = layer.layer(echo);
    breaker.try_acquire().unwrap().failure().await;
    breaker.try_acquire().unwrap().failure().await;
    let mut ready = task::spawn(service.ready());
    assert_pending!(ready.poll());
    let before = Instant::now();
    let service = ready.await.unwrap();
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    assert_eq!(service.call("probe").await, Ok("probe"));
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_balancer_goes_elsewhere_while_a_breaker_is_open() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let mut services = Vec::new();
    for name in ["north", "south"] {
        let breaker = breakers.breaker(name, CONFIG).await.unwrap();
        let layer = BreakerLayer::new(breaker, ByResult).wait_while_open();
        let service = service_fn(move |()| async move { Ok::<_, io::Error>(name) });
        let service = layer.layer(service);
        services.push(tower::load::Constant::new(service, 1));
    }
    force_open(&breakers.find("north").unwrap()).await;
    let mut balance = Balance::new(ServiceList::new(services));
    for _ in 0..20 {
        let answer = balance.ready().await.unwrap().call(()).await.unwrap();
        assert_eq!(answer, "south");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_within_is_waited_for() {
    let (_breakers, breaker) = breaker().await;
    let (service, mut within) = mock::pair::<(), ()>();
    within.allow(0);
    let mut service = BreakerLayer::new(breaker, ByResult).layer(service);
    let mut ready = task::spawn(service.ready());
    assert_pending!(ready.poll());
    within.allow(1);
    assert!(ready.is_woken());
    assert_ready_ok!(ready.poll());
}

#[tokio::test(start_paused = true)]
async fn r12_a_service_is_not_called_before_it_has_leave() {
    let (_breakers, breaker) = breaker().await;
    let (service, mut within) = mock::pair::<(), ()>();
    let mut service = BreakerLayer::new(breaker.clone(), ByResult).layer(service);
    service.ready().await.unwrap();
    // Between readiness and the call.
    force_open(&breaker).await;
    assert!(matches!(
        service.call(()).await,
        Err(CallError::Rejected(_))
    ));
    let mut request = task::spawn(within.next_request());
    assert_pending!(request.poll());
}

#[tokio::test(start_paused = true)]
async fn r14_an_answer_that_does_not_begin_in_time_is_a_failure() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let limit = Duration::from_secs(1);
    let config = CONFIG.call_timeout(limit);
    let breaker = breakers.breaker("peer", config).await.unwrap();
    let hangs = service_fn(|()| std::future::pending::<Result<(), Infallible>>());
    let service = BreakerLayer::new(breaker.clone(), ByResult).layer(hangs);
    assert_eq!(service.oneshot(()).await, Err(CallError::TimedOut(limit)));
    assert_eq!(counts(&breaker).await.failures, 1);
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// An answer with this body, behind the breaker.
async fn answer<C>(breaker: &Breaker, judge: C, body: Body) -> Response<WatchedBody<Body>>
where
    C: Classify<Response<Body>, Infallible, Watched = Response<WatchedBody<Body>>>,
{
    let service = answers(Response::new(body));
    let service = BreakerLayer::new(breaker.clone(), judge).layer(service);
    service.oneshot(()).await.unwrap()
}

/// A service that has one answer.
fn answers(
    response: Response<Body>,
) -> impl Service<(), Response = Response<Body>, Error = Infallible, Future: Send> + Clone {
    let response = Arc::new(Mutex::new(Some(response)));
    service_fn(move |()| ready(Ok(response.lock().unwrap().take().unwrap())))
}

/// A frame, and then an end that comes when it is told to.
struct EndsLater {
    frames: Vec<io::Result<Frame<Bytes>>>,
    has_ended: Arc<AtomicBool>,
}

impl http_body::Body for EndsLater {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.frames.pop())
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }
}

fn frames(frames: Vec<io::Result<Frame<Bytes>>>) -> Body {
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

fn data() -> io::Result<Frame<Bytes>> {
    Ok(Frame::data(Bytes::from_static(b"data")))
}

fn broken() -> io::Result<Frame<Bytes>> {
    Err(io::ErrorKind::ConnectionReset.into())
}

fn status(code: &'static str) -> io::Result<Frame<Bytes>> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.parse().unwrap());
    Ok(Frame::trailers(trailers))
}

#[tokio::test(start_paused = true)]
async fn r03_the_end_of_a_body_settles_its_call() {
    for (what, body, expected) in [
        ("read to its end", vec![data(), data()], (1, 0)),
        ("broken in the middle", vec![data(), broken()], (0, 1)),
    ] {
        let (_breakers, breaker) = breaker().await;
        let response = answer(&breaker, Http, frames(body)).await;
        let before = counts(&breaker).await;
        assert_eq!((before.successes, before.failures), (0, 0), "{what}");
        let _end = response.into_body().collect().await;
        let after = counts(&breaker).await;
        assert_eq!((after.successes, after.failures), expected, "{what}");
    }
}

/// hyper's servers read no further once they have sent trailers on.
#[tokio::test(start_paused = true)]
async fn r03_a_body_is_at_its_end_when_its_trailers_have_come() {
    let checksum = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", "1".parse().unwrap());
        Ok(Frame::trailers(trailers))
    };
    let (_breakers, breaker) = breaker().await;
    let response = answer(&breaker, Http, frames(vec![data(), checksum()])).await;
    let mut body = response.into_body();
    while !body.frame().await.unwrap().unwrap().is_trailers() {}
    drop(body);
    assert_eq!(counts(&breaker).await.successes, 1);
    let response = answer(&breaker, Grpc, frames(vec![data(), checksum()])).await;
    let mut body = response.into_body();
    while !body.frame().await.unwrap().unwrap().is_trailers() {}
    drop(body);
    assert_eq!(counts(&breaker).await.failures, 1, "they have no status");
}

#[tokio::test(start_paused = true)]
async fn r03_a_body_that_its_reader_drops_is_abandoned() {
    let (_breakers, breaker) = breaker().await;
    let response = answer(&breaker, Http, frames(vec![data(), data()])).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    let counts = counts(&breaker).await;
    assert_eq!((counts.successes, counts.failures), (0, 0));
}

/// A server that knows from its headers how much it has to send reads no further,
/// and not every body says by itself that it is at its end.
#[tokio::test(start_paused = true)]
async fn r03_a_body_is_at_its_end_when_as_much_has_come_as_was_promised() {
    for (length, body) in [(8, vec![data(), data()]), (0, vec![])] {
        let (_breakers, breaker) = breaker().await;
        let frames_to_read = body.len();
        let mut response = Response::new(frames(body));
        response
            .headers_mut()
            .insert("content-length", length.into());
        let service = answers(response);
        let service = BreakerLayer::new(breaker.clone(), Http).layer(service);
        let mut body = service.oneshot(()).await.unwrap().into_body();
        for _ in 0..frames_to_read {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert_eq!(counts(&breaker).await.successes, 1, "{length} bytes");
    }
}

/// Over HTTP/2 the end can come after the last frame, by itself.
#[tokio::test(start_paused = true)]
async fn r03_a_body_does_not_say_that_it_is_at_its_end_before_its_call_is_settled() {
    let (_breakers, breaker) = breaker().await;
    let has_ended = Arc::new(AtomicBool::new(false));
    let body = EndsLater {
        frames: vec![data()],
        has_ended: Arc::clone(&has_ended),
    };
    let response = answer(&breaker, Http, body.boxed_unsync()).await;
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert!(!body.is_end_stream(), "there is more to read");
    has_ended.store(true, Ordering::SeqCst);
    assert!(!body.is_end_stream(), "nobody has read the end");
    assert!(body.frame().await.is_none());
    assert!(body.is_end_stream());
    assert_eq!(counts(&breaker).await.successes, 1);
}

#[tokio::test(start_paused = true)]
async fn r03_a_body_whose_last_frame_waits_for_the_breaker_is_not_at_its_end() {
    // Only a policy of the user's own is waited for.
    let second = TripPolicy::custom(|counts| counts.failures == 2);
    let (_breakers, breaker) = breaker_of(CONFIG.trip_on(second)).await;
    let full = Full::from("data").map_err(|never| match never {});
    // An end without a status is a failure, and the second one opens the breaker.
    breaker.try_acquire().unwrap().failure().await;
    let response = answer(&breaker, Grpc, full.boxed_unsync()).await;
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(4));
    assert_pending!(task::spawn(body.frame()).poll());
    assert!(!body.is_end_stream());
    // What is left within does not include the frame that is held.
    assert_eq!(body.size_hint().exact(), None);
    let last = body.frame().await.unwrap().unwrap();
    assert_eq!(last.into_data().unwrap(), "data");
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn r03_an_answer_without_a_body_settles_at_once() {
    let (_breakers, breaker) = breaker().await;
    let empty = Empty::new().map_err(|never| match never {});
    let _response = answer(&breaker, Http, empty.boxed_unsync()).await;
    assert_eq!(counts(&breaker).await.successes, 1);
}

#[tokio::test(start_paused = true)]
async fn grpc_is_judged_by_its_trailers() {
    for (what, body, expected) in [
        ("OK", vec![status("0")], (1, 0)),
        ("NOT_FOUND", vec![status("5")], (1, 0)),
        ("UNAVAILABLE", vec![status("14")], (0, 1)),
        ("none", vec![], (0, 1)),
    ] {
        let (_breakers, breaker) = breaker().await;
        let body = std::iter::once(data()).chain(body).collect();
        let response = answer(&breaker, Grpc, frames(body)).await;
        let _end = response.into_body().collect().await;
        let counts = counts(&breaker).await;
        assert_eq!((counts.successes, counts.failures), expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn grpc_that_is_not_200_is_judged_as_http_unless_it_has_a_status() {
    for (status, grpc_status, expected) in [
        (401, None, (1, 0)),
        (403, None, (1, 0)),
        (404, None, (1, 0)),
        (404, Some("14"), (0, 1)),
        (502, None, (0, 1)),
        (502, Some("5"), (1, 0)),
        // Without a body, it should have had its status here.
        (200, None, (0, 1)),
        (200, Some("0"), (1, 0)),
    ] {
        let (_breakers, breaker) = breaker().await;
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        if let Some(code) = grpc_status {
            let code = code.parse().unwrap();
            response.headers_mut().insert("grpc-status", code);
        }
        let service = service_fn(move |()| ready(Ok::<_, Infallible>(response.clone())));
        let service = BreakerLayer::new(breaker.clone(), Grpc).layer(service);
        service.oneshot(()).await.unwrap();
        let counts = counts(&breaker).await;
        let counts = (counts.successes, counts.failures);
        assert_eq!(counts, expected, "{status} {grpc_status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r08_without_a_pool_pushback_is_a_failure_and_its_advice_is_followed() {
    let (_breakers, breaker) = breaker().await;
    let busy = service_fn(|()| async {
        let wait = Some(Duration::from_secs(30));
        Ok::<_, Infallible>(breakerbox_tower::http::unavailable::<Empty<Bytes>>(wait))
    });
    let service = BreakerLayer::new(breaker.clone(), Http).layer(busy);
    for _ in 0..2 {
        let response = service.clone().oneshot(()).await.unwrap();
        assert_eq!(response.status(), 503);
    }
    let rejected = breaker.rejection().unwrap();
    assert_eq!(rejected.retry_after(), Some(Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn clones_do_not_share_what_made_one_of_them_ready() {
    let (_breakers, breaker) = breaker().await;
    force_open(&breaker).await;
    let echo = service_fn(|text: &'static str| async move { Ok::<_, Infallible>(text) });
    let mut service = BreakerLayer::new(breaker.clone(), ByResult).layer(echo);
    service.ready().await.unwrap();
    let mut clone = service.clone();
    breaker.release().await.unwrap();
    let turned_away = service.call("asked").await;
    assert!(matches!(turned_away, Err(CallError::Rejected(_))));
    assert_eq!(clone.call("asked").await, Ok("asked"));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_called_because_its_breaker_opened_holds_no_place() {
    for ask_again in [true, false] {
        let (_breakers, breaker) = breaker().await;
        let service = service_fn(|()| async { Ok::<_, Infallible>(()) });
        let service = ConcurrencyLimit::new(service, 1);
        let mut one = BreakerLayer::new(breaker.clone(), ByResult).layer(service);
        let mut other = one.clone();
        one.ready().await.unwrap();
        force_open(&breaker).await;
        if ask_again {
            one.ready().await.unwrap();
        }
        let rejected = one.call(()).await.unwrap_err();
        assert!(matches!(rejected, CallError::Rejected(_)));
        breaker.release().await.unwrap();
        assert_ready_ok!(task::spawn(other.ready()).poll());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_its_breaker_holds_no_place() {
    let (_breakers, breaker) = breaker().await;
    let service = service_fn(|()| async { Ok::<_, Infallible>(()) });
    let limited = ConcurrencyLimit::new(service, 1);
    let layer = BreakerLayer::new(breaker.clone(), ByResult).wait_while_open();
    let mut waits = layer.layer(limited.clone());
    waits.ready().await.unwrap();
    force_open(&breaker).await;
    assert_pending!(task::spawn(waits.ready()).poll());
    let mut limited = limited;
    assert_ready_ok!(task::spawn(limited.ready()).poll());
}
