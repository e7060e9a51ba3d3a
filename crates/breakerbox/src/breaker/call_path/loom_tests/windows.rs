//! Windows that end, beside calls that end.

use super::*;

const FIXED: Window = Window::fixed(Duration::from_secs(1));
const ROLLING: Window = Window::rolling(Duration::from_secs(1), 2);
const EMPTY: Duration = Duration::from_secs(2);

#[test]
fn r09_the_first_verdict_after_a_silence_begins_the_window() {
    model(|| {
        let model = Model::new(RATE.window(ROLLING));
        let succeed = |model: &Model| model.call(SUCCESS);
        beside(&model, succeed, succeed);
        assert_eq!(model.end().0.successes, 2);
        let due = model.path.inspect(Circuit::next_deadline);
        assert!(due.is_some(), "it is awake");
    });
}

/// The window falls asleep while a call from before it ends; the owner looks again.
///
/// What was folded before it fell asleep may be in the window that is over.
fn sleeps_beside(window: Window, outcome: Outcome) {
    model(move || {
        let model = Model::new(CONFIG.window(window));
        let ticket = model.admit().unwrap();
        model.end();
        clock::set(EMPTY);
        let settle = move |model: &Model| model.settle(ticket, outcome);
        beside(&model, settle, |model| model.end());
        clock::set(EMPTY + Duration::from_millis(100));
        let (counts, late, _) = model.end();
        let totals = model.path.inspect(Circuit::totals);
        assert_eq!((totals.successes + totals.failures, late), (1, 0));
        if counts.successes + counts.failures > 0 {
            let due = model.path.inspect(Circuit::next_deadline);
            assert!(due.is_some(), "it is awake");
        }
    });
}

#[test]
fn r09_a_success_that_ends_as_a_rolling_window_falls_asleep_is_found() {
    sleeps_beside(ROLLING, SUCCESS);
}

#[test]
fn r09_a_failure_that_ends_as_a_rolling_window_falls_asleep_is_found() {
    sleeps_beside(ROLLING, FAILURE);
}

#[test]
fn r09_a_success_that_ends_as_a_fixed_window_falls_asleep_is_found() {
    sleeps_beside(FIXED, SUCCESS);
}

#[test]
fn r09_a_failure_that_ends_as_a_fixed_window_falls_asleep_is_found() {
    sleeps_beside(FIXED, FAILURE);
}

#[test]
fn r09_a_verdict_that_comes_while_the_window_sleeps_begins_the_next_one() {
    for outcome in [SUCCESS, FAILURE, IGNORED] {
        model(move || {
            let model = Model::new(CONFIG.window(FIXED));
            let ticket = model.admit().unwrap();
            clock::set(EMPTY);
            model.end();
            model.settle(ticket, outcome);
            // Nobody has looked since.
            let due = model.path.inspect(Circuit::next_deadline);
            assert!(due.is_some(), "{outcome:?}");
        });
    }
}

#[test]
fn r09_whoever_begins_a_window_asks_the_owner_to_end_it() {
    model(|| {
        let model = Model::new(CONFIG.window(ROLLING));
        let succeed = |model: &Model| model.call(SUCCESS);
        beside(&model, succeed, succeed);
        assert_eq!(model.messages.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn r09_a_failure_that_comes_as_its_window_is_over_counts_in_the_next() {
    model(|| {
        // Fuses of another length, so that no word is the same as the one before.
        let rate = |of| CONFIG.trip_on(TripPolicy::failure_rate(Ratio::percent(50), of));
        let model = Model::new(rate(9));
        let ticket = model.admit().unwrap();
        let fail = |model: &Model| {
            let now = clock::now();
            model.settle(ticket, FAILURE);
            now
        };
        let mut over = clock::now();
        let failed_at = beside(&model, fail, |model| {
            let timed = rate(12).window(FIXED);
            model.path.reconfigure(timed, over).unwrap();
            // The other one has read the clock, or fails when the window is over.
            clock::set(Duration::from_secs(1));
            over = clock::now();
        });
        if failed_at == over {
            assert_eq!(model.end().0.failures, 1, "it is of the next window");
        }
    });
}

#[test]
fn r09_falling_asleep_plans_a_second_look() {
    model(|| {
        let model = Model::new(CONFIG.window(ROLLING));
        model.call(SUCCESS);
        // It is in the window, and leaves it.
        model.end();
        clock::set(EMPTY);
        let succeed = |model: &Model| model.call(SUCCESS);
        beside(&model, succeed, |model| {
            model.end();
            let (due, _) = model.path.end_look();
            assert!(
                due.is_some(),
                "for a success that was being counted meanwhile"
            );
        });
    });
}

#[test]
fn r04_no_failure_goes_unjudged_as_the_fuse_becomes_shorter() {
    model(|| {
        let window = Window::rolling(Duration::from_secs(4), 2);
        let model = Model::new(RATE.window(window));
        model.calls(&[SUCCESS, SUCCESS, SUCCESS, SUCCESS]);
        model.end();
        clock::set(Duration::from_secs(4));
        // The successes have left the window for whoever fails now, but one that
        // was not taken in may be counted as new.
        let fail = |model: &Model| model.calls(&[FAILURE, FAILURE, FAILURE]);
        beside(&model, fail, |model| model.end());
        assert_eq!(model.end().2, State::Open);
    });
}
