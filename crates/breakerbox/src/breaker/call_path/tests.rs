use std::cell::Cell;

use breakerbox_core::TripPolicy;

use super::*;

#[test]
fn r22_however_many_verdicts_need_the_owner_one_message_asks_it_to_look() {
    let never = BreakerConfig::gobreaker().trip_on(TripPolicy::custom(|_| false));
    let now = clock::now();
    let path = CallPath::new(Circuit::new(never, 1, now).unwrap(), now);
    for _ in 0..3 {
        let messages = Cell::new(0);
        let ask = |need| {
            assert_eq!(need, Need::Judgement);
            messages.set(messages.get() + 1);
        };
        let mut newest = None;
        for _ in 0..10_000 {
            let ticket = path.admit(ask).unwrap();
            newest = path.settle(ticket, Outcome::failure(), ask);
        }
        assert_eq!(messages.get(), 1);
        path.begin_look(now);
        let waiting = std::iter::from_fn(|| path.next_question()).count();
        assert_eq!(Some(path.asked_questions()), newest, "it is among them");
        assert!(waiting < 2_000, "{waiting} wait");
    }
}

#[test]
fn r22_a_verdict_that_changes_nothing_for_the_owner_sends_no_message() {
    let last = BreakerConfig::gobreaker()
        .trip_on(TripPolicy::failure_rate(
            breakerbox_core::Ratio::percent(50),
            20,
        ))
        .window(breakerbox_core::Window::last(100));
    let now = clock::now();
    let path = CallPath::new(Circuit::new(last, 1, now).unwrap(), now);
    let ask = |need| panic!("nobody needs {need:?}");
    for call in 0..1_000 {
        let ticket = path.admit(ask).unwrap();
        let outcome = if call % 4 == 3 {
            Outcome::failure()
        } else {
            Outcome::Success
        };
        if !path.fold_plain(&ticket, outcome) {
            assert_eq!(path.settle(ticket, outcome, ask), None);
        }
    }
    let counts = path.act(now, |ledger| ledger.circuit().counts());
    assert_eq!((counts.successes, counts.failures), (75, 25));
}

#[test]
fn r04_a_custom_policy_is_not_asked_about_a_generation_that_is_over() {
    let config = BreakerConfig::gobreaker()
        .trip_on(TripPolicy::custom(|_| true).or(TripPolicy::consecutive_failures(3)));
    let now = clock::now();
    let path = CallPath::new(Circuit::new(config, 1, now).unwrap(), now);
    let fail = || {
        let ticket = path.admit(|_| ()).unwrap();
        path.settle(ticket, Outcome::failure(), |_| ())
    };
    let asked = [fail(), fail(), fail()];
    assert_eq!(asked, [Some(1), Some(2), None], "the third one opens");
    assert!(path.next_question().is_none());
    assert_eq!(path.asked_questions(), 2, "nobody waits for the others");
}

#[test]
fn r40_a_command_that_waits_for_an_owner_is_void_once_there_will_be_none() {
    let now = clock::now();
    let path = CallPath::new(Circuit::new(BreakerConfig::new(), 1, now).unwrap(), now);
    assert_eq!(path.give(Command::Reset, |_| ()), Some(1));
    path.orphan(Orphaned::Reject);
    // An owner that was stuck comes back too late.
    assert!(path.next_command().is_none());
    assert_eq!(path.give(Command::Reset, |_| ()), None);
    assert_eq!(path.carried_out(), 0);
}
