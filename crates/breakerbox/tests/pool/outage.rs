use std::time::Duration;

use breakerbox::{
    EndpointStatus, Failback, Override, PoolError, PoolEvent, Ramp, Ratio, Repeat, State,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, QUICK, alone, breakers, open, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn r52_when_every_breaker_rejects_calls_fail_at_once_with_the_soonest_retry() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    for upstream in [&north, &south] {
        open(upstream, &pool).await;
        sleep(SECOND).await;
    }
    let (asked, begun) = (north.asked() + south.asked(), Instant::now());
    let Err(PoolError::Rejected(unavailable)) = pool.call_idempotent(Upstream::ask).await else {
        panic!("nobody may be asked");
    };
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(
        unavailable.retry_after(),
        Some(8 * SECOND),
        "of the first one"
    );
    assert_eq!(north.asked() + south.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn r52_the_soonest_retry_is_of_somebody_whom_time_brings_back() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    for upstream in [&north, &south] {
        open(upstream, &pool).await;
        sleep(SECOND).await;
    }
    assert!(pool.disable("north").await);
    let Err(PoolError::Rejected(unavailable)) = pool.call(Upstream::ask).await else {
        panic!("nobody may be asked");
    };
    assert_eq!(unavailable.retry_after(), Some(9 * SECOND), "of south");
}

#[tokio::test(start_paused = true)]
async fn r52_who_is_only_full_may_be_free_at_any_time() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1).max_in_flight(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    open(&north, &pool).await;
    south.takes(SECOND / 100);
    let (first, second) = tokio::join!(pool.call(Upstream::ask), pool.call(Upstream::ask));
    assert_eq!(first, Ok("south"));
    let Err(PoolError::Rejected(unavailable)) = second else {
        panic!("south is full");
    };
    assert_eq!(unavailable.retry_after(), None, "not ten seconds");
}

/// What tells the breaker nothing would be asked for again by each call.
#[tokio::test(start_paused = true)]
async fn r52_probes_that_tell_nothing_cost_few_calls() {
    for answer in [Answer::Busy(Duration::ZERO), Answer::BadRequest] {
        let breakers = breakers().await;
        let (north, south) = (Upstream::new("north"), Upstream::new("south"));
        let endpoints = [north.endpoint(), south.endpoint().tier(1)];
        let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
        open(&north, &pool).await;
        sleep(10 * SECOND).await;
        north.set(answer);
        let mut failed = 0;
        for _ in 0..100 {
            let called = pool.call_unsent(classify, Upstream::ask).await;
            failed += u32::from(called.is_err());
            sleep(SECOND / 20).await;
        }
        assert!((4..=6).contains(&failed), "{failed} calls in five seconds");
        let state = pool.breaker("north").unwrap().state();
        assert_eq!(state, State::HalfOpen, "it has told nothing");
        north.set(Answer::Works);
        sleep(SECOND).await;
        pool.call_unsent(classify, Upstream::ask).await.unwrap();
        assert_eq!(north.asked(), 3 + failed + 1);
    }
}

/// Only of its probes a HalfOpen breaker learns nothing; of older calls it would not.
#[tokio::test(start_paused = true)]
async fn r52_who_leaves_an_old_answer_puts_off_no_probe() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let begun = |result: &Result<_, _>| result.is_err().then(|| classify(result));
    let stream = pool.call_streaming(|| Repeat::Idempotent, begun, Upstream::ask);
    let stream = stream.await.unwrap();
    open(&north, &pool).await;
    north.set(Answer::Works);
    sleep(10 * SECOND).await;
    settle().await;
    drop(stream);
    assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("north"));
}

#[tokio::test(start_paused = true)]
async fn r52_an_override_that_expires_frees_its_endpoint() {
    let (_, pool) = alone().await;
    let drill = Override::forced_open("drill").expires_after(5 * SECOND);
    pool.breaker("north").unwrap().force(drill).await.unwrap();
    settle().await;
    assert!(pool.call(Upstream::ask).await.is_err());
    sleep(5 * SECOND).await;
    settle().await;
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
}

