//! Three tiers of fifty endpoints in minutes of trouble, in virtual time.
//!
//! Everything is the real thing but the endpoints, which answer as the scenario
//! says, and the clock, which jumps. The random numbers are seeded, so each run
//! is the same.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use breakerbox::{
    BreakerBox, BreakerConfig, Endpoint, EndpointStatus, FailureKind, Pool, PoolConfig, PoolError,
    Selection, Verdict,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const ENDPOINTS: usize = 50;
const LATENCY: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

/// An outage of all of tier 0: no call fails, calls fail over with the first one
/// that is repeated, and come back without a stampede.
#[tokio::test(start_paused = true)]
async fn r56_an_outage_of_the_best_tier_costs_no_call() {
    let world = World::new(CONFIG).await;
    world.run(30, 300, |_, _| Health::Well).await;
    let outage = |tier, _| {
        if tier == 0 {
            Health::Down
        } else {
            Health::Well
        }
    };
    let during = world.run(60, 300, outage).await;
    assert_eq!(during.failed, 0, "{during:?}");
    assert!(during.amplification() < 1.05, "{during:?}");
    assert!(during.by_tier[1] > during.calls * 95 / 100, "{during:?}");
    let failed_over = during.first_by_tier[1].unwrap();
    assert!(failed_over < SECOND / 10, "{during:?}");
    assert_eq!(world.load(0), 0);
    let recovered = Instant::now();
    while world.load(0) < 100 {
        let after = world.run(1, 300, |_, _| Health::Well).await;
        assert_eq!(after.failed, 0, "{after:?}");
        assert!(after.amplification() < 1.05, "{after:?}");
    }
    // The last opening of its breakers, then the hold, then most of the ramp.
    let back_after = recovered.elapsed().as_secs();
    assert!((20..100).contains(&back_after), "back after {back_after} s");
    let back = world.run(30, 300, |_, _| Health::Well).await;
    assert_eq!(back.by_tier, [back.calls, 0, 0], "{back:?}");
}

/// Whoever fails first: the calls of the second in which breakers learn of the outage
/// find their turn for another attempt in time.
#[tokio::test(start_paused = true)]
async fn r56_no_call_waits_in_vain_while_breakers_learn_of_an_outage() {
    for seed in 0..5 {
        let world = World::seeded(CONFIG, seed).await;
        world.run(10, 300, |_, _| Health::Well).await;
        let outage = |tier, _| match tier {
            0 => Health::Down,
            _ => Health::Well,
        };
        let during = world.run(5, 300, outage).await;
        assert_eq!(during.failed, 0, "seed {seed}: {during:?}");
        assert!(during.longest < SECOND * 4 / 5, "seed {seed}: {during:?}");
    }
}

/// Half of a tier is gone: the rest keeps 70 %, the next tier gets 30 (R50).
#[tokio::test(start_paused = true)]
async fn r50_a_tier_that_lost_half_hands_on_what_it_cannot_carry() {
    let world = World::new(CONFIG).await;
    let half = |tier, nth| {
        if tier == 0 && nth % 2 == 0 {
            Health::Down
        } else {
            Health::Well
        }
    };
    let begin = world.run(60, 600, half).await;
    assert_eq!(begin.failed, 0, "{begin:?}");
    let settled = world.run(60, 300, half).await;
    assert_eq!(settled.failed, 0, "{settled:?}");
    let share = settled.by_tier[0] * 100 / settled.calls;
    assert!((65..75).contains(&share), "{share} % stay: {settled:?}");
}

/// Ten endpoints fail every third call, which opens no breaker: they are
/// ejected, but never more than half of the tier (R52).
#[tokio::test(start_paused = true)]
async fn r52_brown_outs_are_ejected() {
    let world = World::new(CONFIG.selection(Selection::RoundRobin)).await;
    let brown = |tier, nth| {
        if tier == 0 && nth < 4 {
            Health::Brown
        } else {
            Health::Well
        }
    };
    let before = world.run(12, 1_000, brown).await;
    let is_ejected = |status| matches!(status, EndpointStatus::Ejected { .. });
    assert_eq!(world.count(is_ejected), 4);
    let after = world.run(5, 1_000, brown).await;
    assert_eq!(
        (before.failed, after.failed),
        (0, 0),
        "{before:?} {after:?}"
    );
    assert!(
        before.extra() > 100 && after.extra() == 0,
        "{before:?} {after:?}"
    );
}

