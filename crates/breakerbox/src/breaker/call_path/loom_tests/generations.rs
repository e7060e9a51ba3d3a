//! Generations that end, beside calls of theirs that end.

use super::*;

#[test]
fn r02_each_verdict_is_counted_in_exactly_one_of_window_and_late() {
    model(|| {
        let model = Model::new(CONFIG);
        let straggler = model.admit().unwrap();
        let settle = |model: &Model| model.settle(straggler, SUCCESS);
        beside(&model, settle, |model| model.calls(&[FAILURE, FAILURE]));
        let (counts, late, _) = model.end();
        assert_eq!(counts.successes + counts.failures + late, 3);
        assert_eq!(counts.failures, 2);
    });
}

#[test]
fn r02_a_straggling_failure_is_counted_once_too() {
    model(|| {
        let model = Model::new(CONFIG);
        let straggler = model.admit().unwrap();
        let made = Arc::clone(&model);
        let settle = |model: &Model| model.settle(straggler, FAILURE);
        let mut calls = 0;
        beside(&model, settle, |_| calls = made.calls(&[FAILURE, FAILURE]));
        let (counts, late, state) = model.end();
        assert_eq!((counts.failures + late, state), (calls + 1, State::Open));
    });
}

/// A verdict over two changes of generation, and a call of the newest one.
fn straggles(outcome: Outcome) {
    model(move || {
        let model = Model::new(RATE);
        let ticket = model.admit().unwrap();
        let settle = move |model: &Model| {
            model.settle(ticket, outcome);
            model.call(SUCCESS);
        };
        beside(&model, settle, |model| {
            model.reset();
            model.reset();
        });
        let (counts, late, state) = model.end();
        // In a window that was forgotten, in the last one, or late.
        assert!(counts.successes + counts.failures + late <= 2);
        assert_eq!((counts.failures, state), (0, State::Closed));
        // The cell counts on from there, and nothing is counted again.
        let (before, late_before, _) = model.end();
        model.call(SUCCESS);
        let (after, late_after, _) = model.end();
        assert_eq!(after.successes, before.successes + 1);
        assert_eq!(late_after, late_before);
    });
}

#[test]
fn r02_a_success_that_straggles_over_two_generations_is_not_in_the_last() {
    straggles(SUCCESS);
}

#[test]
fn r02_a_failure_that_straggles_over_two_generations_is_not_in_the_last() {
    straggles(FAILURE);
}

#[test]
fn r02_a_cell_that_changes_its_generation_takes_nothing_along() {
    model(|| {
        let model = Model::new(RATE);
        // On the other thread, whose cell changes beside a reading.
        let first = |model: &Model| {
            model.calls(&[SUCCESS, SUCCESS, IGNORED]);
        };
        beside(&model, first, |_| ());
        model.reset();
        let again = |model: &Model| model.calls(&[SUCCESS, IGNORED]);
        beside(&model, again, |model| {
            let (counts, late, _) = model.end();
            assert!(counts.successes <= 1 && counts.ignored <= 1, "{counts:?}");
            assert_eq!(late, 0);
        });
        let (counts, late, _) = model.end();
        assert_eq!((counts.successes, counts.ignored, late), (1, 1, 0));
    });
}

#[test]
fn r02_a_call_that_the_gate_admits_in_a_new_generation_is_never_late() {
    model(|| {
        let model = Model::new(RATE);
        let call = |model: &Model| {
            let ticket = model.admit().unwrap();
            let is_new = ticket.generation().number() == 2;
            model.settle(ticket, SUCCESS);
            is_new
        };
        let is_new = beside(&model, call, Model::reset);
        let (counts, late, _) = model.end();
        assert!(counts.successes + late <= 1);
        if is_new {
            assert_eq!((counts.successes, late), (1, 0));
        }
    });
}

#[test]
fn r02_a_probe_of_a_new_generation_is_never_late() {
    model(|| {
        let model = Model::due(CONFIG.probes(2));
        let late = model.end().1;
        let probe = |model: &Model| model.call(SUCCESS);
        beside(&model, probe, |model| model.call(SUCCESS));
        let (_, late_now, state) = model.end();
        assert_eq!((late_now, state), (late, State::Closed));
    });
}