#[tokio::test(start_paused = true)]
async fn r56_calls_move_to_the_standby_and_come_back_bit_by_bit() {
    fastrand::seed(7);
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let ramp = Ramp::linear(Ratio::percent(10), 10 * SECOND);
    let config = CONFIG.failback(Failback::gradual(5 * SECOND, ramp));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    let mut shares = Vec::new();
    for second in 0..60 {
        north.set(if (5..20).contains(&second) {
            Answer::Fails
        } else {
            Answer::Works
        });
        let before = north.asked();
        for _ in 0..100 {
            assert!(
                pool.call_idempotent(Upstream::ask).await.is_ok(),
                "no call is lost"
            );
            sleep(SECOND / 100).await;
        }
        shares.push(north.asked() - before);
    }
    assert!(shares[..5].iter().all(|share| *share == 100), "{shares:?}");
    assert!(
        shares[6..20].iter().all(|share| *share <= 2),
        "probes: {shares:?}"
    );
    let back = shares.iter().rposition(|share| *share < 5).unwrap() + 1;
    assert!((20..32).contains(&back), "{shares:?}");
    assert!(
        shares[back + 1..back + 4]
            .iter()
            .all(|share| (5..30).contains(share)),
        "{shares:?}"
    );
    assert!(
        shares[back + 20..].iter().all(|share| *share == 100),
        "{shares:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn r57_an_endpoint_that_fails_its_checks_gets_no_calls() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let well =
        |upstream: Upstream| async move { upstream.ask().await.map(|_| ()).map_err(|_| "ill") };
    let checked = Upstream::new("checked");
    let health = checked.clone();
    let check = move |_: Upstream| well(health.clone());
    let endpoints = [north.endpoint().check(check), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let mut events = pool.events();
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
    checked.set(Answer::Fails);
    let status = |status| PoolEvent::Changed {
        endpoint: "north".into(),
        from: if status == EndpointStatus::Unhealthy {
            EndpointStatus::Available
        } else {
            EndpointStatus::Unhealthy
        },
        to: status,
    };
    let begun = Instant::now();
    assert_eq!(events.next().await, Some(status(EndpointStatus::Unhealthy)));
    assert!(
        begun.elapsed() < 8 * SECOND,
        "5 s, then on the edge: {:?}",
        begun.elapsed()
    );
    assert_eq!(pool.call(Upstream::ask).await, Ok("south"));
    checked.set(Answer::Works);
    while events.next().await != Some(status(EndpointStatus::Available)) {}
}

#[tokio::test(start_paused = true)]
async fn r57_a_check_that_panics_or_hangs_harms_nobody_else() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let panics = |_: Upstream| async { panic!("as it was told") as Result<(), &str> };
    let hangs = |_: Upstream| std::future::pending::<Result<(), &str>>();
    let endpoints = [
        north.endpoint().check(panics),
        south.endpoint().check(hangs),
        Upstream::new("west").endpoint(),
        Upstream::new("east").endpoint(),
    ];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    sleep(20 * SECOND).await;
    let statuses: Vec<_> = pool
        .snapshot()
        .endpoints
        .iter()
        .map(|it| it.status)
        .collect();
    let (ill, well) = (EndpointStatus::Unhealthy, EndpointStatus::Available);
    assert_eq!(statuses, [ill, ill, well, well]);
    let child = breakers.supervisor().snapshot();
    assert!(
        child
            .children
            .iter()
            .all(|child| child.status.restarts == 0)
    );
    assert!(pool.call(Upstream::ask).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_pool_may_crash_at_any_time() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    breakers.supervisor().restart("prices").await.unwrap();
    let breaker = breakers.find("prices/north").unwrap();
    open(&north, &pool).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(pool.snapshot().endpoints[0].status, EndpointStatus::Open);
    breakers.supervisor().restart("prices").await.unwrap();
    north.set(Answer::Works);
    advance(10 * SECOND).await;
    settle().await;
    assert_eq!(
        pool.call_idempotent(Upstream::ask).await,
        Ok("north"),
        "a probe"
    );
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_pool_outlives_its_box_by_what_it_knew_last() {
    let breakers = breakers().await;
    let north = Upstream::new("north");
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    breakers.shutdown().await;
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
    assert!(!pool.disable("north").await);
}

/// Two of three hang, one a little later than the other: what is repeated before
/// its breaker has opened hangs there, with all the places of the budget.
#[tokio::test(start_paused = true)]
async fn r53_retries_that_hang_with_the_whole_budget_cost_no_call() {
    let breakers = breakers().await;
    let [north, south, west] = ["north", "south", "west"].map(Upstream::new);
    let config = CONFIG
        .breaker(QUICK.call_timeout(2 * SECOND))
        .failback(Failback::at_once());
    let endpoints = [north.endpoint(), south.endpoint(), west.endpoint().tier(1)];
    let pool = breakers.pool("prices", config, endpoints).await.unwrap();
    for hangs in [&north, &south] {
        hangs.takes(3_600 * SECOND);
    }
    let mut calls = JoinSet::new();
    let mut call = |times| {
        for _ in 0..times {
            let pool = pool.clone();
            calls.spawn(async move { pool.call_idempotent(Upstream::ask).await });
        }
    };
    pool.disable("south").await;
    call(100);
    sleep(SECOND / 10).await;
    pool.enable("south").await;
    call(10);
    while let Some(called) = calls.join_next().await {
        assert_eq!(called.unwrap(), Ok("west"));
    }
    // With ten of the calls, and five repeated ones at least.
    assert!(south.asked() >= 15, "they hung there: {}", south.asked());
}
