use super::*;
use crate::{InFlight, Ramp, Standing};

const FEW_AT_ONCE: BreakerConfig =
    TWO_IN_ROW.trip_on(TripPolicy::in_flight(3).or(TripPolicy::consecutive_failures(2)));

#[test]
fn r04_the_call_that_is_one_too_many_in_flight_opens_and_is_admitted() {
    let mut bench = Bench::new(FEW_AT_ONCE);
    let (first, second) = (bench.acquire(), bench.acquire());
    assert_eq!(bench.circuit.state(), Closed);
    let third = bench.acquire();
    let reason = bench.circuit.last_transition().unwrap().reason;
    assert_eq!(
        (bench.circuit.state(), reason),
        (Open, Reason::Tripped(TripReason::InFlight))
    );
    assert_eq!(bench.answer(), Not(IsOpen));
    for ticket in [first, second, third] {
        bench.settle(ticket, SUCCESS);
    }
    assert_eq!(bench.circuit.late(), 3);
}

#[test]
fn r04_a_call_that_ended_is_no_longer_in_flight_however_it_did() {
    let mut bench = Bench::new(FEW_AT_ONCE);
    for outcome in [SUCCESS, IGNORED, FAILURE, SUCCESS, IGNORED] {
        let (one, other) = (bench.acquire(), bench.acquire());
        bench.settle(one, outcome);
        bench.settle(other, SUCCESS);
    }
    assert_eq!(bench.circuit.state(), Closed);
    assert_eq!(bench.circuit.standing().in_flight.calls(), Some(0));
}

#[test]
fn r04_calls_of_an_older_generation_are_not_in_flight_in_this_one() {
    let mut bench = Bench::new(FEW_AT_ONCE);
    let (old, older) = (bench.acquire(), bench.acquire());
    bench.circuit.reset(bench.now);
    let (_one, _other) = (bench.acquire(), bench.acquire());
    bench.settle(old, SUCCESS);
    bench.settle(older, SUCCESS);
    assert_eq!(bench.circuit.standing().in_flight.calls(), Some(2));
}

#[test]
fn r15_admission_grows_evenly_from_a_share_to_all() {
    let ramp = Ramp::linear(Ratio::percent(20), 20 * SECOND);
    let mut bench = Bench::half_opened(TWO_IN_ROW.ramp(ramp));
    bench.calls(&[SUCCESS, SUCCESS]);
    for (second, share) in [(0, 20), (5, 40), (10, 60), (19, 96), (20, 100)] {
        let closed = bench.circuit.last_transition().unwrap().at;
        bench.circuit.handle_deadline(closed + second * SECOND);
        assert_eq!(bench.circuit.standing().share, share, "{second} s");
    }
    assert_eq!(bench.circuit.next_deadline(), None);
}

#[test]
fn r15_what_the_ramp_withholds_is_rejected_as_such() {
    let ramp = Ramp::linear(Ratio::percent(30), MINUTE);
    let mut bench = Bench::half_opened(TWO_IN_ROW.ramp(ramp));
    bench.calls(&[SUCCESS, SUCCESS]);
    let standing = bench.circuit.standing();
    assert!(standing.admit(|| 29).is_ok());
    assert_eq!(standing.admit(|| 30), Err(RejectReason::Ramp));

    let mut admitted = 0;
    for _ in 0..1_000 {
        if let Ok(ticket) = bench.circuit.try_acquire(bench.now) {
            bench.circuit.settle(ticket, SUCCESS, bench.now);
            admitted += 1;
        }
    }
    assert!((250..350).contains(&admitted), "{admitted}");
}

#[test]
fn r15_a_trip_during_the_ramp_opens_as_any_other() {
    let ramp = Ramp::linear(Ratio::percent(100), MINUTE);
    let mut bench = Bench::half_opened(TWO_IN_ROW.ramp(ramp));
    bench.calls(&[SUCCESS, SUCCESS, FAILURE, FAILURE]);
    assert_eq!(bench.circuit.state(), Open);
}

#[test]
fn r15_only_a_recovery_begins_a_ramp() {
    let ramp = Ramp::linear(Ratio::percent(1), MINUTE);
    let mut bench = Bench::new(TWO_IN_ROW.ramp(ramp));
    assert_eq!(bench.circuit.standing().share, 100);
    bench.circuit.reset(bench.now);
    assert_eq!(bench.circuit.standing().share, 100);
}

#[test]
fn r15_an_override_ends_what_the_ramp_withholds() {
    let ramp = Ramp::linear(Ratio::percent(1), MINUTE);
    let mut bench = Bench::half_opened(TWO_IN_ROW.ramp(ramp));
    bench.calls(&[SUCCESS, SUCCESS]);
    bench.force(Override::forced_closed("all of it, please"));
    assert!(bench.circuit.standing().admit(|| 99).is_ok());
}

#[test]
fn r04_a_standing_answer_at_its_limit_admits_nobody_again_however_many_calls_end() {
    let bench = Bench::new(FEW_AT_ONCE);
    let mut standing = bench.circuit.standing();
    let mut notices = Vec::new();
    for _ in 0..3 {
        let admission = standing.admit(|| 0).unwrap();
        let ticket = admission.ticket(standing.generation, || bench.now);
        notices.push(ticket.notice());
        standing = admission.becomes().unwrap();
    }
    assert!(standing.is_cut());
    for notice in notices {
        standing = standing.hand_back(notice, SUCCESS).unwrap_or(standing);
        assert_eq!(standing.admit(|| 0), Err(RejectReason::InFlight));
    }
    let published = standing.followed_by(bench.circuit.standing());
    assert!(published.is_cut(), "the circuit did not know it yet");
}

#[test]
fn r16_a_cut_is_ruled_by_override_and_orphaned_as_open_is() {
    use crate::Orphaned;
    let bench = Bench::new(FEW_AT_ONCE);
    let cut = Standing {
        in_flight: InFlight::Exceeded,
        ..bench.circuit.standing()
    };
    let open = Standing {
        state: Open,
        in_flight: InFlight::none(None),
        ..cut
    };
    for forced in [None, Some(Forced::Closed), Some(Forced::Open)] {
        for orphaned in [None, Some(Orphaned::Admit), Some(Orphaned::Reject)] {
            let ruled = |standing: Standing| {
                let ruled = Standing {
                    forced,
                    orphaned,
                    ..standing
                };
                ruled.admit(|| 0).map_err(|reason| match reason {
                    RejectReason::InFlight => RejectReason::Open,
                    other => other,
                })
            };
            assert_eq!(ruled(cut), ruled(open), "{forced:?} {orphaned:?}");
        }
    }
}
