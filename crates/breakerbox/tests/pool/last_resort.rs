//! R62: answers that only say "this request fails" do not add up to an outage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use breakerbox::{
    Abandoned, Backoff, BreakerConfig, Pool, PoolConfig, PoolError, Ramp, Ratio, State, TripPolicy,
    Verdict, Why,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::upstream::{Answer, Upstream, classify};
use crate::{CONFIG, QUICK, breakers, settle};

async fn ask(pool: &Pool<Upstream>) -> Result<&'static str, PoolError<Answer>> {
    pool.call_idempotent_with(classify, Upstream::ask).await
}

/// North, south, and a pool of both, whose breakers each were opened in this way.
async fn opened_by(answers: [Answer; 2]) -> ([Upstream; 2], Pool<Upstream>) {
    let upstreams = ["north", "south"].map(Upstream::new);
    let endpoints = upstreams.iter().map(Upstream::endpoint);
    let pool = breakers().await.pool("prices", CONFIG, endpoints).await;
    let pool = pool.unwrap();
    for (upstream, answer) in upstreams.iter().zip(answers) {
        upstream.set(answer);
    }
    while !upstreams.iter().all(|it| is_open(&pool, it)) {
        assert!(ask(&pool).await.is_err());
    }
    settle().await;
    (upstreams, pool)
}

fn is_open(pool: &Pool<Upstream>, upstream: &Upstream) -> bool {
    let breaker = pool.breaker(upstream.name()).unwrap();
    breaker.state() == State::Open
}

#[tokio::test(start_paused = true)]
async fn r62_what_opened_the_breakers_decides_whether_calls_go_on() {
    let silent = [Answer::Fails, Answer::RefusesConnections];
    for one in [Answer::Errors, Answer::Fails, Answer::RefusesConnections] {
        for other in [Answer::Errors, Answer::Fails, Answer::RefusesConnections] {
            let (upstreams, pool) = opened_by([one, other]).await;
            let asked = [0, 1].map(|which| upstreams[which].asked());
            upstreams.iter().for_each(|it| it.set(Answer::Works));
            let called = ask(&pool).await;
            if silent.contains(&one) && silent.contains(&other) {
                let is_rejected = matches!(called, Err(PoolError::Rejected(_)));
                assert!(is_rejected, "{one:?}, {other:?}: {called:?}");
                continue;
            }
            assert!(called.is_ok(), "{one:?}, {other:?}: {called:?}");
            for (which, answer) in [one, other].into_iter().enumerate() {
                let is_asked = upstreams[which].asked() > asked[which];
                assert!(!is_asked || answer == Answer::Errors, "{answer:?}");
            }
        }
    }
}

/// One 500, long ago or a moment ago, does not say what opened the breaker.
#[tokio::test(start_paused = true)]
async fn r62_only_an_opening_by_answers_that_fail_lets_calls_go_on() {
    let once = || BreakerConfig::new().trip_on(TripPolicy::consecutive_failures(2));
    let slow = TripPolicy::slow_rate(Ratio::percent(50), 4);
    let slow = BreakerConfig::new().trip_on(slow).slow_after(SOON);
    let in_flight = BreakerConfig::new().trip_on(TripPolicy::in_flight(3));
    let abandoned = once().abandoned(Abandoned::Failure);
    for (config, trouble, is_last_resort) in [
        (once(), Trouble::Errors, true),
        (once(), Trouble::Refuses, false),
        (once().call_timeout(SECOND), Trouble::Hangs, false),
        (abandoned, Trouble::Abandoned, false),
        (slow, Trouble::Slow, false),
        (in_flight, Trouble::Slow, false),
    ] {
        for (errors_long_ago, errors_of_late) in [(0, 0), (20, 0), (0, 1), (20, 1)] {
            let upstream = Upstream::new("north");
            let config = CONFIG.breaker(config);
            let breakers = breakers().await;
            let pool = breakers.pool("prices", config, [upstream.endpoint()]);
            let pool = pool.await.unwrap();
            for _ in 0..errors_long_ago {
                answer(&pool, &upstream, Answer::Errors).await;
                answer(&pool, &upstream, Answer::Works).await;
            }
            for _ in 0..20 {
                answer(&pool, &upstream, Answer::Works).await;
            }
            for _ in 0..errors_of_late {
                answer(&pool, &upstream, Answer::Errors).await;
                answer(&pool, &upstream, Answer::Works).await;
            }
            trouble.make(&pool, &upstream).await;
            upstream.set(Answer::Works);
            upstream.takes(Duration::ZERO);
            let goes_on = pool.call(Upstream::ask).await.is_ok();
            let before = (errors_long_ago, errors_of_late);
            assert_eq!(goes_on, is_last_resort, "{trouble:?} after {before:?}");
        }
    }
}

