//! R20 and R21 under real threads: every short history has an explanation.
//!
//! Threads make calls at random, beside an owner that may be killed, and write
//! down in which order their operations began and ended. Then a search looks for
//! an order of the operations, one at a time, that keeps to the order of those
//! that did not overlap and that a [`Circuit`](breakerbox_core::Circuit) asked
//! call by call answers with the same answers and ends with the same counts.
//!
//! The clock that the operations are written down with is one atomic number, so
//! what ended before it began also happened before it in the sense of the memory
//! model. That is the order which R20 speaks of.

#![cfg(test)]

mod crew;
mod explain;
mod plan;

use std::time::Duration;

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, BreakerMessage, Outcome, Ratio, State, TripPolicy,
    Window,
};
use breakerbox_core::Circuit;
use ractor::rpc::CallResult;
use tokio::time::{Instant, advance};

use crew::Crew;
use explain::{End, explains};
use plan::Start;

const BASE: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .open_for(Backoff::fixed(OPEN_FOR))
    .probes(2);
const OPEN_FOR: Duration = Duration::from_secs(10);
const ROLLING: Window = Window::rolling(Duration::from_secs(60), 6);

const fn run_of(failures: u32) -> TripPolicy {
    TripPolicy::consecutive_failures(failures)
}

const fn rate(percent: u32, min_calls: u32) -> TripPolicy {
    TripPolicy::failure_rate(Ratio::percent(percent), min_calls)
}

#[test]
fn r20_every_history_of_a_run_of_failures_is_one_of_a_circuit() {
    check(
        1,
        &[run_of(1), run_of(2), run_of(3)].map(|trip| BASE.trip_on(trip)),
    );
}

#[test]
fn r20_every_history_of_a_failure_rate_is_one_of_a_circuit() {
    let trips = [
        rate(50, 2),
        rate(60, 3),
        rate(50, 3).or(run_of(3)),
        rate(70, 2),
        rate(100, 2),
    ];
    check(2, &trips.map(|trip| BASE.trip_on(trip)));
}

#[test]
fn r20_every_history_of_the_last_calls_is_one_of_a_circuit() {
    check(
        3,
        &[rate(50, 2), rate(60, 3)].map(|trip| BASE.window(Window::last(3)).trip_on(trip)),
    );
}

#[test]
fn r20_every_history_that_wakes_the_owner_is_one_of_a_circuit() {
    let fixed = Window::fixed(Duration::from_secs(60));
    let wake = BASE.window(ROLLING);
    check(
        4,
        &[
            wake.trip_on(run_of(2)),
            wake.trip_on(rate(50, 3)),
            BASE.window(fixed).trip_on(rate(60, 2)),
        ],
    );
}

#[test]
fn r20_every_history_of_a_custom_policy_and_of_one_probe_is_one_of_a_circuit() {
    let custom = TripPolicy::custom(|counts| counts.failures > counts.successes + 1);
    check_judged_by(Judge::Owner, 5, &[BASE.trip_on(custom)]);
    check(6, &[BASE.trip_on(run_of(2)).probes(1)]);
}

/// Who decides whether a failure opens the breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Judge {
    /// The caller whose failure it is, before its call has ended.
    Caller,
    /// The owner, which asks a custom policy.
    Owner,
}

/// Plays histories with each of the configurations.
fn check(seed: u64, configs: &[BreakerConfig]) {
    check_judged_by(Judge::Caller, seed, configs);
}

fn check_judged_by(judge: Judge, seed: u64, configs: &[BreakerConfig]) {
    let histories = histories() / 5 / configs.len();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let breakers = BreakerBox::start("histories").await.unwrap();
        for (which, config) in configs.iter().enumerate() {
            let breaker = breakers.breaker(which.to_string(), *config).await.unwrap();
            let mut crew = Crew::of_four(&breaker);
            for history in 0..histories {
                let seed = seed << 56 | (which as u64) << 48 | history as u64;
                crew = play(&breaker, judge, crew, seed).await;
            }
        }
    });
}

/// In all tests together.
fn histories() -> usize {
    std::env::var("BREAKERBOX_HISTORIES").map_or(2_000, |histories| histories.parse().unwrap())
}

async fn play(breaker: &Breaker, judge: Judge, crew: Crew, seed: u64) -> Crew {
    let mut rng = fastrand::Rng::with_seed(seed);
    let start = Start::draw(&mut rng);
    let before = prepare(breaker, start).await;
    let programs = plan::draw(&mut rng);
    let killed = programs.iter().flatten().any(plan::Step::is_kill);
    // Tokio lets no paused time pass while something blocks.
    let told = programs.clone();
    let (crew, operations) = tokio::task::spawn_blocking(move || crew.run(told, seed))
        .await
        .unwrap();
    if judge == Judge::Owner {
        owner_has_looked(breaker).await;
    }
    let after = breaker.snapshot().await;
    let end = End::of(after.state, after.counts, after.late - before);
    let now = Instant::now().into_std() + OPEN_FOR;
    let circuit = same_start(breaker, start, now).await;
    assert!(
        explains(&circuit, &operations, now, &end),
        "seed {seed:#x}: from {start:?} {:?}\n{programs:?}\n{operations:#?}\nend in {end:?}",
        breaker.snapshot().await.config,
    );
    if killed {
        // Out of the way of the limit on restarts.
        advance(2 * OPEN_FOR).await;
    }
    crew
}

/// Waits until the owner has judged all that it was asked to.
///
/// A custom policy is asked by the owner, and whoever forgets a failure does not wait
/// for it. The messages that ask the owner to look come before this question, and a
/// new owner looks before it takes any.
async fn owner_has_looked(breaker: &Breaker) {
    loop {
        let asked = breaker.actor().call(BreakerMessage::Inspect, None).await;
        if matches!(asked, Ok(CallResult::Success(_))) {
            return;
        }
        // It was killed with the question in its hands.
        tokio::task::yield_now().await;
    }
}

/// Brings the breaker to its start; returns how many verdicts had come late.
async fn prepare(breaker: &Breaker, start: Start) -> u64 {
    breaker.reset().await.unwrap();
    if start == Start::HalfOpen {
        while let Ok(permit) = breaker.try_acquire() {
            permit.failure().await;
        }
        advance(OPEN_FOR).await;
        assert_eq!(breaker.snapshot().await.state, State::HalfOpen);
    }
    breaker.snapshot().await.late
}

/// The circuit at the same start, which is at `now`.
async fn same_start(breaker: &Breaker, start: Start, now: std::time::Instant) -> Circuit {
    let made = now - OPEN_FOR;
    let mut circuit = Circuit::new(breaker.snapshot().await.config, 1, made).unwrap();
    if start == Start::HalfOpen {
        while let Ok(ticket) = circuit.try_acquire(made) {
            circuit.settle(ticket, Outcome::failure(), made);
        }
    }
    circuit.handle_deadline(now);
    circuit
}
