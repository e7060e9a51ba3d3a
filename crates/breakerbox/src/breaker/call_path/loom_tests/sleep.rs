//! Windows that end, beside calls that end.

use super::*;

const FIXED: Window = Window::fixed(Duration::from_secs(1));
const ROLLING: Window = Window::rolling(Duration::from_secs(1), 2);

/// The owner falls asleep while a call of before ends; then it looks again.
///
/// What was folded before it fell asleep may be in the window that is over.
fn sleeps_beside(window: Window, outcome: Outcome) {
    model(move || {
        let model = Model::new(CONFIG.window(window));
        let ticket = model.path.admit().unwrap().ticket(epoch);
        {
            // A call that has left the window again when it empties.
            let mut books = model.books.lock().unwrap();
            books.circuit.admitted(ticket.notice(), epoch());
        }
        model.decide();
        let empty = epoch() + Duration::from_secs(2);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || other.settle_at(0, ticket, outcome, empty));
        model.decide_at(empty);
        thread.join().unwrap();
        model.decide_at(empty + Duration::from_millis(100));
        let (successes, failures, _, late, _) = end(&model);
        let books = model.books.lock().unwrap();
        let totals = books.circuit.totals();
        assert_eq!((totals.successes + totals.failures, late), (1, 0));
        if successes + failures > 0 {
            assert!(books.circuit.next_deadline().is_some(), "it is awake");
            assert_eq!(model.path.standing().wake, Wake::Awake);
        }
    });
}

#[test]
fn r09_a_success_that_ends_as_a_rolling_window_falls_asleep_is_heard() {
    sleeps_beside(ROLLING, Outcome::Success);
}

#[test]
fn r09_a_failure_that_ends_as_a_rolling_window_falls_asleep_is_heard() {
    sleeps_beside(ROLLING, FAILURE);
}

#[test]
fn r09_a_success_that_ends_as_a_fixed_window_falls_asleep_is_heard() {
    sleeps_beside(FIXED, Outcome::Success);
}

#[test]
fn r09_a_failure_that_ends_as_a_fixed_window_falls_asleep_is_heard() {
    sleeps_beside(FIXED, FAILURE);
}

#[test]
fn r04_no_failure_goes_unheard_as_the_fuse_becomes_shorter() {
    model(|| {
        let window = Window::rolling(Duration::from_secs(4), 2);
        let model = Model::new(RATE.window(window));
        for _ in 0..4 {
            model.call(0, Outcome::Success);
        }
        model.decide();
        let gone = epoch() + Duration::from_secs(4);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || {
            for _ in 0..3 {
                let Ok(admitted) = other.path.admit() else {
                    return;
                };
                other.settle_at(1, admitted.ticket(epoch), FAILURE, gone);
            }
            // The successes are out of the window for whoever fails at `gone`.
            assert_eq!(other.path.standing().state, State::Open);
        });
        model.decide_at(gone);
        thread.join().unwrap();
    });
}
