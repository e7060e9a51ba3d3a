use super::*;

#[test]
fn r17_closed_keeps_counts_streak_and_tickets_where_the_window_is_the_same() {
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(TripPolicy::consecutive_failures(4)));
    let ticket = bench.acquire();
    bench.calls(&[SUCCESS, FAILURE]);
    bench.reconfigure(TWO_IN_ROW);
    assert_eq!(bench.counts(), [1, 1, 0, 0, 1]);
    bench.settle(ticket, FAILURE);
    assert_eq!((bench.circuit.state(), bench.circuit.late()), (Open, 0));
}

#[test]
fn r17_a_stricter_policy_opens_on_the_next_failure_and_not_before() {
    let mut bench = Bench::new(TWO_IN_ROW.trip_on(TripPolicy::consecutive_failures(9)));
    bench.calls(&[FAILURE; 5]);
    bench.reconfigure(TWO_IN_ROW);
    assert_eq!(bench.circuit.state(), Closed);
    bench.call(FAILURE);
    assert_eq!(bench.changes()[0].evidence.consecutive_failures, 6);
}

#[test]
fn r17_another_window_begins_empty_and_tickets_stay_good() {
    let mut bench = Bench::new(TWO_IN_ROW);
    let ticket = bench.acquire();
    bench.call(FAILURE);
    let generation = bench.circuit.generation();
    bench.pass(SECOND);
    bench.reconfigure(TWO_IN_ROW.window(Window::fixed(MINUTE)));
    assert_eq!(
        (bench.counts(), bench.circuit.generation()),
        ([0; 5], generation)
    );
    assert_eq!(bench.circuit.next_deadline(), Some(bench.now + MINUTE));
    bench.settle(ticket, FAILURE);
    assert_eq!(bench.counts(), [0, 1, 0, 0, 1]);
    assert!(bench.changes().is_empty());
}

#[test]
fn r17_an_opening_keeps_its_length_and_its_counts() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    let due = bench.circuit.next_deadline();
    let shorter = TWO_IN_ROW.open_for(Backoff::fixed(SECOND));
    bench.reconfigure(shorter.window(Window::last(5)));
    assert_eq!(bench.circuit.next_deadline(), due);
    assert_eq!(bench.counts(), [0, 2, 0, 0, 2]);
    bench.pass_to_deadline();
    assert_eq!(bench.fail_probe(), SECOND);
}

#[test]
fn r17_half_open_keeps_its_probes_and_counts_and_the_next_one_has_the_new_number() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let probe = bench.acquire();
    bench.call(SUCCESS);
    bench.reconfigure(TWO_IN_ROW.probes(1).window(Window::last(5)));
    assert_eq!(bench.counts(), [1, 0, 0, 1, 0]);
    assert_eq!(bench.answer(), Not(ProbesOut));
    bench.settle(probe, IGNORED);
    assert_eq!(bench.answer(), Probe);
    bench.pass_to_deadline();
    bench.pass_to_deadline();
    assert_eq!(
        (bench.circuit.state(), bench.circuit.standing().places),
        (HalfOpen, 1)
    );
}

#[test]
fn r17_a_probe_deadline_reaches_the_probes_that_are_out() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.without_probe_deadline());
    let _probe = bench.acquire();
    bench.pass(HOUR);
    bench.reconfigure(TWO_IN_ROW);
    bench.circuit.handle_deadline(bench.now);
    assert_eq!(bench.changes()[0].reason, Reason::ProbeOverdue);
    assert_eq!(bench.open_for(), 10 * SECOND);
}

#[test]
fn r17_what_could_never_trip_is_refused_and_the_old_configuration_stays() {
    for (trip, key) in [
        (
            TripPolicy::consecutive_failures(6),
            "trip.consecutive_failures",
        ),
        (
            TripPolicy::failure_rate(Ratio::percent(1), 6),
            "trip.failure_rate",
        ),
    ] {
        let contradiction = TWO_IN_ROW.window(Window::last(5)).trip_on(trip);
        assert!(Circuit::new(contradiction, 1, epoch()).is_err());
        let mut bench = Bench::new(TWO_IN_ROW);
        bench.call(FAILURE);
        let before = format!("{:?}", bench.circuit);
        let refused = bench.circuit.reconfigure(contradiction, bench.now);
        assert_eq!(refused.unwrap_err().key(), key);
        assert_eq!(format!("{:?}", bench.circuit), before);
        bench.reconfigure(contradiction.window(Window::last(6)));
    }
}

#[test]
fn r17_a_limit_of_calls_in_flight_comes_goes_and_moves_at_once() {
    let limited = |calls| TWO_IN_ROW.trip_on(TripPolicy::in_flight(calls));
    let mut bench = Bench::new(TWO_IN_ROW);
    let before = bench.acquire();
    bench.reconfigure(limited(3));
    let mut counted = vec![bench.acquire(), bench.acquire()];
    bench.reconfigure(limited(5));
    counted.extend([bench.acquire(), bench.acquire()]);
    bench.reconfigure(TWO_IN_ROW);
    counted.extend([bench.acquire(), bench.acquire()]);
    assert_eq!(
        bench.circuit.state(),
        Closed,
        "without a limit nothing opens"
    );
    bench.settle(counted.remove(0), SUCCESS);
    bench.settle(before, SUCCESS);
    bench.reconfigure(limited(5));
    assert_eq!(bench.circuit.standing().in_flight.calls(), Some(3));
    bench.reconfigure(limited(2));
    assert_eq!(bench.circuit.state(), Closed, "it is asked at admission");
    let _last = bench.acquire();
    assert_eq!(bench.circuit.state(), Open);
}
