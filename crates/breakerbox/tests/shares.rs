//! How the endpoints of one tier share the calls of a pool, in virtual time.
//!
//! The pool is the real one with its defaults. Its endpoints answer as a test says,
//! the clock jumps, and the random numbers are seeded. The short run plays one seed of
//! some cases; `BREAKERBOX_SHARES=whole` plays twenty seeds of all, and longer.

#![cfg(test)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox::{BreakerBox, BreakerConfig, Endpoint, Pool, PoolConfig, Selection};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

#[test]
fn r63_endpoints_that_are_alike_share_alike_however_often_they_fail() {
    let mut cases = vec![(2, 10, ANSWER), (4, 500, ANSWER), (10, 100, ANSWER)];
    if is_whole() {
        let of = |endpoints| {
            let rates = [0, 10, 100, 500].map(|failures| (endpoints, failures, ANSWER));
            let times = [Duration::ZERO, TOO_LONG].map(|after| (endpoints, 100, after));
            rates.into_iter().chain(times)
        };
        cases = [2, 4, 10].into_iter().flat_map(of).collect();
    }
    for (endpoints, failures, after) in cases {
        let alike = vec![Kind::Failing { failures, after }; endpoints];
        let played = Play::of(alike).seeds().without_openings();
        let in_each = played.worst(Shares::busiest_of_each_second) * endpoints as f64;
        let in_all = played.worst(Shares::busiest_of_medians) * endpoints as f64;
        println!(
            "{endpoints} endpoints, {failures} failures in 10,000 after {after:?}: \
             {in_each:.3} and {in_all:.3} times its share"
        );
        // A call that hangs is in flight, so its endpoint gets fewer others meanwhile.
        let limit = if after == TOO_LONG { 1.2 } else { 1.15 };
        assert!(in_each <= limit && in_all <= limit, "of the busiest one");
    }
}

#[test]
fn r63_an_endpoint_that_fails_every_fifth_call_gets_next_to_nothing() {
    let mut cases = vec![(3, 100)];
    if is_whole() {
        cases = vec![(1, 0), (1, 100), (3, 0), (3, 100), (9, 0), (9, 100)];
    }
    for (good, failures) in cases {
        share_is_below(0.02, Kind::failing(2_000), good, failures);
    }
}

#[test]
fn r63_a_black_hole_gets_next_to_nothing() {
    let mut cases = vec![(1, 0)];
    if is_whole() {
        cases = vec![(1, 0), (1, 100), (3, 0), (3, 100), (9, 0), (9, 100)];
    }
    for (good, failures) in cases {
        share_is_below(0.005, Kind::BlackHole, good, failures);
    }
}

/// One bad endpoint gets less than a share, beside so many that fail now and then.
fn share_is_below(limit: f64, bad: Kind, good: usize, failures: u32) {
    let mut kinds = vec![Kind::failing(failures); good];
    kinds.push(bad);
    for played in Play::of(kinds).with_and_without_retries() {
        let share = played.worst(|shares| shares.of(good));
        println!(
            "{bad:?} beside {good} that fail {failures} in 10,000, {:?}: {:.2} %",
            played.calls,
            share * 100.0
        );
        assert!(share < limit, "of all calls");
    }
}

/// Where the calls of one that failed go to its siblings, those are soon full.
#[test]
fn r63_failures_now_and_then_fill_no_queue() {
    let p99 = |selection| {
        let play = Play {
            config: CONFIG.selection(selection),
            rate: 1_000,
            ..Play::of(vec![Kind::Queue { failures: 100 }; 3])
        };
        let played = play.seeds();
        let slowest = played.shares.iter().map(Shares::p99).max();
        slowest.unwrap()
    };
    let (by_two, in_turn) = (p99(Selection::PowerOfTwo), p99(Selection::RoundRobin));
    println!("p99 {by_two:?}, in turn {in_turn:?}");
    assert!(by_two <= in_turn + Duration::from_millis(4));
}

