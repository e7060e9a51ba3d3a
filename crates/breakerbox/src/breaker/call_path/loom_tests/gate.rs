//! The gate at its turns: a deadline, a failing probe, too many in flight.

use breakerbox_core::{Override, Role};

use super::*;

#[test]
fn r24_at_the_deadline_as_many_probes_are_admitted_as_there_are_places() {
    for places in [1, 2] {
        model(move || {
            let model = Model::due(CONFIG.probes(places));
            let mut own = None;
            let other = beside(&model, Model::admit, |model| own = model.admit());
            let admitted = [&own, &other].into_iter().flatten();
            assert_eq!(admitted.count(), places.into());
            assert!([own, other].into_iter().flatten().all(|it| it.is_probe()));
        });
    }
}

#[test]
fn r01_no_place_is_given_out_twice_as_the_ledger_hears_of_another_one() {
    model(|| {
        let model = Model::due(CONFIG.probes(2));
        let _turned = model.state();
        let mut own = Vec::new();
        let other = beside(&model, Model::admit, |model| {
            own = vec![model.admit(), model.admit()];
        });
        assert_eq!(own.into_iter().flatten().chain(other).count(), 2);
    });
}

#[test]
fn r01_a_place_that_comes_back_is_given_out_again_and_no_other() {
    model(|| {
        let model = Model::due(CONFIG.probes(1));
        let ignore = |model: &Model| model.call(IGNORED);
        let mut own = 0;
        let other = beside(&model, ignore, |model| own = ignore(model));
        assert!(own + other >= 1, "a place that came back was lost");
        assert_eq!(model.path.standing(|_| ()).places, 1);
    });
}

#[test]
fn r23_nobody_is_admitted_once_a_probe_has_failed() {
    model(|| {
        let model = Model::due(CONFIG.probes(2));
        let fail = |model: &Model| {
            if let Some(probe) = model.admit().filter(PackedTicket::is_probe) {
                model.settle(probe, FAILURE);
                assert!(model.admit().is_none(), "a probe has failed");
            }
        };
        beside(&model, fail, fail);
        assert_eq!(model.state(), State::Open);
    });
}

#[test]
fn r24_a_deadline_that_two_callers_meet_passes_once() {
    model(|| {
        let model = Model::due(CONFIG.probes(1));
        let fail = |model: &Model| model.call(FAILURE);
        beside(&model, fail, fail);
        let (_, _, state) = model.end();
        let generation = model.path.inspect(|circuit| circuit.generation().number());
        // Closed, Open, HalfOpen, Open: nobody turned the second opening.
        assert_eq!((state, generation), (State::Open, 4));
    });
}

#[test]
fn r24_the_next_deadline_after_a_failed_probe_passes_too() {
    model(|| {
        let model = Model::due(CONFIG.probes(1));
        model.call(FAILURE);
        clock::set(OPEN_FOR * 2);
        let mut own = None;
        let other = beside(&model, Model::admit, |model| own = model.admit());
        assert_eq!(own.into_iter().chain(other).count(), 1);
    });
}

#[test]
fn r24_a_deadline_that_passed_under_an_override_lets_one_probe_in_once_it_ends() {
    model(|| {
        let model = Model::due(CONFIG.probes(1));
        let forced = Override::forced_open("model");
        overrule(&model, move |circuit, now| circuit.force(forced, now));
        let other = beside(&model, Model::admit, |model| {
            overrule(model, Circuit::release);
        });
        assert_eq!(other.into_iter().chain(model.admit()).count(), 1);
    });
}

fn overrule(model: &Model, command: impl FnOnce(&mut Circuit, Instant)) {
    let now = clock::now();
    model
        .path
        .act(now, |ledger| command(ledger.circuit_mut(), now));
}