/// A third of the best tier flaps every 10 s. What comes back gets a small share
/// until it has held, so most calls never notice (R56).
#[tokio::test(start_paused = true)]
async fn r56_flapping_endpoints_get_no_more_than_a_small_share() {
    let world = World::new(CONFIG).await;
    let flaps = |server: &Server| server.tier == 0 && server.nth.is_multiple_of(3);
    let mut shares = Vec::new();
    for round in 0..12 {
        let before = world.asked(flaps);
        let down = |tier, nth| match (tier, nth % 3, round % 2) {
            (0, 0, 0) => Health::Down,
            _ => Health::Well,
        };
        let seen = world.run(10, 300, down).await;
        assert_eq!(seen.failed, 0, "{seen:?}");
        assert!(seen.amplification() < 1.05, "{seen:?}");
        shares.push((world.asked(flaps) - before) * 100 / seen.calls);
    }
    assert!(
        shares.iter().all(|share| *share < 12),
        "of 34 %: {shares:?}"
    );
}

/// Tenfold traffic while most of everything is down: retries stay within the
/// budget, whatever happens to the calls (R53).
#[tokio::test(start_paused = true)]
async fn r53_a_thundering_herd_is_not_amplified() {
    let world = World::new(CONFIG.deadline(SECOND)).await;
    let herd = |tier, nth| {
        if tier < 2 || nth > 4 {
            Health::Hangs
        } else {
            Health::Well
        }
    };
    let seen = world.run(5, 3_000, herd).await;
    assert!(seen.most_extra <= seen.most_active / 5 + 3, "{seen:?}");
    assert!(seen.amplification() < 1.5, "{seen:?}");
    let settled = world.run(30, 300, herd).await;
    assert!(settled.failed * 50 < settled.calls, "{settled:?}");
    world.is_quiet().await;
}

/// Each endpoint fails now and then, some pages fail everywhere, and some clients are
/// turned away: whoever asks for another page gets it, at the best tier, and no endpoint
/// has much more to do than its siblings (R60, R62, R63).
#[tokio::test(start_paused = true)]
async fn r62_bad_pages_and_greedy_clients_cost_nobody_else_an_answer() {
    let world = World::new(CONFIG).await;
    for server in &world.servers {
        server.fails_now_and_then(fastrand::u64(..10));
    }
    for bad_pages in [0, 2, 40] {
        let request = |_| match fastrand::u32(..100) {
            draw if draw < bad_pages => Request::BadPage,
            draw if draw >= 90 => Request::OfGreedyClient,
            _ => Request::Fair,
        };
        let well = |_, _| Health::Well;
        world.run_requests(5, 1_000, well, request).await;
        let before = world.asked_each(0);
        let seen = world.run_requests(10, 1_000, well, request).await;
        assert_eq!(seen.rejected, 0, "{bad_pages} % bad: {seen:?}");
        // The last resort is not retried, and each endpoint fails now and then.
        assert!(
            seen.failed * 200 < seen.calls,
            "{bad_pages} % bad: {seen:?}"
        );
        let elsewhere = seen.by_tier[1] + seen.by_tier[2];
        assert!(
            elsewhere * 4 < seen.by_tier[0],
            "{bad_pages} % bad: {seen:?}"
        );
        let asked = world.asked_each(0).into_iter().zip(before);
        let asked: Vec<_> = asked.map(|(after, before)| after - before).collect();
        let fair = asked.iter().sum::<u64>() / ENDPOINTS as u64;
        let most = *asked.iter().max().unwrap();
        // A bad page opens breakers, and what comes back begins with a tenth.
        let is_fair = most * 100 <= fair * 115;
        assert!(bad_pages > 0 || is_fair, "{bad_pages} % bad: {asked:?}");
    }
}