/// How an endpoint does. Failures are those of 10,000 calls.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// It never answers.
    BlackHole,
    /// It answers all calls in the same time, and fails after another one.
    Failing { failures: u32, after: Duration },
    /// It serves 500 calls a second, one after another.
    Queue { failures: u32 },
}

impl Kind {
    const fn failing(failures: u32) -> Self {
        let after = ANSWER;
        Self::Failing { failures, after }
    }
}

/// An endpoint, and how often it was asked in each second.
#[derive(Clone)]
struct Server {
    asked: Arc<Vec<AtomicU64>>,
    begun: Instant,
    /// When the calls that it has will have been served.
    free_at: Arc<Mutex<Instant>>,
    kind: Kind,
}

impl Server {
    fn new(kind: Kind, seconds: u32, begun: Instant) -> Self {
        Self {
            asked: Arc::new((0..seconds).map(|_| AtomicU64::new(0)).collect()),
            begun,
            free_at: Arc::new(Mutex::new(begun)),
            kind,
        }
    }

    async fn ask(self) -> Result<(), &'static str> {
        let second = self.begun.elapsed().as_secs() as usize;
        if let Some(asked) = self.asked.get(second) {
            asked.fetch_add(1, Ordering::Relaxed);
        }
        let fails = |failures| fastrand::u32(..10_000) < failures;
        match self.kind {
            Kind::BlackHole => std::future::pending().await,
            Kind::Failing { failures, after } if fails(failures) => {
                sleep(after).await;
                Err("internal error")
            }
            Kind::Failing { .. } => {
                sleep(ANSWER).await;
                Ok(())
            }
            Kind::Queue { failures } => {
                sleep_until(self.enqueue()).await;
                if fails(failures) {
                    Err("internal error")
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Adds a call, and returns when it will have been served.
    fn enqueue(&self) -> Instant {
        let mut free_at = self.free_at.lock().unwrap();
        *free_at = Instant::now().max(*free_at) + SECOND / 500;
        *free_at
    }
}

/// What a pool's user calls.
#[derive(Clone, Copy, Debug)]
enum Calls {
    Idempotent,
    Once,
}

/// Calls to a pool, evenly spread.
#[derive(Clone)]
struct Play {
    calls: Calls,
    config: PoolConfig,
    kinds: Vec<Kind>,
    rate: u32,
    seconds: u32,
}

impl Play {
    fn of(kinds: Vec<Kind>) -> Self {
        Self {
            calls: Calls::Idempotent,
            config: CONFIG,
            kinds,
            rate: 500,
            seconds: if is_whole() { 60 } else { 20 },
        }
    }

    fn with_and_without_retries(self) -> Vec<Played> {
        let mut played = vec![self.seeds()];
        if is_whole() {
            let calls = Calls::Once;
            played.push(Self { calls, ..self }.seeds());
        }
        played
    }

    fn seeds(&self) -> Played {
        let seeds = if is_whole() { 20 } else { 1 };
        let with = |seed| {
            fastrand::seed(seed);
            let mut runtime = Builder::new_current_thread();
            let runtime = runtime.enable_time().start_paused(true).build().unwrap();
            runtime.block_on(self.play())
        };
        Played {
            calls: self.calls,
            shares: (1..=seeds).map(with).collect(),
        }
    }

    async fn play(&self) -> Shares {
        let breakers = BreakerBox::start("shares").await.unwrap();
        let begun = Instant::now();
        let server = |kind: &Kind| Server::new(*kind, self.seconds, begun);
        let servers: Vec<_> = self.kinds.iter().map(server).collect();
        let named = servers.iter().enumerate();
        let endpoints = named.map(|(nth, it)| Endpoint::new(nth.to_string(), it.clone()));
        let pool = breakers.pool("pool", self.config, endpoints).await.unwrap();
        let mut latencies = self.call(&pool, begun).await;
        latencies.sort_unstable();
        let asked = |second: usize| {
            let asked = servers
                .iter()
                .map(|it| it.asked[second].load(Ordering::Relaxed));
            asked.map(|asked| asked as f64).collect()
        };
        let mut endpoints = pool.snapshot().endpoints.into_iter();
        Shares {
            has_opening: endpoints.any(|it| it.since > begun.into_std()),
            asked: (SETTLED..self.seconds as usize).map(asked).collect(),
            latencies,
        }
    }

    /// Makes all calls, and returns how long each took.
    async fn call(&self, pool: &Pool<Server>, begun: Instant) -> Vec<Duration> {
        let mut calls = JoinSet::new();
        for nth in 0..self.seconds * self.rate {
            sleep_until(begun + nth * SECOND / self.rate).await;
            let (pool, kind) = (pool.clone(), self.calls);
            calls.spawn(async move {
                let began = Instant::now();
                let _answer = match kind {
                    Calls::Idempotent => pool.call_idempotent(Server::ask).await,
                    Calls::Once => pool.call(Server::ask).await,
                };
                began.elapsed()
            });
        }
        calls.join_all().await
    }
}

/// The same calls with one seed after another.
struct Played {
    calls: Calls,
    shares: Vec<Shares>,
}

impl Played {
    /// Leaves out the seeds in which six calls in a row failed by chance: an endpoint
    /// whose breaker has opened comes back bit by bit, whatever a pick does. Of a run in
    /// which one call of twenty fails, that is one in a thousand.
    fn without_openings(mut self) -> Self {
        let all = self.shares.len();
        self.shares.retain(|shares| !shares.has_opening);
        assert!(self.shares.len() * 10 >= all * 9, "openings are rare");
        self
    }

    fn worst(&self, of: impl Fn(&Shares) -> f64) -> f64 {
        self.shares.iter().map(of).fold(0.0, f64::max)
    }
}

/// How the calls were divided, from when the pool had settled.
struct Shares {
    /// How often each endpoint was asked, by second.
    asked: Vec<Vec<f64>>,
    /// Whether the breaker of an endpoint has opened.
    has_opening: bool,
    /// Of all calls, the quickest first.
    latencies: Vec<Duration>,
}

impl Shares {
    /// The median over the seconds of the largest share in each.
    fn busiest_of_each_second(&self) -> f64 {
        let busiest = |asked: &Vec<f64>| {
            let most = asked.iter().copied().fold(0.0, f64::max);
            most / asked.iter().sum::<f64>()
        };
        median(self.asked.iter().map(busiest))
    }

    /// The largest of the endpoints' median shares.
    fn busiest_of_medians(&self) -> f64 {
        let share = |asked: &Vec<f64>, nth: usize| asked[nth] / asked.iter().sum::<f64>();
        let endpoints = 0..self.asked[0].len();
        let medians = endpoints.map(|nth| median(self.asked.iter().map(|it| share(it, nth))));
        medians.fold(0.0, f64::max)
    }

    /// The share of one endpoint over all the time.
    fn of(&self, nth: usize) -> f64 {
        let own: f64 = self.asked.iter().map(|asked| asked[nth]).sum();
        own / self.asked.iter().flatten().sum::<f64>()
    }

    fn p99(&self) -> Duration {
        self.latencies[self.latencies.len() * 99 / 100]
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn is_whole() -> bool {
    match std::env::var("BREAKERBOX_SHARES") {
        Ok(whole) if whole == "whole" => true,
        Ok(other) => panic!("BREAKERBOX_SHARES is {other:?}, and may be \"whole\""),
        Err(_unset) => false,
    }
}

const CONFIG: PoolConfig =
    PoolConfig::new().breaker(BreakerConfig::new().call_timeout(Duration::from_millis(300)));

const ANSWER: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
/// Longer than an attempt may take.
const TOO_LONG: Duration = SECOND;

/// The seconds that do not count.
const SETTLED: usize = 10;
