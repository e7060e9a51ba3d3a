//! The gate at its turns: a deadline, a failing probe, too many in flight.

use breakerbox_core::Override;

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
        let now = clock::now();
        model.path.act(now, |ledger| {
            ledger
                .circuit_mut()
                .force(Override::forced_open("model"), now);
        });
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
