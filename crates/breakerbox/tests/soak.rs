//! Everything at once: all policies under load on threads and tasks, owners that are
//! killed and a runtime that is blocked at random. What must hold: each verdict is
//! counted once, a breaker opens and comes back in time, and memory stays flat.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerBoxSpec, BreakerConfig, Failure, FailureKind, Outcome,
    Permit, Ratio, RejectReason, State, TripPolicy, Window,
};
use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};

/// How many threads call, and how many tasks.
const EACH: usize = 32;

/// Comes back soon, so that it opens often.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::rolling(Duration::from_millis(100), 5))
    .open_for(Backoff::fixed(OPEN_FOR))
    .healthy_span(Duration::from_millis(1))
    .probes(2);

const OPEN_FOR: Duration = Duration::from_millis(5);

fn policies() -> Vec<(&'static str, BreakerConfig)> {
    let half = Ratio::percent(50);
    let run = TripPolicy::consecutive_failures(5);
    let slow = CONFIG.slow_after(Duration::from_micros(200));
    vec![
        ("run", CONFIG.trip_on(run)),
        ("rate", CONFIG.trip_on(TripPolicy::failure_rate(half, 20))),
        (
            "last",
            CONFIG
                .window(Window::last(50))
                .trip_on(TripPolicy::failure_rate(half, 20)),
        ),
        (
            "fixed",
            CONFIG
                .window(Window::fixed(Duration::from_millis(20)))
                .trip_on(run.or(TripPolicy::failure_rate(half, 20))),
        ),
        ("slow", slow.trip_on(TripPolicy::slow_rate(half, 20))),
        ("crowd", CONFIG.trip_on(TripPolicy::in_flight(40))),
        (
            "custom",
            CONFIG.trip_on(TripPolicy::custom(|counts| counts.failures % 64 == 63)),
        ),
    ]
}