#[test]
fn r02_a_straggler_neither_ends_a_run_of_the_next_generation_nor_counts_in_it() {
    for outcome in [SUCCESS, FAILURE] {
        model(move || {
            let model = Model::new(CONFIG.trip_on(TripPolicy::consecutive_failures(3)));
            model.call(FAILURE);
            let straggler = model.admit().unwrap();
            let settle = move |model: &Model| model.settle(straggler, outcome);
            beside(&model, settle, |model| {
                model.reset();
                model.calls(&[FAILURE, FAILURE]);
            });
            let (counts, _, state) = model.end();
            assert_eq!((counts.consecutive_failures, state), (2, State::Closed));
            model.call(FAILURE);
            assert_eq!(model.end().2, State::Open);
        });
    }
}

#[test]
fn r02_a_straggler_takes_nothing_away_from_the_calls_of_its_thread() {
    for outcome in [SUCCESS, IGNORED] {
        model(move || {
            let model = Model::new(RATE);
            let straggler = model.admit().unwrap();
            model.reset();
            model.call(SUCCESS);
            model.settle(straggler, outcome);
            let (counts, late, _) = model.end();
            assert_eq!((counts.successes, late), (1, 1), "{outcome:?}");
        });
    }
}

#[test]
fn r10_a_run_that_ends_late_says_nothing_of_the_next_generation() {
    model(|| {
        let model = Model::new(RATE);
        let two = |model: &Model| model.calls(&[SUCCESS, FAILURE]);
        beside(&model, two, |_| ());
        let straggler = model.admit().unwrap();
        let settle = |model: &Model| model.settle(straggler, SUCCESS);
        beside(&model, settle, |model| {
            model.reset();
            model.calls(&[SUCCESS, SUCCESS]);
        });
        assert_eq!(model.end().0.consecutive_successes, 2);
    });
}

/// A call of the second generation has seen what its caller did who began it.
fn begins_with_what_led_to_it(config: BreakerConfig) {
    model(move || {
        let model = Model::new(config);
        let admit = |model: &Model| {
            let ticket = model.admit().unwrap();
            let is_old = ticket.generation().number() < 2;
            assert!(is_old || model.sees_deed());
        };
        beside(&model, admit, |model| {
            model.do_deed();
            model.reset();
        });
    });
}

#[test]
fn r20_whoever_is_admitted_at_a_glance_has_seen_what_began_the_generation() {
    begins_with_what_led_to_it(RATE);
}

#[test]
fn r20_whoever_is_admitted_by_rule_has_seen_what_began_the_generation() {
    // A call is timed, so one look at the word does not do.
    begins_with_what_led_to_it(RATE.slow_after(Duration::from_secs(1)));
}

#[test]
fn r20_whoever_comes_too_late_for_a_place_has_seen_what_began_the_generation() {
    model(|| {
        let model = Model::due(CONFIG.probes(1));
        let recover = |model: &Model| {
            model.do_deed();
            model.call(SUCCESS);
        };
        beside(&model, recover, |model| {
            let ticket = model.admit();
            let is_plain = ticket.is_some_and(|ticket| !ticket.is_probe());
            assert!(!is_plain || model.sees_deed());
        });
    });
}

#[test]
fn r20_whoever_sees_a_state_has_seen_what_led_to_it() {
    model(|| {
        let model = Model::new(CONFIG);
        let look = |model: &Model| {
            let is_open = model.state() == State::Open;
            assert!(!is_open || model.sees_deed());
        };
        beside(&model, look, |model| {
            model.do_deed();
            model.calls(&[FAILURE, FAILURE])
        });
    });
}

#[test]
fn r01_places_are_neither_lost_nor_multiplied_as_the_generation_changes() {
    model(|| {
        let model = Model::due(CONFIG.probes(2));
        let straggler = model.admit().unwrap();
        let failing = model.admit().unwrap();
        assert!(model.admit().is_none(), "two are out");
        let settle = |model: &Model| model.settle(straggler, IGNORED);
        beside(&model, settle, |model| {
            model.settle(failing, FAILURE);
            // The other one goes by either time.
            clock::set(OPEN_FOR * 2);
            model.state()
        });
        let standing = model.path.standing(|_| ());
        assert_eq!((standing.state, standing.places), (State::HalfOpen, 2));
    });
}
