use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use breakerbox::{Abandoned, Budget, Hedge, PoolConfig, PoolError, Ratio};
use tokio::time::Instant;

use crate::upstream::{Answer, Upstream};
use crate::{CONFIG, QUICK, breakers};

const HEDGED: PoolConfig = CONFIG
    .breaker(QUICK.abandoned(Abandoned::Failure))
    .hedge(Hedge::after_quantile(Ratio::percent(95)));

const MILLISECOND: Duration = Duration::from_millis(1);

/// A pool whose calls took 20 ms so far, and whose primary is slow from now on.
async fn with_a_slow_primary(config: PoolConfig) -> (breakerbox::Pool<Upstream>, [Upstream; 2]) {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    north.takes(20 * MILLISECOND);
    for _ in 0..100 {
        pool.call_idempotent(Upstream::ask).await.unwrap();
    }
    assert_eq!(
        south.asked(),
        0,
        "nobody hedges before a hundred calls were timed"
    );
    north.takes(3_600_000 * MILLISECOND);
    (pool, [north, south])
}

#[tokio::test(start_paused = true)]
async fn r55_a_hedge_goes_elsewhere_after_the_tracked_quantile() {
    let (pool, [north, south]) = with_a_slow_primary(HEDGED).await;
    let begun = Instant::now();
    assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("south"));
    let waited = begun.elapsed();
    assert!(
        (20 * MILLISECOND..25 * MILLISECOND).contains(&waited),
        "{waited:?}"
    );
    assert_eq!((north.asked(), south.asked()), (101, 1));
}

#[tokio::test(start_paused = true)]
async fn r55_the_loser_is_cancelled_and_recorded_ignored() {
    let (pool, [north, _]) = with_a_slow_primary(HEDGED).await;
    pool.call_idempotent(Upstream::ask).await.unwrap();
    assert_eq!(north.at_once(), 0, "the loser is cancelled");
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.active, snapshot.extra), (0, 0));
    let breaker = pool.breaker("north").unwrap().snapshot().await;
    assert_eq!(
        breaker.totals.failures, 0,
        "though abandoned calls are failures here"
    );
    assert_eq!(breaker.totals.ignored, 1);
}

#[tokio::test(start_paused = true)]
async fn r55_a_hedge_that_is_too_late_to_begin_is_recorded_ignored() {
    let (pool, [_, south]) = with_a_slow_primary(HEDGED).await;
    let (begun, looks) = (Instant::now(), Cell::new(0));
    // Is asked when the hedge is due, and has an answer when it is asked again.
    let just_in_time = |_: &mut Context<'_>| {
        looks.set(looks.get() + u32::from(begun.elapsed() >= 20 * MILLISECOND));
        match looks.get() {
            0 | 1 => Poll::Pending,
            _ => Poll::Ready(Ok("north")),
        }
    };
    let ask = |_: Upstream| poll_fn(just_in_time);
    let answer: Result<_, PoolError<Answer>> = pool.call_idempotent(ask).await;
    assert_eq!(answer, Ok("north"));
    let totals = pool.breaker("south").unwrap().snapshot().await.totals;
    assert_eq!((totals.ignored, totals.failures), (1, 0));
    assert_eq!(south.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn r55_a_hedge_that_fails_leaves_the_first_attempt_its_chance() {
    let (pool, [north, south]) = with_a_slow_primary(HEDGED).await;
    north.takes(200 * MILLISECOND);
    south.set(Answer::Fails);
    let begun = Instant::now();
    assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("north"));
    assert_eq!(begun.elapsed(), 200 * MILLISECOND);
    assert_eq!(south.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn r55_only_calls_that_may_run_twice_are_hedged() {
    let (pool, [north, south]) = with_a_slow_primary(HEDGED).await;
    north.takes(200 * MILLISECOND);
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
    assert_eq!(
        pool.call_unsent(crate::upstream::classify, Upstream::ask)
            .await,
        Ok("north")
    );
    assert_eq!(south.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn r55_there_is_no_hedge_beyond_the_budget() {
    let config = HEDGED.budget(Budget::new(Ratio::percent(0), 0));
    let (pool, [north, south]) = with_a_slow_primary(config).await;
    north.takes(200 * MILLISECOND);
    assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("north"));
    assert_eq!(south.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn r55_no_more_calls_are_hedged_than_the_quantile_says_however_many_hedges_win() {
    fastrand::seed(7);
    let breakers = breakers().await;
    let upstreams = ["north", "south", "east", "west"].map(Upstream::new);
    let endpoints = upstreams.each_ref().map(Upstream::endpoint);
    let pool = breakers.pool("prices", HEDGED, endpoints).await.unwrap();
    for _ in 0..4_000 {
        // A fifth of the calls are slow, each in its own way; hedges are not.
        let is_slow = fastrand::u8(0..5) == 0;
        for upstream in &upstreams {
            upstream.takes(match is_slow {
                true => MILLISECOND * fastrand::u32(100..1_000),
                false => 20 * MILLISECOND,
            });
        }
        let call = pool.call_idempotent(Upstream::ask);
        let well_again = async {
            tokio::time::sleep(MILLISECOND).await;
            for upstream in &upstreams {
                upstream.takes(20 * MILLISECOND);
            }
        };
        let (called, ()) = tokio::join!(call, well_again);
        called.unwrap();
    }
    let asked: u32 = upstreams.iter().map(Upstream::asked).sum();
    let hedged = (asked - 4_000) * 100 / 4_000;
    assert!((3..=8).contains(&hedged), "{hedged} % of the calls");
}