/// A command beside the first call at a deadline: the call is admitted in one of
/// the generations that there have been, or rejected by what the command says.
fn turns_beside(command: fn(&Model), rejects: bool) {
    model(move || {
        let model = Model::due(CONFIG.probes(1));
        let admitted = beside(&model, Model::admit, command);
        assert!(admitted.is_some() || rejects);
        let generation = model.path.inspect(Circuit::generation);
        let standing = model.path.standing(|_| ());
        assert_eq!(
            standing.generation, generation,
            "the gate follows the ledger"
        );
        if let Some(probe) = admitted {
            let late = model.end().1;
            let is_late = probe.generation() != generation;
            model.settle(probe, SUCCESS);
            assert_eq!(model.end().1, late + u64::from(is_late));
        }
    });
}

#[test]
fn r24_a_deadline_passes_beside_a_reset() {
    turns_beside(Model::reset, false);
}

#[test]
fn r24_a_deadline_passes_beside_an_override() {
    let force = |model: &Model| {
        let forced = Override::forced_open("model");
        overrule(model, |circuit, now| circuit.force(forced, now));
        assert!(model.admit().is_none(), "it is forced open");
    };
    turns_beside(force, true);
}

#[test]
fn r24_a_deadline_passes_beside_a_reconfiguration() {
    let reconfigure = |model: &Model| {
        let config = CONFIG
            .probes(1)
            .trip_on(TripPolicy::consecutive_failures(3));
        model.path.reconfigure(config, clock::now()).unwrap();
    };
    turns_beside(reconfigure, false);
}

const FEW: BreakerConfig = CONFIG.trip_on(TripPolicy::in_flight(2));

#[test]
fn r04_nobody_is_admitted_beside_too_many_in_flight_however_many_end() {
    model(|| {
        let model = Model::new(FEW);
        let first = model.admit().unwrap();
        let last = |model: &Model| {
            let admitted = model.admit();
            let is_open = model.admit().is_none();
            (admitted, is_open)
        };
        let (admitted, is_open) = beside(&model, last, |model| {
            model.settle(first, SUCCESS);
        });
        assert!(admitted.is_some(), "it makes two in flight at most");
        // The first call ended before the other was admitted, or it was one too many.
        let state = model.state();
        assert!(is_open || state == State::Open || model.end().0.successes == 1);
        if state == State::Open {
            assert!(model.admit().is_none());
        }
    });
}

#[test]
fn r04_two_calls_at_once_are_as_many_in_flight() {
    model(|| {
        let model = Model::new(FEW);
        let mut own = None;
        let other = beside(&model, Model::admit, |model| own = model.admit());
        assert!(own.is_some() && other.is_some());
        assert!(model.admit().is_none(), "two are in flight");
        assert_eq!(model.state(), State::Open);
        for ticket in [own, other].into_iter().flatten() {
            model.settle(ticket, SUCCESS);
            assert!(model.admit().is_none());
        }
    });
}

#[test]
fn r17_a_limit_that_comes_beside_admissions_counts_what_it_has_seen() {
    model(|| {
        let model = Model::new(CONFIG);
        let limit = |model: &Model| model.path.reconfigure(FEW, clock::now()).unwrap();
        let mut own = None;
        beside(&model, limit, |model| own = model.admit());
        let own = own.expect("one call is not too many");
        // One that was admitted before the limit came is not counted.
        let counted = own.notice().holds_place();
        assert!(model.admit().is_some());
        assert_eq!(model.admit().is_none(), counted);
        assert_eq!(model.state(), State::Open, "two have been counted");
    });
}

fn is_last(ticket: &PackedTicket) -> bool {
    ticket.notice().role() == Role::Last
}

#[test]
fn r04_the_call_that_reaches_the_limit_opens_the_breaker_before_it_begins() {
    model(|| {
        let model = Model::new(FEW);
        let first = model.admit().unwrap();
        let admit = |model: &Model| {
            let ticket = model.admit().unwrap();
            // Read as it stands: nobody has cleaned up after the call.
            let state = model.path.inspect(Circuit::state);
            assert!(!is_last(&ticket) || state == State::Open);
        };
        beside(&model, admit, |model| model.settle(first, SUCCESS));
    });
}

