//! R23 and R09 across windows that nobody but callers moves on.

use std::time::Duration;

use breakerbox::{Breaker, Outcome, State, TripPolicy, Window};
use breakerbox_core::{Circuit, Pace};
use tokio::time::Instant;

use crate::conditions::{Condition, Place, pass};
use crate::{CONFIG, MILLISECOND, NANOSECOND, SECOND, rate, slow_rate};

const SIGNALS: [TripPolicy; 3] = [
    TripPolicy::consecutive_failures(3),
    rate(60, 4),
    slow_rate(60, 4),
];

fn windows() -> [Window; 4] {
    [
        Window::fixed(4 * SECOND),
        Window::last(6),
        Window::rolling(4 * SECOND, 4),
        Window::unbounded(),
    ]
}

/// A breaker whose owner is never polled, and a circuit, which are told the same.
struct Twins<'a> {
    breaker: &'a Breaker,
    circuit: Circuit,
}

impl Twins<'_> {
    fn call(&mut self, outcome: Outcome, pace: Pace) {
        let permit = self.breaker.try_acquire();
        if pace == Pace::Slow && permit.is_ok() {
            pass(SLOW);
        }
        // Where the owner has no turn, a call begins a window by its verdict.
        let ticket = self.circuit.try_acquire(now());
        assert_eq!(permit.is_ok(), ticket.is_ok());
        let (Ok(permit), Ok(ticket)) = (permit, ticket) else {
            return;
        };
        let question = self.circuit.record(ticket, outcome, pace, now());
        assert_eq!(question, None, "there is no custom policy");
        drop(permit.settle(outcome));
        assert_eq!(self.breaker.state(), self.circuit.state());
    }

    /// Fast successes and ignored calls are left out: they are folded without a time,
    /// and the test below has the rule for it.
    fn step(&mut self, rng: &mut fastrand::Rng) {
        match rng.u8(..8) {
            0 => pass(SECOND / 4 * rng.u32(1..24)),
            1 => {
                let due = self.circuit.next_deadline().unwrap_or_else(now);
                pass(due.saturating_duration_since(now()));
            }
            2 => self.call(Outcome::Success, Pace::Slow),
            3 => self.call(Outcome::failure(), Pace::Slow),
            _ => self.call(Outcome::failure(), Pace::Fast),
        }
        self.circuit.handle_deadline(now());
    }
}

#[test]
fn r23_each_signal_opens_in_each_window_though_the_owner_is_never_polled() {
    for window in windows() {
        for signal in SIGNALS {
            let config = CONFIG.window(window).trip_on(signal).slow_after(SLOW);
            let mut openings = 0;
            for seed in 0..60 {
                let place = Place::new(Condition::Undriven, config);
                let _clock = place.enter();
                let circuit = Circuit::new(config, 1, now()).unwrap();
                let mut twins = Twins {
                    breaker: &place.breaker,
                    circuit,
                };
                let mut rng = fastrand::Rng::with_seed(seed);
                for _ in 0..60 {
                    twins.step(&mut rng);
                }
                openings += twins.circuit.generation().number() - 1;
            }
            assert!(openings > 0, "{window} {signal} never opened");
        }
    }
}

#[test]
fn r09_successes_past_a_windows_end_keep_a_healthy_breaker_closed() {
    let half = CONFIG.trip_on(rate(50, 4));
    let fixed = half.window(Window::fixed(4 * SECOND));
    let rolling = half.window(Window::rolling(4 * SECOND, 4));
    for (config, before, after) in [
        // Failures of the window that is over are forgotten with it.
        (fixed, (0, 3), (0, 3)),
        (fixed, (1_000, 3), (1, 1)),
        (fixed, (0, 0), (99, 1)),
        (rolling, (0, 3), (0, 3)),
        (rolling, (0, 0), (99, 1)),
    ] {
        let place = Place::new(Condition::Undriven, config);
        let _clock = place.enter();
        let breaker = &place.breaker;
        // A call begins the window.
        breaker.try_acquire().unwrap().ignore();
        make(breaker, before);
        for window in 1..=3 {
            pass(4 * SECOND);
            make(breaker, after);
            assert_eq!(breaker.state(), State::Closed, "{config:?} window {window}");
        }
        make(breaker, (0, 4));
        pass(NANOSECOND);
        let opens = after.0 < 4;
        assert_eq!(
            breaker.state() == State::Open,
            opens,
            "{config:?} {after:?}"
        );
    }
}

/// Makes so many calls that succeed, then so many that fail.
fn make(breaker: &Breaker, (succeed, fail): (usize, usize)) {
    for _ in 0..succeed {
        breaker.try_acquire().unwrap().success();
    }
    for _ in 0..fail {
        // The last ones may find it open.
        drop(breaker.try_acquire().map(breakerbox::Permit::failure));
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

const SLOW: Duration = MILLISECOND;
