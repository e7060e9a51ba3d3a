//! R25: who is rejected, or waits, leaves a thread to others.

use std::cell::Cell;
use std::future::ready;
use std::rc::Rc;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use breakerbox::{Breaker, BreakerBox, BreakerConfig, Override, State, TripPolicy};
use tokio::task::{LocalSet, spawn_local, yield_now};

use crate::{CONFIG, SECOND};

async fn breaker(config: BreakerConfig) -> (BreakerBox, Breaker) {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", config).await.unwrap();
    (breakers, breaker)
}

#[tokio::test]
async fn r25_a_loop_of_rejected_calls_lets_other_tasks_run() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    breaker.force(Override::forced_open("test")).await.unwrap();
    let tasks = async {
        let has_run = Rc::new(Cell::new(false));
        let other = Rc::clone(&has_run);
        spawn_local(async move { other.set(true) });
        let rejected = async || breaker.call(ready(Ok::<_, ()>(()))).await.is_err();
        for _ in 0..MOST_ROUNDS {
            assert!(rejected().await);
        }
        assert!(has_run.get(), "it never had its turn");
    };
    LocalSet::new().run_until(tasks).await;
}

#[tokio::test(start_paused = true)]
async fn r25_who_is_ready_for_a_half_open_breaker_lets_its_probe_end() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    for _ in 0..3 {
        drop(breaker.try_acquire().unwrap().failure());
    }
    breaker.ready().await;
    assert_eq!(breaker.state(), State::HalfOpen);
    let probe = breaker.try_acquire_owned().unwrap();
    let probing = tokio::spawn(async move {
        for _ in 0..10 {
            yield_now().await;
        }
        // It says nothing, so its place is free again, and no state changes.
        probe.ignore();
    });
    let mut rounds = 0;
    loop {
        breaker.ready().await;
        if breaker.call(ready(Ok::<_, ()>(()))).await.is_ok() {
            break;
        }
        rounds += 1;
        assert!(rounds < MOST_ROUNDS, "it turns and turns");
    }
    probing.await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn r25_who_waits_for_an_open_breaker_waits_until_its_deadline() {
    let (_breakers, breaker) = breaker(CONFIG).await;
    for _ in 0..3 {
        drop(breaker.try_acquire().unwrap().failure());
    }
    let before = tokio::time::Instant::now();
    breaker.ready().await;
    assert_eq!(before.elapsed(), SECOND);
    assert_eq!(breaker.call(ready(Ok::<_, ()>(1))).await, Ok(1));
}

/// Whether the policy below has said that the breaker opens.
static SAID: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r25_an_idle_worker_asks_a_custom_policy_while_another_one_is_blocked() {
    let policy = TripPolicy::custom(|counts| {
        let opens = counts.failures >= 3;
        if opens {
            *SAID.0.lock().unwrap() = true;
            SAID.1.notify_all();
        }
        opens
    });
    let (_breakers, breaker) = breaker(CONFIG.trip_on(policy)).await;
    let callers = tokio::spawn(async move {
        for _ in 0..3 {
            let failed = breaker.run(|| Err::<(), _>("down"));
            assert!(failed.is_err());
        }
        // Blocks this worker, with the owner that was woken from it.
        let (said, told) = &SAID;
        let said = said.lock().unwrap();
        let (said, _) = told
            .wait_timeout_while(said, PATIENCE, |said| !*said)
            .unwrap();
        *said
    });
    assert!(callers.await.unwrap(), "the other worker was idle");
}

const MOST_ROUNDS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(20);