async fn answer(pool: &Pool<Upstream>, upstream: &Upstream, answer: Answer) {
    upstream.set(answer);
    let _result = pool.call_with(classify, Upstream::ask).await;
}

/// How an endpoint opens its breaker.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Abandoned,
    Errors,
    Hangs,
    Refuses,
    Slow,
}

impl Trouble {
    async fn make(self, pool: &Pool<Upstream>, upstream: &Upstream) {
        match self {
            Self::Abandoned | Self::Hangs | Self::Slow => upstream.takes(SECOND * 2),
            Self::Errors => upstream.set(Answer::Errors),
            Self::Refuses => upstream.set(Answer::RefusesConnections),
        }
        let calls = (0..200).map(async |_| {
            let call = pool.call_with(classify, Upstream::ask);
            match self {
                Self::Abandoned => drop(timeout(SECOND, call).await),
                _ => drop(call.await),
            }
        });
        let mut calls = FuturesUnordered::from_iter(calls);
        while !is_open(pool, upstream) {
            calls.next().await.expect("it opens");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r62_a_last_resort_is_one_attempt_beside_the_breaker() {
    let (upstreams, pool) = opened_by([Answer::Errors; 2]).await;
    let last = pool.explain().last().unwrap().endpoint.clone();
    let before = counts(&pool).await;
    let asked: u32 = upstreams.iter().map(Upstream::asked).sum();
    assert_eq!(ask(&pool).await, Err(PoolError::Failed(Answer::Errors)));
    assert_eq!(
        upstreams.iter().map(Upstream::asked).sum::<u32>(),
        asked + 1
    );
    upstreams.iter().for_each(|it| it.set(Answer::Works));
    assert_eq!(ask(&pool).await.ok(), Some(&*last), "it answered last");
    let picked = pool.explain().pop().unwrap();
    assert_eq!((picked.why, picked.endpoint), (Why::LastResort, last));
    assert_eq!(counts(&pool).await, before, "no breaker has heard of it");
    assert_eq!(pool.snapshot().last_resort, 2);
    assert_eq!(pool.snapshot().active, 0);
}

/// The counts and the generation of each breaker.
async fn counts(pool: &Pool<Upstream>) -> Vec<String> {
    let mut counts = Vec::new();
    for endpoint in pool.endpoints() {
        let it = pool.breaker(&endpoint).unwrap().snapshot().await;
        counts.push(format!("{:?} {} {:?}", it.counts, it.late, it.generation));
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn r62_a_last_resort_takes_no_probes_place() {
    let (upstreams, pool) = opened_by([Answer::Errors; 2]).await;
    upstreams.iter().for_each(|it| {
        it.set(Answer::Works);
        it.takes(Duration::from_secs(1));
    });
    sleep(Duration::from_secs(10)).await;
    let calls: Vec<_> = (0..10).map(|_| ask(&pool)).collect();
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let picks = pool.explain();
    let count = |why| {
        picks
            .iter()
            .rev()
            .take(10)
            .filter(|it| it.why == why)
            .count()
    };
    assert_eq!([count(Why::Probe), count(Why::LastResort)], [2, 8]);
    assert!(
        upstreams.iter().all(|it| it.asked() > 3),
        "the less busy one is asked"
    );
    settle().await;
    for upstream in &upstreams {
        let breaker = pool.breaker(upstream.name()).unwrap();
        assert_eq!(breaker.state(), State::Closed);
    }
}

/// South's breaker has just closed and admits a tenth of the calls: what it rejects goes
/// to north, which answers.
#[tokio::test(start_paused = true)]
async fn r62_calls_that_a_ramp_rejects_go_on_as_well() {
    let upstreams = ["north", "south"].map(Upstream::new);
    let endpoints = upstreams.iter().map(Upstream::endpoint);
    let ramp = Ramp::linear(Ratio::percent(10), 60 * SECOND);
    let quick = QUICK.ramp(ramp);
    let breakers = breakers().await;
    let pool = breakers.pool("prices", CONFIG.breaker(quick), endpoints);
    let pool = pool.await.unwrap();
    let [north, south] = &upstreams;
    let for_long = quick.open_for(Backoff::fixed(1_000 * SECOND));
    let of_north = pool.breaker("north").unwrap();
    of_north.reconfigure(for_long).await.unwrap();
    upstreams.iter().for_each(|it| it.set(Answer::Errors));
    while !is_open(&pool, north) || !is_open(&pool, south) {
        assert!(ask(&pool).await.is_err());
    }
    upstreams.iter().for_each(|it| it.set(Answer::Works));
    while pool.breaker("south").unwrap().state() != State::Closed {
        sleep(SECOND).await;
        assert!(ask(&pool).await.is_ok());
    }
    settle().await;
    let before = pool.snapshot().last_resort;
    for _ in 0..100 {
        assert!(ask(&pool).await.is_ok());
    }
    let went_on = pool.snapshot().last_resort - before;
    assert!((50..100).contains(&went_on), "{went_on}");
}

#[tokio::test(start_paused = true)]
async fn r62_an_endpoint_that_stops_answering_is_no_last_resort_any_more() {
    for silence in [Answer::Fails, Answer::RefusesConnections] {
        let (upstreams, pool) = opened_by([Answer::Errors; 2]).await;
        upstreams.iter().for_each(|it| it.set(silence));
        let mut went_on = 0;
        while matches!(ask(&pool).await, Err(PoolError::Failed(_))) {
            went_on += 1;
        }
        assert!(went_on <= 6, "{went_on} calls found out");
    }
}

/// How many seconds the calls go on, a thousand in each: a minute in the whole test.
fn seconds() -> u64 {
    match std::env::var("BREAKERBOX_FAIRNESS") {
        Err(_) => 10,
        Ok(whole) if whole == "whole" => 60,
        Ok(other) => panic!("BREAKERBOX_FAIRNESS is {other:?}, and may be \"whole\""),
    }
}

fn calls() -> u32 {
    u32::try_from(1_000 * seconds()).unwrap()
}

/// North, which takes one call at a time, and south in the next tier.
async fn narrow() -> ([Upstream; 2], Pool<Upstream>) {
    let [north, south] = ["north", "south"].map(Upstream::new);
    let endpoints = [north.endpoint().max_in_flight(1), south.endpoint().tier(1)];
    let pool = breakers().await.pool("prices", CONFIG, endpoints).await;
    ([north, south], pool.unwrap())
}

#[tokio::test(start_paused = true)]
async fn r62_an_endpoint_that_is_full_is_no_last_resort() {
    let ([north, south], pool) = narrow().await;
    [&north, &south]
        .into_iter()
        .for_each(|it| it.set(Answer::Errors));
    while ![&north, &south].into_iter().all(|it| is_open(&pool, it)) {
        assert!(ask(&pool).await.is_err());
    }
    [&north, &south]
        .into_iter()
        .for_each(|it| it.set(Answer::Works));
    north.takes(Duration::from_secs(2));
    let answers = tokio::join!(ask(&pool), ask(&pool));
    assert_eq!(answers, (Ok("north"), Ok("south")));
}

#[tokio::test(start_paused = true)]
async fn r62_there_is_no_last_resort_where_a_breaker_admits_and_its_endpoint_is_only_full() {
    let ([north, south], pool) = narrow().await;
    assert!(pool.disable("north").await);
    south.set(Answer::Errors);
    while !is_open(&pool, &south) {
        assert!(ask(&pool).await.is_err());
    }
    assert!(pool.enable("north").await);
    settle().await;
    north.takes(Duration::from_secs(5));
    let asked = south.asked();
    let (first, second) = tokio::join!(ask(&pool), ask(&pool));
    assert_eq!(first, Ok("north"));
    assert!(matches!(second, Err(PoolError::Rejected(_))), "{second:?}");
    assert_eq!(south.asked(), asked);
}

/// A thousand calls a second to three endpoints, and calls for a page that fails, at all
/// or at some of them.
struct Load {
    bad: Box<dyn Fn(u32) -> bool>,
    /// These fail all calls.
    broken: &'static [&'static str],
    failing: &'static [&'static str],
    /// How long an answer takes.
    takes: Duration,
}

/// What became of the calls.
#[derive(Debug, Default)]
struct Seen {
    bad_calls: Cell<u32>,
    /// Calls of the good pages that had no answer.
    good_lost: Cell<u32>,
    rejected: Cell<u32>,
    reached: [Cell<u32>; 3],
    /// Requests that reached an endpoint, by the second.
    reached_in: RefCell<BTreeMap<u64, u32>>,
}

const NAMES: [&str; 3] = ["north", "south", "west"];
const SECOND: Duration = Duration::from_secs(1);

const SOON: Duration = Duration::from_millis(20);

const DEFAULTS: PoolConfig = PoolConfig::new().breaker(BreakerConfig::new());

impl Load {
    async fn play(self) -> Seen {
        let breakers = breakers().await;
        let endpoints = NAMES.map(|name| breakerbox::Endpoint::new(name, name));
        let pool = breakers.pool("prices", DEFAULTS, endpoints);
        let pool = pool.await.unwrap();
        let (seen, this, local) = (Rc::new(Seen::default()), Rc::new(self), LocalSet::new());
        let start = Instant::now();
        local
            .run_until(async {
                let mut tasks = Vec::new();
                for call in 0..calls() {
                    sleep_until(start + Duration::from_millis(call.into())).await;
                    let (pool, seen, this) = (pool.clone(), Rc::clone(&seen), Rc::clone(&this));
                    tasks.push(tokio::task::spawn_local(async move {
                        this.call(&pool, &seen, call, start).await;
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
            })
            .await;
        Rc::into_inner(seen).expect("all calls have ended")
    }

    async fn call(&self, pool: &Pool<&'static str>, seen: &Seen, call: u32, start: Instant) {
        let is_bad = (self.bad)(call);
        add(&seen.bad_calls, u32::from(is_bad));
        let classify = |result: &Result<(), Answer>| match result {
            Ok(()) => Verdict::Success,
            Err(answer) => classify::<()>(&Err(*answer)),
        };
        let answer = pool.call_idempotent_with(classify, |name: &'static str| async move {
            let which = NAMES.iter().position(|it| *it == name).unwrap();
            add(&seen.reached[which], 1);
            let second = start.elapsed().as_secs();
            *seen.reached_in.borrow_mut().entry(second).or_default() += 1;
            sleep(self.takes).await;
            let is_broken = self.broken.contains(&name);
            match is_broken || is_bad && self.failing.contains(&name) {
                true => Err(Answer::Errors),
                false => Ok(()),
            }
        });
        match answer.await {
            Ok(()) => {}
            Err(PoolError::Rejected(_)) => {
                add(&seen.rejected, 1);
                add(&seen.good_lost, u32::from(!is_bad));
            }
            Err(_) => add(&seen.good_lost, u32::from(!is_bad)),
        }
    }
}

fn add(cell: &Cell<u32>, number: u32) {
    cell.set(cell.get() + number);
}

/// So many of a hundred, in any order and in a rhythm.
fn drawn(share: u32) -> Box<dyn Fn(u32) -> bool> {
    let rng = RefCell::new(fastrand::Rng::with_seed(share.into()));
    Box::new(move |_| rng.borrow_mut().u32(..100) < share)
}

fn in_bursts(share: u32) -> Box<dyn Fn(u32) -> bool> {
    Box::new(move |call| call % 100 < share)
}

#[tokio::test(start_paused = true)]
async fn r62_one_page_that_fails_costs_no_other_page_an_answer() {
    for share in [1, 15, 45] {
        for bad in [drawn(share), in_bursts(share)] {
            let load = Load {
                bad,
                broken: &[],
                failing: &NAMES,
                takes: SOON,
            };
            let seen = load.play().await;
            assert_eq!(seen.good_lost.get(), 0, "{share} %: {seen:?}");
            assert_eq!(seen.rejected.get(), 0, "{share} %: {seen:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r62_while_most_pages_fail_a_fifth_of_the_calls_reach_an_endpoint_evenly() {
    for share in [60, 90, 100] {
        for bad in [drawn(share), in_bursts(share)] {
            let load = Load {
                bad,
                broken: &[],
                failing: &NAMES,
                takes: SOON,
            };
            let seen = load.play().await;
            let reached: u32 = seen.reached.iter().map(Cell::get).sum();
            assert!(reached <= calls() / 5, "{share} %: {seen:?}");
            for second in 2..seconds() {
                let reached = seen.reached_in.borrow()[&second];
                assert!((50..=300).contains(&reached), "{share} %: {seen:?}");
            }
        }
    }
}

/// The answers to calls that were on their way when the breakers opened count, too.
#[tokio::test(start_paused = true)]
async fn r62_calls_do_not_go_on_until_slow_failures_have_come_back() {
    let load = Load {
        bad: drawn(100),
        broken: &[],
        failing: &NAMES,
        takes: Duration::from_secs(4),
    };
    let seen = load.play().await;
    for second in 5..9 {
        let reached = seen.reached_in.borrow()[&second];
        assert!(reached <= 300, "second {second}: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r62_an_endpoint_that_fails_everything_gets_next_to_nothing() {
    let load = Load {
        bad: drawn(100),
        broken: &[],
        failing: &NAMES[..1],
        takes: SOON,
    };
    let seen = load.play().await;
    assert_eq!(seen.good_lost.get() + seen.rejected.get(), 0, "{seen:?}");
    assert!(seen.reached[0].get() <= 20 + calls() / 50, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn r62_an_endpoint_that_fails_everything_is_not_asked_for_the_pages_that_others_serve() {
    let load = Load {
        bad: drawn(30),
        broken: &NAMES[..1],
        failing: &NAMES,
        takes: SOON,
    };
    let seen = load.play().await;
    // Its probes are calls, and while it fails on and on there are few others.
    assert!(seen.good_lost.get() < calls() / 100, "{seen:?}");
}
