//! R25: a verdict that can change no admission returns without the owner.

use std::future::ready;

use breakerbox::{Breaker, CallError, State, TripPolicy, Window};

use crate::conditions::{Condition, Place, at_once, pass};
use crate::{CONFIG, MILLISECOND, SECOND, rate, slow_rate};

fn succeed(breaker: &Breaker) {
    assert_eq!(at_once(breaker.call(ready(Ok::<_, ()>(1)))), Some(Ok(1)));
}

fn fail(breaker: &Breaker) {
    let failed = at_once(breaker.call(ready(Err::<(), _>("down"))));
    assert_eq!(failed, Some(Err(CallError::Failed("down"))));
}

#[test]
fn r25_no_verdict_of_a_built_in_policy_waits_for_an_owner_that_is_never_polled() {
    for window in [
        Window::fixed(4 * SECOND),
        Window::last(10),
        Window::rolling(4 * SECOND, 4),
        Window::unbounded(),
    ] {
        for policy in [
            TripPolicy::consecutive_failures(3),
            TripPolicy::in_flight(2),
            rate(50, 4),
            slow_rate(50, 4),
        ] {
            let config = CONFIG
                .window(window)
                .trip_on(policy)
                .slow_after(MILLISECOND);
            let place = Place::new(Condition::Undriven, config);
            let _clock = place.enter();
            let breaker = &place.breaker;
            // The breaker's first call, and the first ones after a silence.
            for _ in 0..3 {
                succeed(breaker);
                fail(breaker);
                succeed(breaker);
                breaker.try_acquire().unwrap().ignore();
                let slow = async {
                    pass(MILLISECOND);
                    Ok::<_, ()>(1)
                };
                assert_eq!(at_once(breaker.call(slow)), Some(Ok(1)));
                assert_eq!(breaker.state(), State::Closed, "{window} {policy}");
                pass(60 * SECOND);
            }
        }
    }
}

#[test]
fn r25_only_a_policy_of_the_users_own_is_waited_for() {
    let custom = TripPolicy::custom(|counts| counts.failures >= 2);
    let mut place = Place::new(
        Condition::Undriven,
        CONFIG.trip_on(custom.or(TripPolicy::consecutive_failures(3))),
    );
    let breaker = place.breaker.clone();
    let permits = [(); 5].map(|()| breaker.try_acquire_owned().unwrap());
    let [one, other, success, ignored, third] = permits;
    success.success();
    ignored.ignore();
    assert_eq!(at_once(one.failure()), None, "the policy must judge it");
    drop(other.failure());
    assert_eq!(
        breaker.state(),
        State::Closed,
        "nobody has asked the policy"
    );
    assert_eq!(
        at_once(third.failure()),
        Some(()),
        "three in a row open, whatever the policy says"
    );
    assert_eq!(breaker.state(), State::Open);
    let openings = place.run(async { breaker.snapshot().await.openings });
    assert_eq!(openings, 1, "the policy's word is void by then");
}
