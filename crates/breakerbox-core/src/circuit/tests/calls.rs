use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::Abandoned;

#[test]
fn r02_every_change_of_state_begins_a_generation_and_reports_it_once() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    bench.calls(&[SUCCESS, SUCCESS]);
    bench.circuit.reset(bench.now);
    let began: Vec<_> = bench
        .changes()
        .iter()
        .map(|change| change.generation.number())
        .collect();
    assert_eq!(began, [4, 5]);
    assert_eq!(bench.circuit.generation().number(), 5);
}

#[test]
fn r02_a_late_verdict_changes_late_and_nothing_else() {
    for state in [Closed, HalfOpen, Open] {
        for outcome in [SUCCESS, FAILURE, IGNORED, Outcome::failure_after(MINUTE)] {
            let (mut bench, _ticket, old) = Bench::in_state(state);
            let mut expected = bench.circuit.clone();
            expected.late += 1;
            bench.settle(old, outcome);
            assert_eq!(format!("{:?}", bench.circuit), format!("{expected:?}"));
        }
    }
}

#[test]
fn r02_a_straggler_of_the_outage_neither_closes_nor_opens_the_recovery() {
    let mut bench = Bench::new(TWO_IN_ROW);
    let stragglers = [bench.acquire(), bench.acquire(), bench.acquire()];
    bench.calls(&[FAILURE, FAILURE]);
    bench.pass_to_deadline();
    for (straggler, outcome) in stragglers.into_iter().zip([SUCCESS, SUCCESS, FAILURE]) {
        bench.settle(straggler, outcome);
    }
    assert_eq!(bench.circuit.state(), HalfOpen);
    assert_eq!((bench.counts(), bench.circuit.late()), ([0; 5], 3));
}

#[test]
fn r03_an_abandoned_call_counts_as_it_is_configured() {
    let limited = Abandoned::FailureAfter(SECOND);
    for (abandoned, ran, counts_as) in [
        (Abandoned::Ignored, HOUR, IGNORED),
        (Abandoned::Failure, Duration::ZERO, FAILURE),
        (limited, SECOND - NANOSECOND, IGNORED),
        (limited, SECOND, FAILURE),
    ] {
        assert_eq!(abandoned.outcome(ran), counts_as, "{abandoned:?} {ran:?}");
    }
}

#[test]
fn r04_the_nth_failure_in_a_row_opens_and_is_its_own_evidence() {
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(TripPolicy::consecutive_failures(3)));
    bench.calls(&[FAILURE, FAILURE, SUCCESS, FAILURE, IGNORED, FAILURE]);
    assert_eq!(bench.circuit.state(), Closed);
    bench.call(FAILURE);
    let change = bench.changes().remove(0);
    assert_eq!(
        change.reason,
        Reason::Tripped(TripReason::ConsecutiveFailures)
    );
    assert_eq!(
        (
            change.evidence.failures,
            change.evidence.consecutive_failures
        ),
        (5, 3)
    );
}

#[test]
fn r04_the_policy_is_asked_of_failures_in_closed_and_of_nothing_else() {
    let only_failures = TripPolicy::custom(|counts| {
        assert!(counts.consecutive_failures > 0, "asked of {counts:?}");
        counts.failures >= 2
    });
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(only_failures));
    bench.calls(&[SUCCESS, IGNORED, FAILURE, IGNORED, SUCCESS, FAILURE]);
    assert_eq!(bench.circuit.state(), Open);

    let never = TWO_IN_ROW.trip_on(TripPolicy::custom(|_| panic!("asked outside of Closed")));
    bench.reconfigure(never);
    bench.force(Override::forced_closed("test"));
    bench.call(FAILURE);
    bench.pass_to_deadline();
    let plain = [bench.acquire(), bench.acquire(), bench.acquire()];
    for ticket in plain.into_iter().rev() {
        bench.settle(ticket, FAILURE);
    }
    assert_eq!(bench.circuit.state(), Open);
}

#[test]
fn r04_a_success_never_opens_though_it_completes_the_calls_of_a_rate() {
    let half = TripPolicy::failure_rate(Ratio::percent(50), 4);
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(half));
    bench.calls(&[FAILURE, FAILURE, FAILURE, SUCCESS]);
    assert_eq!(bench.circuit.state(), Closed);
    bench.call(FAILURE);
    assert_eq!(bench.circuit.state(), Open);
}

#[test]
fn r04_calls_in_flight_and_ignored_ones_thin_out_no_rate() {
    let half = TripPolicy::failure_rate(Ratio::percent(50), 4);
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(half));
    let _in_flight: Vec<_> = (0..100).map(|_| bench.acquire()).collect();
    bench.calls(&[IGNORED; 100]);
    bench.calls(&[SUCCESS, FAILURE, SUCCESS, FAILURE]);
    assert_eq!(
        bench.changes()[0].reason,
        Reason::Tripped(TripReason::FailureRate)
    );
}

