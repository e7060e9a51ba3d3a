//! What one client asks for, stalls or breaks, and what this process lacks, takes no
//! endpoint from anybody else.

use std::time::Duration;

use breakerbox::{EndpointStatus, Pool, PoolError, Repeat, Selection, Verdict};
use tokio::time::advance;

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, breakers, settle};

const HOUR: Duration = Duration::from_secs(3_600);

type Asked = Result<&'static str, PoolError<Answer>>;

async fn three() -> ([Upstream; 3], Pool<Upstream>) {
    let upstreams = ["north", "south", "west"].map(Upstream::new);
    let endpoints = upstreams.iter().map(Upstream::endpoint);
    let pool = breakers().await.pool("prices", CONFIG, endpoints).await;
    (upstreams, pool.unwrap())
}

async fn ask(pool: &Pool<Upstream>) -> Asked {
    pool.call_idempotent_with(classify, Upstream::ask).await
}

/// How many failures the breakers have counted.
async fn failures(pool: &Pool<Upstream>) -> u64 {
    let mut failures = 0;
    for endpoint in pool.endpoints() {
        let snapshot = pool.breaker(&endpoint).unwrap().snapshot().await;
        failures += snapshot.counts.failures;
    }
    failures
}

#[tokio::test(start_paused = true)]
async fn r60_what_one_client_may_not_do_takes_no_endpoint_from_the_others() {
    for answer in [Answer::BadRequest, Answer::BreaksOff] {
        let (upstreams, pool) = three().await;
        upstreams.iter().for_each(|upstream| upstream.set(answer));
        for _ in 0..20 {
            assert_eq!(ask(&pool).await, Err(PoolError::Failed(answer)));
        }
        assert_eq!(failures(&pool).await, 0, "{answer:?}");
        upstreams.iter().for_each(|it| it.set(Answer::Works));
        for _ in 0..20 {
            assert!(ask(&pool).await.is_ok(), "{answer:?}");
        }
        assert!(upstreams.iter().all(|it| it.asked() > 3), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r60_pushback_never_takes_the_last_usable_endpoint() {
    let (upstreams, pool) = three().await;
    upstreams.iter().for_each(|it| it.set(Answer::Busy(HOUR)));
    let busy = ask(&pool).await;
    assert_eq!(busy, Err(PoolError::Failed(Answer::Busy(HOUR))));
    let [north, south, west] = &upstreams;
    assert!(upstreams.iter().all(|it| it.asked() == 1));
    assert!(ask(&pool).await.is_err(), "each of them is still busy");
    assert_eq!(upstreams.iter().map(Upstream::asked).sum::<u32>(), 4);
    upstreams.iter().for_each(|it| it.set(Answer::Works));
    assert!(
        ask(&pool).await.is_ok(),
        "one of them is asked all the same"
    );
    // One that has not asked for it takes all calls.
    assert!(pool.disable("west").await);
    let asked = west.asked();
    pool.add(Upstream::new("east").endpoint()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(ask(&pool).await, Ok("east"));
    }
    assert_eq!(west.asked(), asked);
    assert!(north.asked() + south.asked() <= 5);
}

#[tokio::test(start_paused = true)]
async fn r60_pushback_is_obeyed_where_the_others_are_only_full() {
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1).max_in_flight(1)];
    let breakers = breakers().await;
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    north.set(Answer::Busy(HOUR));
    assert_eq!(ask(&pool).await, Ok("south"));
    north.set(Answer::Works);
    south.takes(Duration::from_secs(1));
    let (first, second) = tokio::join!(ask(&pool), ask(&pool));
    assert_eq!(first, Ok("south"));
    assert!(matches!(second, Err(PoolError::Rejected(_))), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn r60_where_one_is_ejected_the_others_are_asked_though_all_have_pushed_back() {
    let upstreams = ["north", "south", "west", "east", "far"].map(Upstream::new);
    let config = CONFIG.selection(Selection::RoundRobin).attempts(1);
    let endpoints = upstreams.iter().map(Upstream::endpoint);
    let pool = breakers().await.pool("prices", config, endpoints).await;
    let pool = pool.unwrap();
    for call in 0..1_200 {
        // Every third call of one endpoint fails, which opens no breaker.
        upstreams[4].set(match call / 5 % 3 {
            0 => Answer::Errors,
            _ => Answer::Works,
        });
        let _answer = ask(&pool).await;
    }
    advance(11 * SECOND).await;
    settle().await;
    let status = pool.snapshot().endpoints[4].status;
    assert!(matches!(status, EndpointStatus::Ejected { .. }), "{status}");
    let others = &upstreams[..4];
    others.iter().for_each(|it| it.set(Answer::Busy(HOUR)));
    for _ in others {
        assert!(ask(&pool).await.is_err());
    }
    others.iter().for_each(|it| it.set(Answer::Works));
    assert!(ask(&pool).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn r60_a_limit_on_one_key_leaves_the_endpoint_to_the_others() {
    let (upstreams, pool) = three().await;
    let limited = Answer::Limits(HOUR);
    upstreams.iter().for_each(|it| it.set(limited));
    let greedy = pool.for_key("greedy");
    assert_eq!(ask(&greedy).await, Err(PoolError::Failed(limited)));
    upstreams.iter().for_each(|it| it.set(Answer::Works));
    let Err(PoolError::Rejected(unavailable)) = ask(&greedy).await else {
        panic!("each endpoint limits this key");
    };
    assert_eq!(
        unavailable.retry_after(),
        Some(300 * SECOND),
        "it is capped"
    );
    for client in 0..20 {
        assert!(ask(&pool.for_key(client)).await.is_ok());
        assert!(ask(&pool).await.is_ok());
    }
    advance(300 * SECOND).await;
    assert!(ask(&greedy).await.is_ok());
    assert_eq!(failures(&pool).await, 0);
}

#[tokio::test(start_paused = true)]
async fn r60_a_limit_without_a_key_is_one_on_all_calls() {
    let (upstreams, pool) = three().await;
    upstreams.iter().for_each(|it| it.set(Answer::Limits(HOUR)));
    assert!(ask(&pool).await.is_err());
    upstreams.iter().for_each(|it| it.set(Answer::Works));
    for pool in [pool.clone(), pool.for_key(1)] {
        assert!(matches!(ask(&pool).await, Err(PoolError::Rejected(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn r61_what_this_process_is_short_of_is_nobodys_failure() {
    let (upstreams, pool) = three().await;
    upstreams.iter().for_each(|it| it.set(Answer::OutOfFiles));
    for _ in 0..20 {
        let out = pool.call_unsent(classify, Upstream::ask).await;
        assert_eq!(out, Err(PoolError::Failed(Answer::OutOfFiles)));
    }
    assert!(
        upstreams.iter().all(|it| it.asked() == 20),
        "all were tried"
    );
    assert_eq!(failures(&pool).await, 0);
    let [north, south, west] = &upstreams;
    [south, west]
        .into_iter()
        .for_each(|it| it.set(Answer::Works));
    for _ in 0..20 {
        let elsewhere = pool.call_unsent(classify, Upstream::ask).await;
        assert!(matches!(elsewhere, Ok("south" | "west")), "{elsewhere:?}");
    }
    assert!(north.asked() > 20, "it is asked as any other");
}

/// One exchange that breaks off after its answer has begun.
async fn breaks_off(pool: &Pool<Upstream>, verdict: Verdict) {
    let begun = |_: &Result<&str, Answer>| None;
    let streamed = pool.call_streaming(|| Repeat::Never, begun, Upstream::ask);
    let (_, permit) = streamed.await.unwrap();
    permit.unwrap().settle(verdict).await;
}

#[tokio::test(start_paused = true)]
async fn r60_what_breaks_off_for_three_clients_in_a_row_at_one_endpoint_is_its_failure() {
    const BROKE: Verdict = Verdict::Ambiguous;
    let (_, pool) = three().await;
    let only = async |endpoint: &str| {
        for other in pool.endpoints() {
            match &*other == endpoint {
                true => assert!(pool.enable(&other).await),
                false => assert!(pool.disable(&other).await),
            }
        }
        settle().await;
    };
    only("north").await;
    for _ in 0..20 {
        breaks_off(&pool.for_client("slow"), BROKE).await;
        breaks_off(&pool, BROKE).await;
    }
    for client in 0..20 {
        breaks_off(&pool.for_client(client), BROKE).await;
        breaks_off(&pool.for_client(client), Verdict::Success).await;
    }
    assert_eq!(failures(&pool).await, 0, "one client, or not in a row");
    for client in 0..20 {
        breaks_off(&pool.for_client(client), BROKE).await;
    }
    assert_eq!(
        failures(&pool).await,
        0,
        "nobody shows that it could be better"
    );
    only("south").await;
    breaks_off(&pool, Verdict::Success).await;
    only("north").await;
    breaks_off(&pool.for_client(20), BROKE).await;
    assert_eq!(failures(&pool).await, 1, "its sibling serves its clients");
    breaks_off(&pool.for_client(21), BROKE).await;
    assert_eq!(failures(&pool).await, 2);
    only("south").await;
    breaks_off(&pool.for_client(22), BROKE).await;
    only("north").await;
    breaks_off(&pool.for_client(23), BROKE).await;
    assert_eq!(failures(&pool).await, 2, "its sibling breaks off as well");
}

const SECOND: Duration = Duration::from_secs(1);
