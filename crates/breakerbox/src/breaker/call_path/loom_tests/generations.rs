//! Generations that end, beside calls of theirs that end, and owners that die.

use super::*;

/// Resets, as a command does: catches up, then begins a generation.
fn reset(model: &Model) {
    model.decide();
    {
        let mut books = model.books.lock().unwrap();
        books.act(&model.path, |circuit| circuit.reset(epoch()));
    }
    model.decide();
}

/// A verdict over two changes of generation, beside one of each of the new.
fn straggles(outcome: Outcome) {
    model(move || {
        let model = Model::new(RATE);
        let ticket = model.path.admit().unwrap().ticket(epoch);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || {
            other.settle(0, ticket, outcome);
            other.call(0, Outcome::Success)
        });
        reset(&model);
        reset(&model);
        thread.join().unwrap();
        // In a window that was forgotten, in the last one, or late.
        let (successes, failures, _, late, state) = end(&model);
        assert!(successes + failures + late <= 2);
        assert_eq!((failures, state), (0, State::Closed));
        // The cell counts on from there, and nothing is counted again.
        model.decide();
        let before = end(&model);
        model.call(0, Outcome::Success);
        model.decide();
        let after = end(&model);
        assert_eq!((after.0, after.3), (before.0 + 1, before.3));
    });
}

#[test]
fn r02_a_success_that_straggles_over_two_generations_is_not_in_the_last() {
    straggles(Outcome::Success);
}

#[test]
fn r02_a_failure_that_straggles_over_two_generations_is_not_in_the_last() {
    straggles(FAILURE);
}

#[test]
fn r02_a_cell_that_changes_its_generation_takes_nothing_along() {
    model(|| {
        let model = Model::new(RATE);
        model.call(0, Outcome::Success);
        model.call(0, Outcome::Ignored);
        reset(&model);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || {
            other.call(0, Outcome::Success);
            other.call(0, Outcome::Ignored);
        });
        model.decide();
        let (successes, _, ignored, late, _) = end(&model);
        assert!(successes <= 1 && ignored <= 1);
        assert_eq!(late, 0);
        thread.join().unwrap();
        model.decide();
        assert_eq!(end(&model), (1, 0, 1, 0, State::Closed));
    });
}

#[test]
fn r01_two_places_are_neither_lost_nor_multiplied_as_the_generation_changes() {
    model(|| {
        let model = Model::new(CONFIG.probes(2));
        let mut due = epoch();
        for _ in 0..2 {
            model.call(0, FAILURE);
        }
        let half_open = |model: &Model, due: &mut Instant| {
            *due = model.books.lock().unwrap().circuit.next_deadline().unwrap();
            model.decide_at(*due);
        };
        half_open(&model, &mut due);
        let straggler = model.path.admit().unwrap().ticket(|| due);
        let failing = model.path.admit().unwrap().ticket(|| due);
        assert!(model.path.admit().is_err(), "two are out");
        model
            .books
            .lock()
            .unwrap()
            .circuit
            .admitted(straggler.notice(), due);
        model
            .books
            .lock()
            .unwrap()
            .circuit
            .admitted(failing.notice(), due);
        let other = Arc::clone(&model);
        let first_due = due;
        let thread = thread::spawn(move || {
            other.settle_at(0, straggler, Outcome::Ignored, first_due);
        });
        model.settle_at(1, failing, FAILURE, due);
        half_open(&model, &mut due);
        thread.join().unwrap();
        model.decide_at(due);
        assert_eq!(model.path.standing().state, State::HalfOpen);
        assert_eq!(model.path.standing().places, 2);
    });
}

#[test]
fn r21_an_owner_that_dies_before_it_has_closed_loses_nothing() {
    model(|| {
        let model = Model::new(CONFIG.trip_on(TripPolicy::consecutive_failures(3)));
        model.call(0, FAILURE);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || {
            let ticket = other.path.admit().unwrap().ticket(epoch);
            other.leave(0, ticket, Outcome::Success, epoch());
            let ticket = other.path.admit().unwrap().ticket(epoch);
            other.leave(0, ticket, FAILURE, epoch());
        });
        for _ in 0..2 {
            let ticket = model.path.admit().unwrap().ticket(epoch);
            model.leave(1, ticket, FAILURE, epoch());
            // It enters a report, if there is one, and dies.
            model.judge_or(&mut model.books.lock().unwrap(), |_| ());
        }
        thread.join().unwrap();
        model.decide();
        let (successes, failures, ignored, late, _) = end(&model);
        assert_eq!(successes + failures + ignored + late, 5);
        assert_eq!(failures + late.min(1), 4);
    });
}