/// For how long it goes on; the long run asks for more.
fn span() -> Duration {
    let seconds = std::env::var("BREAKERBOX_SOAK").ok();
    let seconds = seconds.map_or(1, |seconds| seconds.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

#[test]
fn r23_a_soak_balances_and_opens_in_time_and_stays_flat() {
    let app = runtime();
    let breakers = app.block_on(BreakerBox::start("soak")).unwrap();
    let make = |name: &str, config| app.block_on(breakers.breaker(name, config)).unwrap();
    let shared: Vec<_> = policies()
        .into_iter()
        .map(|(name, config)| Account {
            breaker: make(name, config),
            settled: AtomicU64::new(0),
        })
        .collect();
    let shared: Arc<[Account]> = shared.into();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for number in 0..EACH {
        let own = make(
            &format!("own {number}"),
            CONFIG
                .window(Window::unbounded())
                .trip_on(TripPolicy::consecutive_failures(3)),
        );
        let (accounts, is_over) = (Arc::clone(&shared), Arc::clone(&is_over));
        callers.push(thread::spawn(move || {
            let mut rng = Rng::with_seed(number as u64);
            while !is_over.load(Ordering::Relaxed) {
                call(&accounts, &mut rng);
                open_and_come_back(&own);
            }
        }));
    }
    let tasks: Vec<_> = (0..EACH)
        .map(|number| {
            let (accounts, is_over) = (Arc::clone(&shared), Arc::clone(&is_over));
            app.spawn(async move {
                let mut rng = Rng::with_seed(1_000 + number as u64);
                while !is_over.load(Ordering::Relaxed) {
                    call_and_wait(&accounts, &mut rng).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();

    let began = Instant::now();
    let (mut rng, mut warm) = (Rng::with_seed(7), None);
    // Less often than what an owner is given up for.
    let mut kills = vec![0_u64; shared.len()];
    while began.elapsed() < span() {
        let victim = rng.usize(..shared.len());
        if kills[victim] <= began.elapsed().as_secs() / 2 {
            kills[victim] += 1;
            shared[victim].breaker.actor().kill();
        }
        app.spawn(async { thread::sleep(Duration::from_millis(20)) });
        thread::sleep(Duration::from_millis(50));
        if warm.is_none() && began.elapsed() > span() / 3 {
            warm = Some(resident());
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.join().expect("no caller found a promise broken");
    }
    app.block_on(async {
        for task in tasks {
            task.await.expect("no caller found a promise broken");
        }
    });
    for account in shared.iter() {
        account.balance(&app);
    }
    assert!(kills.iter().sum::<u64>() > 0);
    let grown = resident().saturating_sub(warm.unwrap_or_default());
    assert!(grown < 16 << 20, "{grown} bytes more than after a third");
    app.block_on(breakers.shutdown());
}

/// A breaker, and how many verdicts it was given.
struct Account {
    breaker: Breaker,
    settled: AtomicU64,
}

impl Account {
    fn note(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    /// Each verdict is in exactly one of the totals, or late.
    fn balance(&self, app: &Runtime) {
        let snapshot = app.block_on(self.breaker.snapshot());
        let totals = snapshot.totals;
        let counted = totals.successes + totals.failures + totals.ignored + snapshot.late;
        let name = self.breaker.name();
        assert_eq!(snapshot.orphaned, None, "{name} keeps its owner");
        assert_eq!(counted, self.settled.load(Ordering::Relaxed), "of {name}");
    }
}

fn verdict(rng: &mut Rng) -> Outcome {
    match rng.u8(..10) {
        0..5 => Outcome::Success,
        5 => Outcome::Ignored,
        6 => Outcome::failure_of(FailureKind::REFUSED),
        _ => Outcome::failure(),
    }
}

fn call(accounts: &[Account], rng: &mut Rng) {
    let account = rng.choice(accounts).expect("there are some");
    let Ok(permit) = account.breaker.try_acquire() else {
        return;
    };
    match rng.u8(..20) {
        0 => thread::sleep(Duration::from_micros(rng.u64(..500))),
        1 => thread::yield_now(),
        _ => {}
    }
    match rng.u8(..10) {
        // Abandoned.
        0 => drop(permit),
        1 => drop(permit.settle(Failure::new().text("down"))),
        _ => drop(permit.settle(verdict(rng))),
    }
    account.note();
}

async fn call_and_wait(accounts: &[Account], rng: &mut Rng) {
    let account = rng.choice(accounts).expect("there are some");
    let outcome = verdict(rng);
    match rng.u8(..3) {
        0 => {
            let call = account.breaker.call_with(|_| outcome, async {
                tokio::task::yield_now().await;
                Ok::<_, ()>(())
            });
            if call.await.is_ok() {
                account.note();
            }
        }
        1 => {
            if let Ok(permit) = account.breaker.try_acquire() {
                permit.settle(outcome).await;
                account.note();
            }
        }
        _ => {
            if let Ok(permit) = account.breaker.try_acquire_owned() {
                tokio::task::yield_now().await;
                permit.settle(outcome).await;
                account.note();
            }
        }
    }
}

/// Nobody else uses this breaker, so what follows each verdict is certain.
fn open_and_come_back(own: &Breaker) {
    if own.state() != State::Closed {
        return;
    }
    let fail = || drop(own.try_acquire().expect("it is Closed").failure());
    fail();
    fail();
    let before = Instant::now();
    fail();
    while let Err(rejected) = own.try_acquire().map(Permit::success) {
        assert_eq!(rejected.reason(), RejectReason::Open);
        let wait = rejected.retry_after().expect("an opening has an end");
        assert!(wait <= OPEN_FOR && !wait.is_zero(), "{wait:?}");
        thread::sleep(wait);
    }
    // The opening began with the third failure, or later.
    let passed = before.elapsed();
    assert!(passed >= OPEN_FOR, "admitted while Open, after {passed:?}");
    while own.state() == State::HalfOpen {
        own.try_acquire().expect("a place is free").success();
    }
}

/// A name for each host that somebody thinks of.
#[test]
fn r27_names_come_and_go_and_memory_stays_flat() {
    let names = std::env::var("BREAKERBOX_NAMES").ok();
    let names: u32 = names.map_or(20_000, |names| names.parse().expect("a number of names"));
    let app = runtime();
    let spec = BreakerBoxSpec::new("hosts").maximum(100);
    let breakers = app.block_on(spec.start()).unwrap();
    let mut warm = 0;
    for name in 0..names {
        if name == names / 10 {
            warm = resident();
        }
        let made = breakers.breaker_blocking(name.to_string(), CONFIG).unwrap();
        made.try_acquire().unwrap().ignore();
    }
    let grown = resident().saturating_sub(warm);
    assert!(grown < 4 << 20, "{grown} bytes more than after a tenth");
    assert_eq!(app.block_on(breakers.snapshots()).len(), 100);
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Bytes of memory that this process has in use.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says how much is used");
    let pages = statm
        .split(' ')
        .nth(1)
        .expect("the second number is what is resident");
    pages.parse::<u64>().expect("it is a number") * 4_096
}
