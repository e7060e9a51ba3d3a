use std::time::Duration;

use breakerbox::{Failback, Pool, State};
use tokio::time::{Instant, sleep};

use crate::upstream::{Answer, Upstream};
use crate::{CONFIG, breakers, settle};

const SECOND: Duration = Duration::from_secs(1);

/// North, south and their pool; what comes back has all of its share at once.
async fn two_alike() -> (Upstream, Upstream, Pool<Upstream>) {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint()];
    let config = CONFIG.failback(Failback::at_once());
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    (north, south, pool)
}

/// Calls one after another for so long, each of which takes as long as it happens
/// to; the share of them that went to south, in percent.
async fn share_of_south(pool: &Pool<Upstream>, upstreams: [&Upstream; 2], span: Duration) -> u32 {
    let (south, mut calls) = (upstreams[1], 0);
    let (before, begun) = (south.asked(), Instant::now());
    while begun.elapsed() < span {
        for upstream in upstreams {
            upstream.takes(Duration::from_millis(fastrand::u64(10..20)));
        }
        assert!(pool.call_idempotent(Upstream::ask).await.is_ok());
        calls += 1;
    }
    (south.asked() - before) * 100 / calls
}

#[tokio::test(start_paused = true)]
async fn r51_endpoints_that_are_alike_share_the_calls() {
    let (north, south, pool) = two_alike().await;
    for _ in 0..6 {
        let share = share_of_south(&pool, [&north, &south], 10 * SECOND).await;
        assert!((35..=65).contains(&share), "{share} % went to south");
    }
}

#[tokio::test(start_paused = true)]
async fn r51_one_slow_call_costs_an_endpoint_its_share_for_seconds_only() {
    let (north, south, pool) = two_alike().await;
    south.takes(SECOND);
    while south.asked() == 0 {
        pool.call(Upstream::ask).await.unwrap();
    }
    let share = share_of_south(&pool, [&north, &south], 9 * SECOND).await;
    assert!(share <= 1, "it looks slow, but got {share} %");
    sleep(2 * SECOND).await;
    let share = share_of_south(&pool, [&north, &south], 10 * SECOND).await;
    assert!((35..=65).contains(&share), "{share} % went to south");
}

#[tokio::test(start_paused = true)]
async fn r56_what_is_up_again_is_not_judged_by_how_it_fell() {
    let (north, south, pool) = two_alike().await;
    south.set(Answer::Fails);
    while south.asked() == 0 {
        pool.call_idempotent(Upstream::ask).await.unwrap();
    }
    let breaker = pool.breaker("south").unwrap();
    while let Ok(permit) = breaker.try_acquire() {
        permit.failure().await;
    }
    south.set(Answer::Works);
    sleep(10 * SECOND).await;
    settle().await;
    while breaker.state() != State::Closed {
        pool.call_idempotent(Upstream::ask).await.unwrap();
    }
    settle().await;
    let share = share_of_south(&pool, [&north, &south], 5 * SECOND).await;
    assert!((35..=65).contains(&share), "{share} % went to south");
}
