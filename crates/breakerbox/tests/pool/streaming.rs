use std::cell::Cell;

use breakerbox::{EndpointStatus, PoolError, Repeat, Verdict};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, alone, breakers, settle};

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
