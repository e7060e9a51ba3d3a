use std::time::Duration;

use breakerbox::{
    Budget, EndpointStatus, Hedge, Override, PoolConfig, PoolError, PoolStartError, Ratio, Repeat,
    Tiering,
};
use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, QUICK, alone, breakers, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn r53_a_call_never_runs_twice() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let pool = [
        north.that(Answer::RefusesConnections),
        south.that(Answer::Fails),
    ];
    let endpoints = pool.each_ref().map(Upstream::endpoint);
    let calls = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let error = calls.call_with(classify, Upstream::ask).await.unwrap_err();
    assert!(matches!(error, PoolError::Failed(_)));
    assert_eq!(pool[0].asked() + pool[1].asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn r53_a_call_moves_on_while_breakers_reject() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let breaker = breakers.find("prices/north").unwrap();
    breaker
        .force(Override::forced_open("maintenance"))
        .await
        .unwrap();
    // Whether the pool's owner has heard of it by now or not.
    assert_eq!(pool.call(Upstream::ask).await, Ok("south"));
    assert_eq!((north.asked(), south.asked()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn r53_only_what_was_not_sent_is_repeated_by_call_unsent() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    north.set(Answer::RefusesConnections);
    assert_eq!(pool.call_unsent(classify, Upstream::ask).await, Ok("south"));
    north.set(Answer::Fails);
    let error = pool.call_unsent(classify, Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::Fails));
    assert_eq!((north.asked(), south.asked()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn r53_an_idempotent_call_has_so_many_attempts_and_no_more() {
    let breakers = breakers().await;
    let upstreams = ["a", "b", "c", "d"].map(|name| Upstream::new(name).that(Answer::Fails));
    let endpoints = upstreams.each_ref().map(Upstream::endpoint);
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let error = pool.call_idempotent(Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::Fails));
    let asked = upstreams.each_ref().map(Upstream::asked);
    assert_eq!(asked.iter().sum::<u32>(), 3);
    assert!(asked.iter().all(|asked| *asked <= 1), "r54: {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn r53_what_every_endpoint_would_refuse_is_not_repeated() {
    let breakers = breakers().await;
    let north = Upstream::new("north").that(Answer::BadRequest);
    let endpoints = [north.endpoint(), Upstream::new("south").endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    for _ in 0..10 {
        let error = pool.call_idempotent_with(classify, Upstream::ask).await;
        assert_eq!(error, Err(PoolError::Failed(Answer::BadRequest)));
    }
    assert_eq!(north.asked(), 10, "and it is no failure of the endpoint");
}

#[tokio::test(start_paused = true)]
async fn r53_a_timeout_is_sent_and_the_next_endpoint_takes_over() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.takes(3_600 * SECOND);
    let config = CONFIG.breaker(QUICK.call_timeout(SECOND));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let begun = Instant::now();
    assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("south"));
    assert_eq!(begun.elapsed(), SECOND + Duration::from_millis(25));
    let error = pool.call(Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::TimedOut(SECOND));
    assert_eq!(north.at_once(), 0, "what timed out is cancelled");
}

#[tokio::test(start_paused = true)]
async fn r53_the_deadline_spans_all_attempts_and_blames_only_who_had_all_of_it() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.set(Answer::Fails);
    north.takes(SECOND);
    south.takes(3_600 * SECOND);
    let config = CONFIG.deadline(3 * SECOND);
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let begun = Instant::now();
    let error = pool.call_idempotent(Upstream::ask).await.unwrap_err();
    assert!(matches!(error, PoolError::TimedOut(_)), "{error:?}");
    assert_eq!(begun.elapsed(), 3 * SECOND);
    let south_breaker = breakers.find("prices/south").unwrap();
    assert_eq!(south_breaker.snapshot().await.totals.failures, 0);
    let north_breaker = breakers.find("prices/north").unwrap();
    assert_eq!(north_breaker.snapshot().await.totals.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn r53_retries_wait_for_the_budget_and_all_calls_work() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.set(Answer::Fails);
    // All calls are at north before the first of them fails.
    north.takes(Duration::from_millis(1));
    south.takes(Duration::from_millis(50));
    let breaker = QUICK.trip_on(breakerbox::TripPolicy::consecutive_failures(1_000));
    let config = CONFIG
        .breaker(breaker)
        .budget(Budget::new(Ratio::percent(10), 2));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let calls = (0..60).map(|_| pool.call_idempotent(Upstream::ask));
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(|result| *result == Ok("south")));
    assert_eq!((north.asked(), south.asked()), (60, 60));
    assert!(
        south.most_at_once() <= 6,
        "10 % of 60: {}",
        south.most_at_once()
    );
    assert!(
        south.most_at_once() >= 5,
        "the budget is used: {}",
        south.most_at_once()
    );
    assert_eq!(pool.snapshot().extra, 0);
}

#[tokio::test(start_paused = true)]
async fn r53_what_goes_on_failing_is_not_amplified_beyond_the_budget() {
    let breakers = breakers().await;
    let names = ["north", "south", "west"];
    let upstreams = names.map(|name| Upstream::new(name).that(Answer::Fails));
    let breaker = QUICK.trip_on(breakerbox::TripPolicy::consecutive_failures(1_000_000));
    let endpoints = upstreams.each_ref().map(Upstream::endpoint);
    for upstream in &upstreams {
        upstream.takes(SECOND / 10);
    }
    let config = CONFIG.breaker(breaker);
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..4_000 {
        let pool = pool.clone();
        calls.spawn(async move {
            let begun = Instant::now();
            assert!(pool.call_idempotent(Upstream::ask).await.is_err());
            assert!(begun.elapsed() < 4 * SECOND, "{:?}", begun.elapsed());
        });
        sleep(SECOND / 200).await;
    }
    while let Some(ended) = calls.join_next().await {
        ended.unwrap();
    }
    let asked: u32 = upstreams.iter().map(Upstream::asked).sum();
    assert!(asked < 4_000 * 13 / 10, "{asked} requests for 4,000 calls");
    assert!(asked > 4_000 * 11 / 10, "the budget is used: {asked}");
}

#[tokio::test(start_paused = true)]
async fn r53_who_waits_for_a_budget_that_is_gone_gives_up() {
    let breakers = breakers().await;
    let north = Upstream::new("north").that(Answer::Fails);
    let config = CONFIG.budget(Budget::new(Ratio::percent(20), 0));
    let pool = breakers
        .pool("prices", config, [north.endpoint()])
        .await
        .unwrap();
    let calls = (0..10).map(|_| pool.call_idempotent(Upstream::ask));
    let all = timeout(5 * SECOND, futures_util::future::join_all(calls)).await;
    assert!(
        all.expect("nobody waits for ever")
            .iter()
            .all(Result::is_err)
    );
    assert_eq!(pool.snapshot().extra, 0);
}

#[tokio::test(start_paused = true)]
async fn r53_the_only_endpoint_is_not_asked_again_at_once() {
    let (north, pool) = alone().await;
    north.set(Answer::RefusesConnections);
    let begun = Instant::now();
    let error = pool.call_unsent(classify, Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::RefusesConnections));
    assert_eq!((north.asked(), begun.elapsed()), (3, SECOND / 20));
}

#[tokio::test(start_paused = true)]
async fn r53_what_is_used_up_during_a_pause_is_not_sent_again() {
    let (north, pool) = alone().await;
    north.set(Answer::Fails);
    let used_up = std::cell::Cell::new(false);
    let repeat = || match used_up.get() {
        true => Repeat::Never,
        false => Repeat::Idempotent,
    };
    let classify = |result: &Result<_, _>| Some(classify(result));
    let call = pool.call_streaming(repeat, classify, Upstream::ask);
    let use_up = async {
        sleep(SECOND / 100).await;
        used_up.set(true);
    };
    let (result, ()) = tokio::join!(call, use_up);
    assert_eq!(result.err(), Some(PoolError::Failed(Answer::Fails)));
    assert_eq!(north.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn r53_without_a_budget_nothing_is_repeated() {
    let breakers = breakers().await;
    let north = Upstream::new("north").that(Answer::Fails);
    let config = CONFIG.budget(Budget::new(Ratio::percent(0), 0));
    let endpoints = [north.endpoint(), Upstream::new("south").endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let error = pool.call_idempotent(Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::Fails));
}

#[tokio::test(start_paused = true)]
async fn r54_pushback_is_obeyed_and_is_no_failure() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.set(Answer::Busy(30 * SECOND));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let ask = || pool.call_idempotent_with(classify, Upstream::ask);
    for _ in 0..10 {
        assert_eq!(ask().await, Ok("south"));
    }
    assert_eq!((north.asked(), south.asked()), (1, 10));
    let status = pool.snapshot().endpoints[0].status;
    assert_eq!(status, EndpointStatus::Available, "busy is not broken");
    north.set(Answer::Works);
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(ask().await, Ok("north"));
}

#[tokio::test(start_paused = true)]
async fn r54_who_is_busy_and_does_not_say_for_how_long_does_not_look_fast() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.set(Answer::Busy(Duration::ZERO));
    south.takes(SECOND / 10);
    let endpoints = [north.endpoint(), south.endpoint()];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..300 {
        let pool = pool.clone();
        calls.spawn(async move { pool.call_with(classify, Upstream::ask).await.is_ok() });
        sleep(SECOND / 100).await;
    }
    let worked = calls.join_all().await.iter().filter(|ok| **ok).count();
    // Before south's first answer nobody knows which of them is fast.
    assert!(worked >= 280, "{worked} of 300 went to south");
}

#[tokio::test(start_paused = true)]
async fn r54_where_all_are_limited_a_call_is_told_when_to_come_back() {
    let (north, pool) = alone().await;
    north.set(Answer::Limits(30 * SECOND));
    let ask = || pool.call_idempotent_with(classify, Upstream::ask);
    let limited = Answer::Limits(30 * SECOND);
    assert_eq!(ask().await, Err(PoolError::Failed(limited)), "its answer");
    let Err(PoolError::Rejected(unavailable)) = ask().await else {
        panic!("it asked not to be asked");
    };
    let paused = SECOND / 40;
    assert_eq!(unavailable.retry_after(), Some(30 * SECOND - paused));
    assert_eq!((unavailable.pool(), north.asked()), ("prices", 1));
}

#[tokio::test(start_paused = true)]
async fn r54_the_only_endpoint_is_tried_again() {
    let (north, pool) = alone().await;
    north.set(Answer::Fails);
    let error = pool.call_idempotent(Upstream::ask).await.unwrap_err();
    assert_eq!(error, PoolError::Failed(Answer::Fails));
    assert_eq!(north.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn r59_the_pool_says_why_its_calls_went_where_they_went() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    north.set(Answer::Fails);
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    pool.call_idempotent(Upstream::ask).await.unwrap();
    let picks: Vec<_> = pool.explain().iter().map(ToString::to_string).collect();
    assert_eq!(
        picks,
        [
            "attempt 1: north of tier 0, without an alternative",
            "attempt 2: south of tier 1, without an alternative; 1 passed over",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn r59_only_the_latest_picks_are_remembered() {
    let breakers = breakers().await;
    let endpoints = [
        Upstream::new("north").endpoint(),
        Upstream::new("south").endpoint(),
    ];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    for _ in 0..300 {
        pool.call(Upstream::ask).await.unwrap();
    }
    let picks = pool.explain();
    assert_eq!(picks.len(), 256);
    assert!(
        picks
            .iter()
            .all(|pick| pick.to_string().contains("less busy than"))
    );
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_key_go_to_one_endpoint() {
    let breakers = breakers().await;
    let upstreams = ["a", "b", "c", "d"].map(Upstream::new);
    let endpoints = upstreams.each_ref().map(Upstream::endpoint);
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let of_key = pool.for_key("customer 7");
    let home = of_key.call(Upstream::ask).await.unwrap();
    for _ in 0..20 {
        assert_eq!(of_key.call(Upstream::ask).await, Ok(home));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_cancelled_nothing_stays_in_flight() {
    let breakers = breakers().await;
    let upstreams = ["a", "b", "c"].map(Upstream::new);
    for upstream in &upstreams {
        upstream.takes(3_600 * SECOND);
    }
    let endpoints = upstreams.each_ref().map(Upstream::endpoint);
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.call_idempotent(Upstream::ask).await })
        })
        .collect();
    settle().await;
    assert_eq!(pool.snapshot().active, 1_000);
    for call in calls {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.active, snapshot.extra), (0, 0));
    assert!(
        snapshot
            .endpoints
            .iter()
            .all(|endpoint| endpoint.in_flight == 0)
    );
    assert!(upstreams.iter().all(|upstream| upstream.at_once() == 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_the_endpoint_and_goes_on() {
    let breakers = breakers().await;
    let north = Upstream::new("north").that(Answer::Panics);
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    let call = std::panic::AssertUnwindSafe(pool.call_idempotent(Upstream::ask));
    assert!(call.catch_unwind().await.is_err());
    let breaker = breakers.find("prices/north").unwrap().snapshot().await;
    assert_eq!(breaker.totals.failures, 1);
    assert_eq!(pool.snapshot().active, 0);
}

#[tokio::test]
async fn contradictions_are_refused_by_name() {
    let breakers = breakers().await;
    let never = PoolConfig::new()
        .breaker(QUICK.call_timeout(Duration::from_millis(5)))
        .hedge(Hedge::after_quantile(Ratio::percent(95)));
    let alone = PoolConfig::new()
        .attempts(1)
        .hedge(Hedge::after_quantile(Ratio::percent(95)));
    for (config, key) in [(never, "hedge"), (alone, "attempts")] {
        let endpoints = [Upstream::new("north").endpoint()];
        let refused = breakers
            .pool("prices", config, endpoints)
            .await
            .unwrap_err();
        let PoolStartError::Config(error) = refused else {
            panic!("{refused}");
        };
        assert_eq!(error.key(), key);
    }
    let strict = PoolConfig::new().tiering(Tiering::Strict);
    let endpoints = [Upstream::new("north").endpoint()];
    assert!(
        breakers.pool("prices", strict, endpoints).await.is_ok(),
        "nothing was left behind"
    );
}