#[test]
fn r04_whoever_is_rejected_beside_the_call_that_is_one_too_many_finds_it_open() {
    model(|| {
        let model = Model::new(FEW);
        let _first = model.admit().unwrap();
        let admit = |model: &Model| {
            let is_admitted = model.admit().is_some();
            assert!(is_admitted || model.state() == State::Open);
        };
        beside(&model, admit, admit);
    });
}

#[test]
fn r04_a_call_that_ends_mends_no_gate_that_was_cut() {
    model(|| {
        let model = Model::new(FEW);
        let first = model.admit().unwrap();
        let mut own = Vec::new();
        let other = beside(&model, Model::admit, |model| {
            model.settle(first, SUCCESS);
            own = vec![model.admit(), model.admit()];
        });
        // The second of them is one too many, or already the first.
        assert!(own.into_iter().flatten().chain(other).count() <= 2);
    });
}

#[test]
fn r04_a_call_beside_an_opening_is_counted_or_rejected() {
    model(|| {
        let either = TripPolicy::in_flight(2).or(TripPolicy::consecutive_failures(1));
        let model = Model::new(CONFIG.trip_on(either));
        let first = model.admit().unwrap();
        let admitted = beside(&model, Model::admit, |model| {
            model.settle(first, FAILURE);
        });
        assert!(admitted.is_none_or(|ticket| ticket.notice().holds_place()));
    });
}

#[test]
fn r20_whoever_takes_a_place_has_seen_the_verdict_of_who_gave_it_back() {
    model(|| {
        let model = Model::new(FEW);
        let take = |model: &Model| {
            let ticket = model.admit().unwrap();
            (is_last(&ticket), model.end().0.successes)
        };
        let mut met = false;
        let (is_last, successes) = beside(&model, take, |model| {
            let ticket = model.admit();
            met = ticket.as_ref().is_none_or(self::is_last);
            ticket.map(|ticket| model.settle(ticket, SUCCESS));
        });
        // They did not meet, and the other call has not ended: it came later.
        if !met && !is_last {
            assert_eq!(successes, 1);
        }
    });
}

#[test]
fn r20_whoever_finds_the_gate_cut_has_seen_what_led_to_it() {
    model(|| {
        let model = Model::new(FEW);
        let _first = model.admit().unwrap();
        let look = |model: &Model| {
            let is_open = model.end().2 == State::Open;
            assert!(!is_open || model.sees_deed());
        };
        beside(&model, look, |model| {
            model.do_deed();
            model.admit()
        });
    });
}

#[test]
fn r17_calls_in_flight_stay_counted_as_their_limit_changes() {
    model(|| {
        let model = Model::new(FEW);
        let _first = model.admit().unwrap();
        let mut own = Vec::new();
        let other = beside(&model, Model::admit, |model| {
            let three = CONFIG.trip_on(TripPolicy::in_flight(3));
            model.path.reconfigure(three, clock::now()).unwrap();
            own = vec![model.admit(), model.admit()];
        });
        assert!(own.into_iter().flatten().chain(other).count() <= 2);
    });
}

#[test]
fn r17_a_limit_that_comes_as_a_call_of_a_former_one_ends_is_kept() {
    model(|| {
        let model = Model::new(FEW);
        let now = clock::now();
        let first = model.admit().unwrap();
        model.path.reconfigure(CONFIG, now).unwrap();
        let settle = |model: &Model| model.settle(first, SUCCESS);
        beside(&model, settle, |model| model.path.reconfigure(FEW, now));
        assert!(model.admit().is_some());
        assert!(model.admit().is_some(), "it makes two in flight");
        assert!(model.admit().is_none());
    });
}
