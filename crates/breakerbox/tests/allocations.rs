//! What a call allocates: nothing.
//!
//! The allocator counts what this thread asks for, so that the owner, which may
//! allocate, is not in the figures. (Counting one is linked in with
//! `allocation_counter`; it is in no other test.)

#![cfg(test)]

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, CallError, Ratio, State, TripPolicy, Window,
};
use tokio::task::unconstrained;

const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::failure_rate(Ratio::percent(50), 100))
    .open_for(Backoff::fixed(Duration::from_secs(3_600)));
const CALLS: usize = 1_000;

async fn breaker(config: BreakerConfig) -> (BreakerBox, Breaker) {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", config).await.unwrap();
    // The first call of a thread gives it a number, and wakes the owner.
    breaker.try_acquire().unwrap().success();
    breaker.snapshot().await;
    (breakers, breaker)
}

/// How often a thousand times `call` allocate.
fn allocations(mut call: impl FnMut()) -> u64 {
    measure(|| (0..CALLS).for_each(|_| call())).count_total
}

/// Runs a future that has nothing to wait for, but for its task's turn.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(unconstrained(future)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(1_u8))), CALLS as u64);
}

#[tokio::test]
async fn in_closed_a_call_that_succeeds_allocates_nothing() {
    let rolling = Window::rolling(Duration::from_secs(3_600), 6);
    for config in [
        CONFIG,
        CONFIG.window(rolling),
        CONFIG.window(Window::last(100)),
    ] {
        let (_box, breaker) = breaker(config).await;
        let two_steps = allocations(|| breaker.try_acquire().unwrap().success());
        let call = allocations(|| {
            at_once(breaker.call(ready(Ok::<_, ()>(())))).unwrap();
        });
        let run = allocations(|| breaker.run(|| Ok::<_, ()>(())).unwrap());
        let dropped = allocations(|| drop(breaker.try_acquire().unwrap()));
        let ignored = allocations(|| breaker.try_acquire().unwrap().ignore());
        assert_eq!((two_steps, call, run, dropped, ignored), (0, 0, 0, 0, 0));
    }
}

#[tokio::test]
async fn in_closed_a_failure_that_need_not_be_heard_allocates_nothing() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(10_000))).await;
    let failure = allocations(|| at_once(breaker.try_acquire().unwrap().failure()));
    let call = allocations(|| {
        at_once(breaker.call(ready(Err::<(), _>("down")))).unwrap_err();
    });
    assert_eq!((failure, call), (0, 0));
    let counts = breaker.snapshot().await.counts;
    assert_eq!(counts.failures, 2 * CALLS as u64);
}

#[tokio::test]
async fn in_closed_a_success_after_a_failure_allocates_nothing() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(3))).await;
    let both = allocations(|| {
        at_once(breaker.try_acquire().unwrap().failure());
        breaker.try_acquire().unwrap().success();
    });
    assert_eq!(both, 0);
}

#[tokio::test]
async fn in_open_a_rejection_allocates_nothing() {
    let (_box, breaker) = breaker(CONFIG.trip_on(TripPolicy::consecutive_failures(1))).await;
    let straggler = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap().failure().await;
    assert_eq!(breaker.state(), State::Open);
    let rejected = allocations(|| {
        let rejected = breaker.try_acquire().unwrap_err();
        assert!(rejected.retry_after().is_some());
    });
    let call = allocations(|| {
        let rejected = at_once(breaker.call(ready(Err::<(), _>("down"))));
        assert!(matches!(rejected, Err(CallError::Rejected(_))));
    });
    let late = measure(|| straggler.success()).count_total;
    assert_eq!((rejected, call, late), (0, 0, 0));
}
