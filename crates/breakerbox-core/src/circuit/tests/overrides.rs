use super::*;

#[test]
fn r16_forced_open_rejects_whatever_the_state_beneath_and_says_until_when() {
    for state in [Closed, HalfOpen, Open] {
        let (mut bench, ..) = Bench::in_state(state);
        bench.force(Override::forced_open("maintenance"));
        let by_command = Rejected::new(RejectReason::ForcedOpen, None);
        assert_eq!(bench.rejected(), by_command, "{state}");
        bench.force(Override::forced_open("maintenance").expires_after(MINUTE));
        let expiring = Rejected::new(RejectReason::ForcedOpen, Some(bench.now + MINUTE));
        assert_eq!(bench.rejected(), expiring, "{state}");
    }
}

#[test]
fn r16_a_rejection_waits_for_the_later_one_of_override_and_opening() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    bench.force(Override::forced_open("short").expires_after(SECOND));
    assert_eq!(bench.rejected().retry_after(bench.now), Some(10 * SECOND));
}

#[test]
fn r16_an_override_ends_at_its_expiry_and_the_state_beneath_rules_at_once() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    bench.force(Override::forced_closed("trust me").expires_after(SECOND));
    assert_eq!(bench.circuit.next_deadline(), Some(bench.now + SECOND));
    bench.pass(SECOND - NANOSECOND);
    assert_eq!(bench.answer(), Plain);
    bench.pass(NANOSECOND);
    assert_eq!(bench.circuit.overriding(), None);
    assert_eq!(bench.answer(), Not(IsOpen));
}

#[test]
fn r16_an_override_ends_by_command_and_a_new_one_takes_the_place_of_the_old() {
    let mut bench = Bench::new(TWO_IN_ROW);
    bench.force(Override::forced_open("first").expires_after(SECOND));
    bench.force(Override::forced_open("second"));
    bench.pass(MINUTE);
    let overriding = bench.circuit.overriding().unwrap();
    assert_eq!(
        (overriding.reason(), overriding.expires_at()),
        ("second", None)
    );
    bench.circuit.release(bench.now);
    assert_eq!(bench.answer(), Plain);
}

#[test]
fn r16_an_override_outlives_a_reset_and_a_reconfiguration() {
    let mut bench = Bench::new(TWO_IN_ROW);
    bench.force(Override::forced_open("maintenance"));
    bench.circuit.reset(bench.now);
    bench.reconfigure(TWO_IN_ROW.probes(1));
    assert_eq!(bench.answer(), Not(ForcedOpen));
}

#[test]
fn r16_beneath_forced_closed_the_machine_goes_on_and_marks_its_changes() {
    let mut bench = Bench::new(TWO_IN_ROW);
    bench.force(Override::forced_closed("shadow mode"));
    bench.calls(&[FAILURE, FAILURE]);
    assert_eq!((bench.circuit.state(), bench.answer()), (Open, Plain));
    bench.pass_to_deadline();
    bench.circuit.release(bench.now);
    bench.calls(&[SUCCESS, SUCCESS]);
    let marks: Vec<_> = bench
        .changes()
        .iter()
        .map(|change| (change.to, change.overridden_by))
        .collect();
    let forced = Some(Forced::Closed);
    assert_eq!(marks, [(Open, forced), (HalfOpen, forced), (Closed, None)]);
}

#[test]
fn r16_beneath_forced_open_calls_in_flight_still_open_the_breaker() {
    let mut bench = Bench::new(TWO_IN_ROW);
    let tickets = [bench.acquire(), bench.acquire()];
    bench.force(Override::forced_open("maintenance"));
    for ticket in tickets {
        bench.settle(ticket, FAILURE);
    }
    assert_eq!(bench.changes()[0].overridden_by, Some(Forced::Open));
    assert_eq!(bench.circuit.state(), Open);
}

#[test]
fn r16_an_override_that_ends_as_the_state_changes_marks_nothing() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    bench.force(Override::forced_open("until then").expires_after(10 * SECOND));
    bench.pass(MINUTE);
    assert_eq!(bench.changes()[0].overridden_by, None);
}

#[test]
fn r16_under_forced_closed_half_open_has_its_probes_and_the_rest_judge_nothing() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    bench.force(Override::forced_closed("shadow mode"));
    let tickets: Vec<_> = (0..5).map(|_| bench.acquire()).collect();
    let probes = tickets.iter().map(Ticket::is_probe);
    assert!(probes.eq([true, true, false, false, false]));
    for (ticket, outcome) in tickets.into_iter().rev().zip([FAILURE, SUCCESS, IGNORED]) {
        bench.settle(ticket, outcome);
        assert_eq!(bench.circuit.state(), HalfOpen);
        assert_eq!(bench.circuit.standing().places, 0);
    }
    assert_eq!(bench.counts(), [1, 1, 1, 1, 0]);
}

#[test]
fn r16_an_absurd_expiry_is_as_good_as_none() {
    let mut bench = Bench::new(TWO_IN_ROW);
    bench.force(Override::forced_open("for ever").expires_after(Duration::MAX));
    bench.pass(24 * HOUR);
    assert_eq!(bench.answer(), Not(ForcedOpen));
}
