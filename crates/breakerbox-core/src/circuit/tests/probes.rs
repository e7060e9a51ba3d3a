use super::*;
use crate::ProbeTime;

#[test]
fn r01_probes_out_and_succeeded_are_together_as_many_as_there_are_places() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(3));
    bench.call(SUCCESS);
    let first = bench.acquire();
    let _second = bench.acquire();
    assert_eq!(bench.answer(), Not(ProbesOut));
    bench.settle(first, SUCCESS);
    assert_eq!(bench.answer(), Not(ProbesOut));
}

#[test]
fn r01_an_ignored_probe_hands_its_place_back() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(1));
    for _ in 0..100 {
        let probe = bench.acquire();
        assert_eq!(bench.answer(), Not(ProbesOut));
        bench.settle(probe, IGNORED);
    }
    assert_eq!(bench.answer(), Probe);
}

#[test]
fn r01_what_hands_a_place_back_by_the_standing_answer_does_so_in_the_circuit() {
    for (state, outcome, places) in [
        (HalfOpen, IGNORED, Some(2)),
        (HalfOpen, SUCCESS, None),
        (HalfOpen, FAILURE, None),
        (Closed, IGNORED, None),
        (Open, IGNORED, None),
    ] {
        let (mut bench, ticket, _old) = Bench::in_state(state);
        let handed_back = bench.circuit.standing().hand_back(ticket.notice(), outcome);
        assert_eq!(
            handed_back.map(|standing| standing.places),
            places,
            "{state}"
        );
        bench.settle(ticket, outcome);
        if let Some(standing) = handed_back {
            assert_eq!(bench.circuit.standing(), standing);
        }
    }
}

#[test]
fn r01_a_place_of_an_older_half_open_is_not_handed_back_to_a_newer_one() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let old = bench.acquire();
    bench.fail_probe();
    bench.pass_to_deadline();
    let _probes = [bench.acquire(), bench.acquire()];
    assert_eq!(
        bench.circuit.standing().hand_back(old.notice(), IGNORED),
        None
    );
    bench.settle(old, IGNORED);
    assert_eq!(bench.answer(), Not(ProbesOut));
}

#[test]
fn r01_admission_by_the_standing_answer_is_the_circuits_own() {
    let window = Window::fixed(SECOND);
    for (state, word) in [Closed, HalfOpen, Open].into_iter().flat_map(|state| {
        let words = [
            None,
            Some(Override::forced_closed("test")),
            Some(Override::forced_open("test")),
        ];
        words.map(|word| (state, word))
    }) {
        let (mut bench, ..) = Bench::in_state(state);
        bench.reconfigure(TWO_IN_ROW.window(window));
        bench.pass(2 * SECOND);
        word.into_iter().for_each(|word| bench.force(word));
        for _ in 0..4 {
            let mut twin = bench.circuit.clone();
            let standing = twin.standing();
            let by_standing = standing.admit(|| 0).map(|admission| {
                let ticket = admission.ticket(standing.generation, || bench.now);
                twin.admitted(ticket.notice(), bench.now);
                if let Some(becomes) = admission.becomes() {
                    assert_eq!(twin.standing(), becomes);
                }
                ticket
            });
            let asked = bench.circuit.try_acquire(bench.now);
            assert_eq!(by_standing, asked.map_err(|rejected| rejected.reason()));
            assert_eq!(format!("{twin:?}"), format!("{:?}", bench.circuit));
        }
    }
}

#[test]
fn r05_the_first_failure_opens_though_others_succeeded() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(3));
    bench.calls(&[SUCCESS, SUCCESS]);
    bench.call(FAILURE);
    let change = bench.changes().remove(0);
    assert_eq!((change.to, change.reason), (Open, Reason::ProbeFailed));
    assert_eq!(
        (change.evidence.successes, change.evidence.failures),
        (2, 1)
    );
}

#[test]
fn r05_as_many_successes_close_as_there_are_probes() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(3));
    bench.calls(&[SUCCESS, IGNORED, SUCCESS]);
    assert_eq!(bench.circuit.state(), HalfOpen);
    bench.call(SUCCESS);
    assert_eq!(bench.changes()[0].reason, Reason::ProbesSucceeded);
    assert_eq!((bench.circuit.state(), bench.counts()), (Closed, [0; 5]));
}