/// An endpoint answers nothing but errors, and another one nothing at all: they get next
/// to nothing, and cost no call.
#[tokio::test(start_paused = true)]
async fn r63_endpoints_that_fail_get_next_to_nothing() {
    let world = World::new(CONFIG).await;
    let bad = |tier, nth| match (tier, nth) {
        (0, 0) => Health::Errs,
        (0, 1) => Health::Hangs,
        _ => Health::Well,
    };
    world.run(10, 1_000, bad).await;
    let before = world.asked_each(0);
    let seen = world.run(30, 1_000, bad).await;
    assert_eq!(seen.failed, 0, "{seen:?}");
    let after = world.asked_each(0);
    for nth in [0, 1] {
        assert!(
            after[nth] - before[nth] < 30,
            "{nth}: {before:?}, {after:?}"
        );
    }
}

const CONFIG: PoolConfig =
    PoolConfig::new().breaker(BreakerConfig::new().call_timeout(Duration::from_millis(250)));

/// How an endpoint does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    /// It fails every third call.
    Brown,
    Down,
    /// It answers that it fails.
    Errs,
    Hangs,
    Well,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Request {
    /// A page that fails everywhere.
    BadPage,
    Fair,
    /// Of a client that is turned away everywhere.
    OfGreedyClient,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trouble {
    Broken,
    ServerError,
    TooManyRequests,
}

fn classify<T>(result: &Result<T, Trouble>) -> Verdict {
    match result {
        Ok(_) => Verdict::Success,
        Err(Trouble::Broken) => Verdict::Sent,
        Err(Trouble::ServerError) => Verdict::ServerError(FailureKind::named("500")),
        Err(Trouble::TooManyRequests) => Verdict::Final,
    }
}

/// An endpoint: its tier, its number there, and how it does.
#[derive(Clone)]
struct Server {
    asked: Arc<AtomicU64>,
    /// Of a thousand calls.
    failing: Arc<AtomicU64>,
    health: Arc<AtomicU64>,
    nth: usize,
    tier: u8,
}

impl Server {
    fn new(tier: u8, nth: usize) -> Self {
        Self {
            asked: Arc::default(),
            failing: Arc::default(),
            health: Arc::default(),
            nth,
            tier,
        }
    }

    fn set(&self, health: Health) {
        self.health.store(health as u64, Ordering::Relaxed);
    }

    fn fails_now_and_then(&self, of_a_thousand: u64) {
        self.failing.store(of_a_thousand, Ordering::Relaxed);
    }

    async fn ask(self, request: Request) -> Result<u8, Trouble> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let is = |health: Health| self.health.load(Ordering::Relaxed) == health as u64;
        if is(Health::Down) {
            return Err(Trouble::Broken);
        }
        if is(Health::Hangs) {
            std::future::pending::<()>().await;
        }
        sleep(LATENCY).await;
        let fails = fastrand::u64(..1_000) < self.failing.load(Ordering::Relaxed);
        match request {
            _ if fails || is(Health::Brown) && asked.is_multiple_of(3) => Err(Trouble::Broken),
            Request::BadPage => Err(Trouble::ServerError),
            _ if is(Health::Errs) => Err(Trouble::ServerError),
            Request::OfGreedyClient => Err(Trouble::TooManyRequests),
            Request::Fair => Ok(self.tier),
        }
    }
}

/// A pool of all of them, and who calls it.
struct World {
    _breakers: BreakerBox,
    pool: Pool<Server>,
    servers: Vec<Server>,
}

/// What a run came to.
#[derive(Debug, Default)]
struct Seen {
    asked: u64,
    by_tier: [u64; 3],
    calls: u64,
    /// Fair calls without their answer, and rejected ones.
    failed: u64,
    /// When each tier first answered a call.
    first_by_tier: [Option<Duration>; 3],
    /// How long the slowest call took.
    longest: Duration,
    most_active: u64,
    most_extra: u64,
    /// Other calls that had the answer that they deserve.
    refused: u64,
    /// Calls that no endpoint was asked for.
    rejected: u64,
}

impl Seen {
    fn note(&mut self, tier: usize, at: Duration) {
        self.by_tier[tier] += 1;
        let first = self.first_by_tier[tier].get_or_insert(at);
        *first = at.min(*first);
    }

