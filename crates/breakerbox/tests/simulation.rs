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
    BreakerBox, BreakerConfig, Endpoint, EndpointStatus, Pool, PoolConfig, Selection,
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

const CONFIG: PoolConfig =
    PoolConfig::new().breaker(BreakerConfig::new().call_timeout(Duration::from_millis(250)));

/// How an endpoint does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Health {
    /// It fails every third call.
    Brown,
    Down,
    Hangs,
    Well,
}

/// An endpoint: its tier, its number there, and how it does.
#[derive(Clone)]
struct Server {
    asked: Arc<AtomicU64>,
    health: Arc<AtomicU64>,
    nth: usize,
    tier: u8,
}

impl Server {
    fn new(tier: u8, nth: usize) -> Self {
        Self {
            asked: Arc::default(),
            health: Arc::default(),
            nth,
            tier,
        }
    }

    fn set(&self, health: Health) {
        self.health.store(health as u64, Ordering::Relaxed);
    }

    async fn ask(self) -> Result<u8, &'static str> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let is = |health: Health| self.health.load(Ordering::Relaxed) == health as u64;
        if is(Health::Down) {
            return Err("connection refused");
        }
        if is(Health::Hangs) {
            std::future::pending::<()>().await;
        }
        sleep(LATENCY).await;
        if is(Health::Brown) && asked.is_multiple_of(3) {
            return Err("internal error");
        }
        Ok(self.tier)
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
    failed: u64,
    /// When each tier first answered a call.
    first_by_tier: [Option<Duration>; 3],
    most_active: u64,
    most_extra: u64,
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
        fastrand::seed(7);
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
        for server in &self.servers {
            server.set(health(server.tier, server.nth));
        }
        let (before, begun) = (self.asked(|_| true), Instant::now());
        let mut seen = Seen::default();
        let mut calls = JoinSet::new();
        for nth in 0..seconds * rate {
            tokio::time::sleep_until(begun + nth * SECOND / rate).await;
            let pool = self.pool.clone();
            calls.spawn(async move {
                let called = pool.call_idempotent(Server::ask).await;
                (called, begun.elapsed())
            });
            if nth % 16 == 0 {
                let now = self.pool.snapshot();
                seen.most_active = seen.most_active.max(now.active);
                seen.most_extra = seen.most_extra.max(now.extra);
            }
        }
        while let Some(ended) = calls.join_next().await {
            seen.calls += 1;
            match ended.unwrap() {
                (Ok(tier), at) => seen.note(usize::from(tier), at),
                (Err(_), _) => seen.failed += 1,
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

    fn asked(&self, of: impl Fn(&Server) -> bool) -> u64 {
        self.servers
            .iter()
            .filter(|server| of(server))
            .map(|server| server.asked.load(Ordering::Relaxed))
            .sum()
    }
}
