use super::*;

#[test]
fn r07_an_open_breaker_is_half_open_at_its_deadline_without_traffic() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    let due = bench.now + 10 * SECOND;
    assert_eq!(bench.circuit.next_deadline(), Some(due));
    bench.pass(10 * SECOND - NANOSECOND);
    assert_eq!(bench.circuit.state(), Open);
    bench.pass(NANOSECOND);
    assert_eq!(bench.circuit.state(), HalfOpen);
    let change = bench.changes().remove(0);
    assert_eq!((change.reason, change.at), (Reason::OpenElapsed, due));
}

#[test]
fn r07_any_input_at_a_deadline_handles_it_first() {
    let inputs: [fn(&mut Bench); 7] = [
        |bench| drop(bench.circuit.try_acquire(bench.now)),
        |bench| {
            let ticket = Ticket::new(Generation::FIRST, Role::Plain);
            bench.circuit.admitted(ticket.notice(), bench.now);
        },
        |bench| bench.settle(Ticket::new(Generation::FIRST, Role::Plain), IGNORED),
        |bench| bench.force(Override::forced_closed("test")),
        |bench| bench.circuit.release(bench.now),
        |bench| bench.reconfigure(TWO_IN_ROW.probes(3)),
        |bench| bench.circuit.reset(bench.now),
    ];
    for (place, input) in inputs.into_iter().enumerate() {
        let mut bench = Bench::opened(TWO_IN_ROW);
        bench.now += 10 * SECOND;
        input(&mut bench);
        let change = bench.changes().remove(0);
        let told = (change.reason, change.overridden_by);
        assert_eq!(told, (Reason::OpenElapsed, None), "input {place}");
    }
}

#[test]
fn r07_a_long_silence_is_caught_up_with_each_change_at_its_own_instant() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let began = bench.now;
    let _hung = bench.acquire();
    bench.force(Override::forced_open("brief").expires_after(7 * SECOND));
    bench.pass(24 * HOUR);
    let told: Vec<_> = bench
        .changes()
        .iter()
        .map(|change| (change.at - began, change.reason, change.overridden_by))
        .collect();
    let forced = Some(Forced::Open);
    let expected = [
        (5 * SECOND, Reason::ProbeOverdue, forced),
        (15 * SECOND, Reason::OpenElapsed, None),
    ];
    assert_eq!(told, expected);
    assert_eq!(bench.answer(), Probe);
}

#[test]
fn r07_time_told_early_late_or_twice_is_harmless() {
    for state in [Closed, HalfOpen, Open] {
        let (bench, ..) = Bench::in_state(state);
        let end = bench.now + HOUR;
        let mut once = bench.circuit.clone();
        once.handle_deadline(end);
        let mut often = bench.circuit.clone();
        for second in 0..=3_600 {
            often.handle_deadline(bench.now + second * SECOND);
            often.handle_deadline(bench.now + second * SECOND);
            often.handle_deadline(bench.now);
        }
        let mut driven = bench.circuit;
        while let Some(due) = driven.next_deadline() {
            driven.handle_deadline(due - NANOSECOND);
            driven.handle_deadline(due);
        }
        driven.handle_deadline(end);
        assert_eq!(format!("{often:?}"), format!("{once:?}"), "{state}");
        assert_eq!(format!("{driven:?}"), format!("{once:?}"), "{state}");
    }
}

#[test]
fn r13_what_is_told_late_is_taken_as_of_the_latest_instant() {
    let mut bench = Bench::new(TWO_IN_ROW);
    bench.pass(MINUTE);
    let latest = bench.now;
    bench.now -= MINUTE;
    bench.calls(&[FAILURE, FAILURE]);
    assert_eq!(bench.changes()[0].at, latest);
    assert_eq!(bench.circuit.next_deadline(), Some(latest + 10 * SECOND));
    bench.force(Override::forced_closed("test").expires_after(SECOND));
    assert_eq!(bench.circuit.next_deadline(), Some(latest + SECOND));
}

#[test]
fn r13_a_deadline_that_has_become_overdue_is_not_missed_by_an_input_that_is_late() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.without_probe_deadline());
    let probe = bench.acquire();
    bench.pass(5 * SECOND);
    bench.reconfigure(TWO_IN_ROW);
    bench.now -= 3 * SECOND;
    bench.settle(probe, SUCCESS);
    assert_eq!((bench.circuit.state(), bench.circuit.late()), (Open, 1));
}