    /// Requests per call.
    fn amplification(&self) -> f64 {
        self.asked as f64 / self.calls as f64
    }

    fn extra(&self) -> u64 {
        self.asked - self.calls
    }
}

impl World {
    async fn new(config: PoolConfig) -> Self {
        Self::seeded(config, 7).await
    }

    async fn seeded(config: PoolConfig, seed: u64) -> Self {
        fastrand::seed(seed);
        let breakers = BreakerBox::start("simulation").await.unwrap();
        let servers: Vec<_> = (0..3_u8)
            .flat_map(|tier| (0..ENDPOINTS).map(move |nth| Server::new(tier, nth)))
            .collect();
        let endpoint = |server: &Server| {
            let name = format!("{}-{}", server.tier, server.nth);
            Endpoint::new(name, server.clone()).tier(server.tier)
        };
        let pool = breakers
            .pool("pool", config, servers.iter().map(endpoint))
            .await
            .unwrap();
        Self {
            _breakers: breakers,
            pool,
            servers,
        }
    }

    /// So many calls a second for so many seconds, while endpoints do like this.
    async fn run(&self, seconds: u32, rate: u32, health: impl Fn(u8, usize) -> Health) -> Seen {
        let fair = |_| Request::Fair;
        self.run_requests(seconds, rate, health, fair).await
    }

    async fn run_requests(
        &self,
        seconds: u32,
        rate: u32,
        health: impl Fn(u8, usize) -> Health,
        request: impl Fn(u32) -> Request,
    ) -> Seen {
        for server in &self.servers {
            server.set(health(server.tier, server.nth));
        }
        let (before, begun) = (self.asked(|_| true), Instant::now());
        let mut seen = Seen::default();
        let mut calls = JoinSet::new();
        for nth in 0..seconds * rate {
            tokio::time::sleep_until(begun + nth * SECOND / rate).await;
            let (pool, request) = (self.pool.clone(), request(nth));
            calls.spawn(async move {
                let asked_at = begun.elapsed();
                let ask = |server: Server| server.ask(request);
                let called = pool.call_idempotent_with(classify, ask).await;
                let at = begun.elapsed();
                (request, called, at, at - asked_at)
            });
            if nth % 16 == 0 {
                let now = self.pool.snapshot();
                seen.most_active = seen.most_active.max(now.active);
                seen.most_extra = seen.most_extra.max(now.extra);
            }
        }
        while let Some(ended) = calls.join_next().await {
            let (request, called, at, took) = ended.unwrap();
            seen.calls += 1;
            seen.longest = seen.longest.max(took);
            match (request, called) {
                (_, Ok(tier)) => seen.note(usize::from(tier), at),
                (_, Err(PoolError::Rejected(_))) => {
                    seen.rejected += 1;
                    seen.failed += 1;
                }
                (Request::Fair, Err(_)) => seen.failed += 1,
                (_, Err(_)) => seen.refused += 1,
            }
        }
        seen.asked = self.asked(|_| true) - before;
        seen
    }

    async fn is_quiet(&self) {
        let snapshot = self.pool.snapshot();
        assert_eq!((snapshot.active, snapshot.extra), (0, 0));
        assert!(
            snapshot
                .endpoints
                .iter()
                .all(|endpoint| endpoint.in_flight == 0)
        );
    }

    fn load(&self, tier: usize) -> u8 {
        self.pool.snapshot().tiers[tier].load
    }

    fn count(&self, wanted: impl Fn(EndpointStatus) -> bool) -> usize {
        let snapshot = self.pool.snapshot();
        snapshot
            .endpoints
            .iter()
            .filter(|it| wanted(it.status))
            .count()
    }

    /// How often each endpoint of a tier was asked.
    fn asked_each(&self, tier: u8) -> Vec<u64> {
        let of_tier = self.servers.iter().filter(|server| server.tier == tier);
        let asked = of_tier.map(|server| server.asked.load(Ordering::Relaxed));
        asked.collect()
    }

    fn asked(&self, of: impl Fn(&Server) -> bool) -> u64 {
        self.servers
            .iter()
            .filter(|server| of(server))
            .map(|server| server.asked.load(Ordering::Relaxed))
            .sum()
    }
}