#[test]
fn r06_a_hung_probe_counts_as_a_failure_at_its_deadline() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let hung = bench.acquire();
    let due = bench.now + 5 * SECOND;
    assert_eq!(bench.circuit.next_deadline(), Some(due));
    bench.pass(5 * SECOND - NANOSECOND);
    assert_eq!(bench.circuit.state(), HalfOpen);
    bench.pass(NANOSECOND);
    let change = bench.changes().remove(0);
    assert_eq!((change.reason, change.at), (Reason::ProbeOverdue, due));
    assert_eq!((change.to, change.evidence.failures), (Open, 1));
    bench.settle(hung, SUCCESS);
    assert_eq!((bench.counts(), bench.circuit.late()), ([0, 1, 0, 0, 1], 1));
}

#[test]
fn r06_a_verdict_at_the_very_deadline_comes_too_late() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(1));
    let probe = bench.acquire();
    bench.now += 5 * SECOND;
    bench.settle(probe, SUCCESS);
    assert_eq!((bench.circuit.state(), bench.circuit.late()), (Open, 1));
}

#[test]
fn r06_an_answer_or_an_upload_that_goes_on_uses_no_deadline_up() {
    let (config, at) = (BreakerConfig::new().probe_deadline(4 * SECOND), epoch());
    let time = ProbeTime::new(at, &config).unwrap();
    assert_eq!(time.answer_counts_at(), at + 2 * SECOND);
    assert_eq!(time.upload_due_at(), at + 3 * SECOND);
    assert!(!time.is_spent_by(at + 2 * SECOND));
    assert!(time.is_spent_by(at + 2 * SECOND + SECOND / 10));
    let endless = config.without_probe_deadline();
    assert_eq!(ProbeTime::new(at, &endless), None);
}

#[test]
fn r06_each_probe_has_a_deadline_of_its_own() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.probes(3));
    let first = bench.acquire();
    bench.pass(SECOND);
    let second = bench.acquire();
    let third = bench.acquire();
    let second_due = bench.now + 5 * SECOND;
    assert_eq!(bench.circuit.next_deadline(), Some(second_due - SECOND));
    bench.settle(first, IGNORED);
    assert_eq!(bench.circuit.next_deadline(), Some(second_due));
    bench.settle(second, SUCCESS);
    assert_eq!(bench.circuit.next_deadline(), Some(second_due));
    bench.settle(third, IGNORED);
    assert_eq!(bench.circuit.next_deadline(), None);
}

#[test]
fn r06_a_probe_that_is_told_of_late_is_due_as_of_its_admission() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let standing = bench.circuit.standing();
    let taken = bench.now;
    let ticket = standing
        .admit(|| 0)
        .unwrap()
        .ticket(standing.generation, || taken);
    bench.pass(4 * SECOND);
    bench.circuit.admitted(ticket.notice(), bench.now);
    assert_eq!(bench.circuit.next_deadline(), Some(taken + 5 * SECOND));
}

#[test]
fn r06_word_of_a_probe_of_an_older_generation_takes_no_place() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    let standing = bench.circuit.standing();
    let old = standing
        .admit(|| 0)
        .unwrap()
        .ticket(standing.generation, || bench.now);
    bench.fail_probe();
    bench.pass_to_deadline();
    bench.circuit.admitted(old.notice(), bench.now);
    assert_eq!(bench.circuit.standing().places, 2);
    assert_eq!(bench.circuit.next_deadline(), None);
}

#[test]
fn r06_without_a_deadline_a_probe_may_take_for_ever() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.without_probe_deadline());
    let probe = bench.acquire();
    assert_eq!(bench.circuit.next_deadline(), None);
    bench.pass(24 * HOUR);
    bench.settle(probe, SUCCESS);
    assert_eq!((bench.circuit.state(), bench.circuit.late()), (HalfOpen, 0));
}

#[test]
fn r06_without_traffic_half_open_just_stays() {
    let mut bench = Bench::half_opened(TWO_IN_ROW);
    assert_eq!(bench.circuit.next_deadline(), None);
    bench.pass(24 * HOUR);
    assert_eq!(bench.answer(), Probe);
}