#[test]
fn r04_a_policy_that_panics_leaves_a_whole_circuit_with_its_failure_counted() {
    let moody = TripPolicy::custom(|counts| match counts.failures {
        2 => panic!("a policy of the user's own"),
        failures => failures == 3,
    });
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(moody));
    bench.call(FAILURE);
    let second = catch_unwind(AssertUnwindSafe(|| bench.call(FAILURE)));
    assert!(second.is_err());
    assert_eq!(
        (bench.circuit.state(), bench.counts()),
        (Closed, [0, 2, 0, 0, 2])
    );
    bench.call(SUCCESS);
    bench.call(FAILURE);
    assert_eq!(
        (bench.circuit.state(), bench.counts()),
        (Open, [1, 3, 0, 0, 1])
    );
    assert_eq!(bench.changes().len(), 1);
}

#[test]
fn r11_an_open_breaker_keeps_the_counts_that_opened_it() {
    for window in [
        Window::fixed(SECOND),
        Window::last(2),
        Window::rolling(SECOND, 2),
        Window::unbounded(),
    ] {
        let mut bench = Bench::opened(TWO_IN_ROW.window(window));
        bench.pass(9 * SECOND);
        assert_eq!(bench.counts(), [0, 2, 0, 0, 2], "{window}");
        bench.pass(SECOND);
        let change = bench.changes().remove(0);
        assert_eq!((change.from, change.to), (Open, HalfOpen));
        assert_eq!(change.evidence.failures, 2, "{window}");
        assert_eq!(bench.counts(), [0; 5], "{window}");
    }
}

#[test]
fn r11_an_open_breaker_adds_what_an_override_admits_and_forgets_nothing() {
    for window in [
        Window::fixed(SECOND),
        Window::last(2),
        Window::rolling(SECOND, 2),
    ] {
        let mut bench = Bench::opened(TWO_IN_ROW.window(window));
        bench.force(Override::forced_closed("test"));
        bench.calls(&[SUCCESS, IGNORED]);
        bench.pass(9 * SECOND);
        bench.calls(&[SUCCESS, FAILURE]);
        assert_eq!(bench.counts(), [2, 3, 1, 0, 1], "{window}");
    }
}

#[test]
fn r11_a_transition_says_all_about_it_and_sequence_has_no_gap() {
    let mut bench = Bench::new(TWO_IN_ROW);
    let began = bench.now;
    bench.calls(&[FAILURE, FAILURE]);
    bench.pass_to_deadline();
    bench.calls(&[SUCCESS, SUCCESS]);
    bench.circuit.reset(bench.now);
    let opened = Transition {
        at: began,
        evidence: Counts {
            consecutive_failures: 2,
            failures: 2,
            ..Counts::default()
        },
        from: Closed,
        generation: Generation::new(2),
        overridden_by: None,
        reason: Reason::Tripped(TripReason::ConsecutiveFailures),
        sequence: 1,
        to: Open,
        until: Some(began + 10 * SECOND),
    };
    let changes = bench.changes();
    assert_eq!(changes[0], opened);
    let told = changes
        .iter()
        .map(|change| (change.sequence, change.reason, change.evidence.judged()));
    let expected = [
        (1, opened.reason, 2),
        (2, Reason::OpenElapsed, 2),
        (3, Reason::ProbesSucceeded, 2),
        (4, Reason::Reset, 0),
    ];
    assert!(told.eq(expected));
}

#[test]
fn r23_a_custom_signal_is_asked_after_all_others_and_only_where_none_has_opened() {
    let first = TripPolicy::custom(|counts| {
        assert!(counts.failures < 2, "the run has opened it");
        false
    });
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(first.or(TripPolicy::consecutive_failures(2))));
    bench.calls(&[FAILURE, FAILURE]);
    let reason = bench.changes()[0].reason;
    assert_eq!(reason, Reason::Tripped(TripReason::ConsecutiveFailures));
}

#[test]
fn r23_an_answer_that_comes_after_its_generation_opens_nothing() {
    let config = TWO_IN_ROW.trip_on(TripPolicy::custom(|_| true));
    for late in [false, true] {
        let mut bench = Bench::new(config);
        let ticket = bench.acquire();
        let question = bench.circuit.record(ticket, FAILURE, Pace::Fast, bench.now);
        let question = question.unwrap();
        assert_eq!(bench.circuit.state(), Closed);
        if late {
            bench.circuit.reset(bench.now);
        }
        assert!(question.ask(&config));
        bench.circuit.answer_open(&question, bench.now);
        let expected = if late { Closed } else { Open };
        assert_eq!(bench.circuit.state(), expected);
    }
}
