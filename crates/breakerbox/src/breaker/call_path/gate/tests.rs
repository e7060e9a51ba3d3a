use std::time::Duration;

use breakerbox_core::{Forced, InFlight, Look, Wake};

use super::*;

fn standing(state: State, places: u16) -> Standing {
    Standing {
        forced: None,
        generation: Generation::new(7),
        in_flight: InFlight::none(None),
        look: Look::NoFurther,
        orphaned: None,
        places,
        share: 100,
        state,
        wake: Wake::Awake,
    }
}

/// An answer that time does not change for an hour, if it ever does.
fn answer(standing: Standing) -> Answer {
    let until = (standing.state == State::Open).then(|| clock::now() + HOUR);
    Answer {
        retry_at: until,
        standing,
        until,
    }
}

fn gate(standing: Standing) -> Gate {
    let gate = Gate::new(standing);
    gate.publish(answer(standing));
    gate
}

fn admit(gate: &Gate) -> Ticket {
    gate.admit().expect("it admits").ticket()
}

fn reason(gate: &Gate) -> Option<RejectReason> {
    match gate.admit() {
        Ok(_) => None,
        Err(NotAdmitted::Due(_)) => panic!("the answer is over"),
        Err(NotAdmitted::Rejected(rejected)) => Some(rejected.reason()),
    }
}

#[test]
fn a_fast_answer_is_what_the_rule_says() {
    let rulers = |state| {
        [None, Some(Forced::Closed), Some(Forced::Open)]
            .into_iter()
            .flat_map(move |forced| {
                [None, Some(Orphaned::Admit), Some(Orphaned::Reject)].map(|orphaned| Standing {
                    forced,
                    orphaned,
                    ..standing(state, 0)
                })
            })
    };
    let states = [State::Closed, State::HalfOpen, State::Open];
    for standing in states.into_iter().flat_map(rulers) {
        let asleep = Standing {
            wake: Wake::Asleep,
            ..standing
        };
        let beyond = Standing {
            look: Look::Beyond,
            ..standing
        };
        for standing in [standing, asleep, beyond] {
            match (gate(standing).try_fast(), standing.admit(|| 0)) {
                (Some(Ok(generation)), Ok(Admission::Plain)) => {
                    assert_eq!(generation, standing.generation);
                }
                (Some(Err(rejected)), Err(reason)) => assert_eq!(rejected.reason(), reason),
                (None, _) => {}
                other => panic!("{standing:?}: {other:?}"),
            }
        }
    }
}

#[test]
fn r01_places_are_given_out_once_and_come_back() {
    let gate = gate(standing(State::HalfOpen, 2));
    let first = admit(&gate);
    let _second = admit(&gate);
    assert_eq!(reason(&gate), Some(RejectReason::HalfOpen));

    gate.hand_back(first.notice(), Outcome::failure());
    assert_eq!(
        reason(&gate),
        Some(RejectReason::HalfOpen),
        "only a probe that judged nothing gives its place back"
    );
    gate.hand_back(first.notice(), Outcome::Ignored);
    assert_eq!(reason(&gate), None);
}

#[test]
fn r02_a_place_of_an_older_generation_does_not_come_back() {
    let gate = gate(standing(State::HalfOpen, 1));
    let straggler = admit(&gate);
    let next = Standing {
        generation: Generation::new(9),
        ..standing(State::HalfOpen, 1)
    };
    gate.publish(answer(next));
    gate.hand_back(straggler.notice(), Outcome::Ignored);
    assert_eq!(gate.standing().0.places, 1);
}

#[test]
fn publishing_within_a_generation_leaves_its_places_to_the_callers() {
    let gate = gate(standing(State::HalfOpen, 2));
    let _probe = admit(&gate);
    gate.publish(answer(standing(State::HalfOpen, 2)));
    assert_eq!(gate.standing().0.places, 1);
}

#[test]
fn only_the_first_caller_wakes_the_owner() {
    let gate = gate(Standing {
        wake: Wake::Asleep,
        ..standing(State::Closed, 0)
    });
    assert!(gate.admit().unwrap().is_news());
    assert!(!gate.admit().unwrap().is_news());
}

#[test]
fn r04_the_call_that_cuts_the_gate_is_the_last_one_however_many_end() {
    let counted = Standing {
        in_flight: InFlight::none(Some(3)),
        look: Look::Beyond,
        ..standing(State::Closed, 0)
    };
    let gate = gate(counted);
    let calls = [admit(&gate), admit(&gate), admit(&gate)];
    assert!(gate.is_cut_in(counted.generation));
    for call in calls {
        gate.hand_back(call.notice(), Outcome::Success);
        assert!(
            matches!(gate.admit(), Err(NotAdmitted::Due(_))),
            "whoever comes brings the ledger up to date first"
        );
    }
    gate.publish(answer(counted));
    assert!(
        gate.is_cut_in(counted.generation),
        "the publisher did not know it yet"
    );
}

#[test]
fn r24_an_answer_whose_time_has_come_is_due() {
    let open = standing(State::Open, 0);
    let gate = gate(open);
    assert_eq!(reason(&gate), Some(RejectReason::Open));
    assert!(gate.try_fast().is_some());
    let over = Answer {
        until: Some(clock::now()),
        ..answer(open)
    };
    gate.publish(over);
    assert_eq!(gate.try_fast(), None);
    assert!(matches!(gate.admit(), Err(NotAdmitted::Due(_))));
    assert!(gate.standing().1.is_some());
}

#[test]
fn r24_a_caller_of_an_opening_that_is_just_over_looks_again() {
    let open = standing(State::Open, 0);
    let gate = gate(open);
    assert!(gate.try_fast().is_some());
    // The next answer, whose word is yet to come.
    gate.publish(Answer {
        retry_at: None,
        ..answer(open)
    });
    assert_eq!(gate.try_fast(), None);
    assert!(matches!(gate.admit(), Err(NotAdmitted::Due(_))));
}

#[test]
fn r40_once_orphaned_it_stays_so_whatever_is_published() {
    let gate = gate(standing(State::Closed, 0));
    gate.orphan(Orphaned::Reject);
    let next = Standing {
        generation: Generation::new(8),
        ..standing(State::Open, 0)
    };
    gate.publish(answer(next));
    assert_eq!(reason(&gate), Some(RejectReason::Orphaned));
}

const HOUR: Duration = Duration::from_secs(3_600);
