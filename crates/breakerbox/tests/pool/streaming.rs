use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use breakerbox::{EndpointStatus, Pool, PoolError, Progress, Repeat, State, Upload, Verdict};
use tokio::time::{Instant, sleep, timeout};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, QUICK, alone, breakers, open, settle};

/// A good answer is only the beginning of one.
fn begun<R>(result: &Result<R, Answer>) -> Option<Verdict> {
    result.is_err().then(|| classify(result))
}

#[tokio::test(start_paused = true)]
async fn r51_a_streamed_answer_is_in_flight_until_its_end() {
    let (_, pool) = alone().await;
    let (_, permit) = pool
        .call_streaming(|| Repeat::Idempotent, begun, Upstream::ask)
        .await
        .unwrap();
    assert_eq!(pool.snapshot().endpoints[0].in_flight, 1);
    let permit = permit.unwrap();
    assert_eq!(permit.endpoint(), "north");
    permit.settle(Verdict::Success).await;
    assert_eq!(pool.snapshot().endpoints[0].in_flight, 0);
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    assert_eq!(counts.successes, 1);
}

#[tokio::test(start_paused = true)]
async fn r52_streams_that_break_open_the_breaker() {
    let (_, pool) = alone().await;
    for _ in 0..3 {
        let streaming = pool.call_streaming(|| Repeat::Idempotent, begun, Upstream::ask);
        let (_, permit) = streaming.await.unwrap();
        permit.unwrap().settle(Verdict::Sent).await;
    }
    settle().await;
    assert_eq!(pool.snapshot().endpoints[0].status, EndpointStatus::Open);
}

#[tokio::test(start_paused = true)]
async fn r03_a_stream_that_nobody_reads_to_its_end_is_abandoned() {
    let (_, pool) = alone().await;
    let streaming = pool.call_streaming(|| Repeat::Idempotent, begun, Upstream::ask);
    drop(streaming.await.unwrap());
    assert_eq!(pool.snapshot().endpoints[0].in_flight, 0);
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    assert_eq!((counts.successes, counts.failures), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn r53_what_is_used_up_is_not_sent_again() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    north.set(Answer::Fails);
    let used_up = Cell::new(false);
    let repeat = || match used_up.get() {
        true => Repeat::Never,
        false => Repeat::Idempotent,
    };
    let ask = |upstream: Upstream| {
        used_up.set(true);
        upstream.ask()
    };
    let error = pool.call_streaming(repeat, begun, ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::Fails));
    assert_eq!((north.asked(), south.asked()), (1, 0));
}

/// A call with a limit of a second, whose upload is done after `upload`: how long it
/// took, whether it was answered, and the failures that its endpoint has.
async fn upload(answers_after: Duration, upload: Duration) -> (Duration, Result<(), ()>, u64) {
    let breakers = breakers().await;
    let north = Upstream::new("north");
    let config = CONFIG.breaker(QUICK.call_timeout(SECOND)).attempts(1);
    let pool = breakers.pool("prices", config, [north.endpoint()]).await;
    let pool = pool.unwrap();
    north.takes(answers_after);
    let begun = Instant::now();
    let done = begun + upload;
    let progress = || Progress {
        repeat: Repeat::Never,
        upload: match Instant::now() < done {
            true => Upload::Awaited,
            false => Upload::TakenAt(done.into_std()),
        },
    };
    let judge = |result: &Result<_, _>| Some(classify(result));
    let result = pool.call_streaming(progress, judge, Upstream::ask).await;
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    (
        begun.elapsed(),
        result.map(drop).map_err(drop),
        counts.failures,
    )
}

#[tokio::test(start_paused = true)]
async fn r53_limits_count_from_the_end_of_an_upload() {
    let (took, result, failures) = upload(SECOND * 39 / 10, 3 * SECOND).await;
    assert_eq!((result, failures), (Ok(()), 0), "after {took:?}");
    let (took, result, failures) = upload(HOUR, SECOND * 7 / 2).await;
    assert_eq!((result, failures), (Err(()), 1));
    assert_eq!(took, SECOND * 9 / 2);
}

#[tokio::test(start_paused = true)]
async fn r51_an_upload_makes_no_endpoint_look_slow() {
    let (north, pool) = alone().await;
    north.takes(SECOND * 39 / 10);
    let done = Instant::now() + 3 * SECOND;
    let progress = || Progress {
        repeat: Repeat::Never,
        upload: Upload::TakenAt(done.into_std()),
    };
    let judge = |result: &Result<_, _>| Some(classify(result));
    pool.call_streaming(progress, judge, Upstream::ask)
        .await
        .unwrap();
    let latency = pool.snapshot().endpoints[0].latency.unwrap();
    assert!(latency <= SECOND * 9 / 10, "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn r51_an_upload_that_is_given_up_makes_no_endpoint_look_slow() {
    let (north, pool) = alone().await;
    pool.call(Upstream::ask).await.unwrap();
    north.takes(HOUR);
    let progress = || Progress {
        repeat: Repeat::Never,
        upload: Upload::Awaited,
    };
    let upload = pool.call_streaming(progress, begun, Upstream::ask);
    assert!(timeout(30 * SECOND, upload).await.is_err());
    let latency = pool.snapshot().endpoints[0].latency.unwrap();
    assert!(latency < SECOND, "{latency:?}");
}

/// North, which works again, and its pool, where any call may be a probe by now,
/// with a deadline of 4 s.
async fn probed() -> (Upstream, Pool<Upstream>) {
    let breakers = breakers().await;
    let north = Upstream::new("north");
    let config = CONFIG.breaker(QUICK.probe_deadline(4 * SECOND));
    let pool = breakers.pool("prices", config, [north.endpoint()]).await;
    let pool = pool.unwrap();
    open(&north, &pool).await;
    sleep(12 * SECOND).await;
    north.set(Answer::Works);
    (north, pool)
}

/// A probe whose upload makes progress until `taken` after
/// its beginning; the state of its breaker at the end of 5 s.
async fn probe_with_upload(taken: Duration) -> State {
    let (north, pool) = probed().await;
    north.takes(HOUR);
    let begun_at = Instant::now();
    let progress = || Progress {
        repeat: Repeat::Never,
        upload: Upload::TakenAt(Instant::now().min(begun_at + taken).into_std()),
    };
    let upload = pool.call_streaming(progress, begun, Upstream::ask);
    assert!(timeout(5 * SECOND, upload).await.is_err());
    pool.breaker("north").unwrap().state()
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_whose_upload_goes_on_is_none() {
    assert_eq!(probe_with_upload(HOUR).await, State::HalfOpen);
    let stuck = probe_with_upload(SECOND).await;
    assert_eq!(stuck, State::Open, "it had enough, and time for an answer");
}

#[tokio::test(start_paused = true)]
async fn r06_a_probe_that_waits_for_its_client_is_none() {
    let (north, pool) = probed().await;
    north.takes(10 * SECOND);
    let progress = || Progress {
        repeat: Repeat::Never,
        upload: Upload::Awaited,
    };
    let mut upload = pin!(pool.call_streaming(progress, begun, Upstream::ask));
    let waits = timeout(SECOND * 7 / 2, upload.as_mut()).await;
    assert!(waits.is_err());
    north.takes(Duration::ZERO);
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"), "as a probe");
    let breaker = pool.breaker("north").unwrap();
    assert_eq!(breaker.state(), State::Closed);
    let (answer, permit) = upload.await.unwrap();
    assert_eq!(answer, "north");
    permit.unwrap().settle(Verdict::Sent).await;
    assert_eq!(breaker.snapshot().await.counts.failures, 0, "judged once");
}

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);
