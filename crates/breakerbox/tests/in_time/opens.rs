//! R23: once the verdict that opens it has been settled, nobody is admitted.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakerbox::{
    Backoff, Breaker, BreakerConfig, Outcome, RejectReason, State, TripPolicy, Window,
};
use breakerbox_core::{Circuit, Pace};

use crate::conditions::{Condition, Place};
use crate::{NANOSECOND, rate, slow_rate};

/// A call, by the numbers that a counter gave when it asked and when it had ended.
#[derive(Clone, Copy, Debug)]
struct Call {
    asked: u64,
    ended: u64,
}

/// How each call ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Fails,
    IsAbandoned,
    IsSlow,
}

#[test]
fn r23_no_call_is_admitted_once_the_verdict_that_opens_has_been_settled() {
    let rolling = Window::rolling(HOUR, 6);
    let all_slow = CONFIG.slow_after(NANOSECOND);
    for (config, ending) in [
        (
            CONFIG.trip_on(TripPolicy::consecutive_failures(5)),
            Ending::Fails,
        ),
        (CONFIG.trip_on(rate(50, 20)), Ending::Fails),
        (CONFIG.trip_on(rate(50, 20)).window(rolling), Ending::Fails),
        (
            CONFIG.trip_on(rate(60, 7)).window(Window::last(10)),
            Ending::Fails,
        ),
        (
            CONFIG.abandoned(breakerbox::Abandoned::Failure),
            Ending::IsAbandoned,
        ),
        (all_slow.trip_on(slow_rate(50, 9)), Ending::IsSlow),
        (
            all_slow.trip_on(slow_rate(50, 9)).window(rolling),
            Ending::IsSlow,
        ),
    ] {
        for condition in Condition::ALL {
            for threads in [1, 8, 32] {
                let place = Place::new(condition, config);
                let calls = storm(&place.breaker, threads, ending);
                let what = format!("{config:?} {ending:?} {condition:?} {threads} threads");
                check(&calls, config, ending, threads, &what);
            }
        }
    }
}

/// Lets so many threads call until they are rejected.
fn storm(breaker: &Breaker, threads: usize, ending: Ending) -> Vec<Call> {
    let (counter, begin) = (AtomicU64::new(0), Barrier::new(threads));
    let number = || counter.fetch_add(1, Ordering::SeqCst);
    let caller = || {
        let mut calls = Vec::new();
        begin.wait();
        while calls.len() < MOST_CALLS {
            let asked = number();
            let permit = match breaker.try_acquire() {
                Ok(permit) => permit,
                Err(rejected) => {
                    assert_eq!(rejected.reason(), RejectReason::Open);
                    break;
                }
            };
            match ending {
                Ending::Fails => drop(permit.failure()),
                Ending::IsAbandoned => drop(permit),
                Ending::IsSlow => permit.success(),
            }
            calls.push(Call {
                asked,
                ended: number(),
            });
        }
        calls
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..threads).map(|_| scope.spawn(caller)).collect();
        let calls = callers.into_iter().map(|caller| caller.join().unwrap());
        calls.flatten().collect()
    })
}

/// When as many calls have ended as open a circuit, nobody is admitted any more.
fn check(calls: &[Call], config: BreakerConfig, ending: Ending, threads: usize, what: &str) {
    let needed = calls_that_open(config, ending);
    let mut ends: Vec<_> = calls.iter().map(|call| call.ended).collect();
    ends.sort_unstable();
    assert!(calls.len() < MOST_CALLS, "it never opened: {what}");
    assert!(calls.len() >= needed, "it opened early: {what}");
    assert!(
        calls.len() <= needed + threads,
        "{} of {needed}: {what}",
        calls.len()
    );
    let opened = ends[needed - 1];
    let late = calls.iter().find(|call| call.asked > opened);
    assert!(late.is_none(), "{late:?} asked after {opened}: {what}");
}

/// How many calls that end like this open a circuit.
fn calls_that_open(config: BreakerConfig, ending: Ending) -> usize {
    let now = Instant::now();
    let mut circuit = Circuit::new(config, 1, now).unwrap();
    let (outcome, pace) = match ending {
        Ending::Fails | Ending::IsAbandoned => (Outcome::failure(), Pace::Fast),
        Ending::IsSlow => (Outcome::Success, Pace::Slow),
    };
    let opens = |_: &usize| {
        let ticket = circuit.try_acquire(now).unwrap();
        assert_eq!(circuit.record(ticket, outcome, pace, now), None);
        circuit.state() == State::Open
    };
    (1..).find(opens).unwrap()
}

#[test]
fn r23_the_call_that_is_one_too_many_in_flight_shuts_the_gate_for_good() {
    for condition in Condition::ALL {
        for threads in [1, 8, 32] {
            let limit = 2 * u16::try_from(threads).unwrap() + 1;
            let place = Place::new(condition, CONFIG.trip_on(TripPolicy::in_flight(limit)));
            let breaker = &place.breaker;
            let admitted = AtomicU64::new(0);
            let begin = Barrier::new(threads);
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        begin.wait();
                        let mut held = Vec::new();
                        while let Ok(permit) = breaker.try_acquire() {
                            admitted.fetch_add(1, Ordering::SeqCst);
                            held.push(permit);
                        }
                        // Calls that end make no room in a breaker that is open.
                        for permit in held {
                            permit.success();
                            assert!(breaker.try_acquire().is_err());
                        }
                    });
                }
            });
            assert_eq!(
                admitted.into_inner(),
                limit.into(),
                "{condition:?} {threads}"
            );
            assert_eq!(breaker.state(), State::Open);
        }
    }
}

#[test]
fn r23_a_task_that_never_yields_opens_its_breaker() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let breakers = breakerbox::BreakerBox::start("test").await.unwrap();
        let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
        let admitted = (0..MOST_CALLS).filter(|_| {
            let permit = breaker.try_acquire();
            permit.map(|permit| drop(permit.failure())).is_ok()
        });
        assert_eq!(admitted.count(), 3);
    });
}

/// Open for longer than a test takes on the slowest machine.
const CONFIG: BreakerConfig = crate::CONFIG.open_for(Backoff::fixed(HOUR));
const HOUR: Duration = Duration::from_secs(3_600);
const MOST_CALLS: usize = 20_000;
