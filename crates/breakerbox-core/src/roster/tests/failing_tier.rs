use super::*;
use crate::Dice;

/// Two tiers of two endpoints each, by seat: 0 and 1, then 2 and 3.
fn rotation(selection: Selection) -> Rotation {
    let mut roster = Roster::new(PoolConfig::new().selection(selection), 1);
    for nth in 0..4 {
        let spec = EndpointSpec::new().tier(nth / 2);
        roster.add(&format!("e{nth}"), spec, epoch());
    }
    roster.rotation()
}

/// The picks of each tier, of ten thousand, where the latest calls of each endpoint
/// failed so many times in a row.
fn picks_by_tier(selection: Selection, wish: impl Fn(u64) -> Wish, in_a_row: [u32; 4]) -> [u32; 2] {
    let (rotation, mut turns, mut picked) = (rotation(selection), 0_u64.., [0; 2]);
    let look = |seat: usize| {
        let failures = in_a_row[seat];
        Some(Load {
            failure_rate: FailureRate::of(failures, 60).in_a_row(failures),
            ..IDLE
        })
    };
    for nth in 0..10_000 {
        let pick = rotation.pick(wish(nth), || turns.next().unwrap(), look);
        picked[usize::from(pick.unwrap().tier)] += 1;
    }
    picked
}

fn first(nth: u64) -> Wish {
    Wish {
        attempt: Attempt::First,
        bits: Dice::seeded(nth).draw(),
        key: None,
        repeat: Repeat::Never,
    }
}

#[test]
fn r56_an_eighth_of_the_calls_teach_the_breakers_of_a_tier_that_seems_to_be_down() {
    let with_key = |nth| Wish {
        key: Some(nth),
        ..first(nth)
    };
    let (p2c, in_turn) = (Selection::PowerOfTwo, Selection::RoundRobin);
    for in_a_row in [[2, 2, 0, 0], [5, 2, 1, 1], [9, 9, 0, 0]] {
        for [of_best, _] in [
            picks_by_tier(p2c, first, in_a_row),
            picks_by_tier(in_turn, first, in_a_row),
            picks_by_tier(p2c, with_key, in_a_row),
        ] {
            assert!((1_100..1_400).contains(&of_best), "{in_a_row:?}: {of_best}");
        }
    }
}

#[test]
fn r56_a_tier_of_which_only_one_endpoint_fails_keeps_its_calls() {
    for in_a_row in [[9, 0, 0, 0], [9, 1, 0, 0], [1, 1, 0, 0]] {
        for selection in [Selection::PowerOfTwo, Selection::RoundRobin] {
            let [of_best, _] = picks_by_tier(selection, first, in_a_row);
            assert_eq!(of_best, 10_000, "{in_a_row:?}");
        }
    }
}

#[test]
fn r56_nothing_is_gained_by_a_tier_that_fails_as_well() {
    let [of_best, _] = picks_by_tier(Selection::PowerOfTwo, first, [2, 2, 2, 2]);
    assert_eq!(of_best, 10_000);
}

#[test]
fn r56_another_attempt_goes_where_its_call_was_not() {
    let again = |nth| Wish {
        attempt: Attempt::Next { shun: None },
        ..first(nth)
    };
    let [of_best, _] = picks_by_tier(Selection::PowerOfTwo, again, [2, 2, 0, 0]);
    assert_eq!(of_best, 10_000);
}
