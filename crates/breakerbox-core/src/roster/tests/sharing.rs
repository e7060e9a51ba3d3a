use super::*;

/// How often the first of two endpoints is picked, of ten thousand picks.
fn share_of_first(loads: [Load; 2]) -> u32 {
    let (roster, _) = of_one_tier(PoolConfig::new(), 2);
    let picked = picks(&roster.rotation(), Repeat::Never, |seat| Some(loads[seat]));
    picked.get(&0).copied().unwrap_or(0)
}

fn failing(failures: u32, calls: u32) -> Load {
    Load {
        failure_rate: FailureRate::of(failures, calls),
        latency: Some(20_000_000),
        ..IDLE
    }
}

#[test]
fn r63_a_rate_of_failures_decides_only_where_chance_does_not_explain_it() {
    for (failures, other, share) in [
        ((0, 512), (0, 512), Share::Half),
        ((1, 512), (0, 512), Share::Half),
        ((6, 512), (4, 512), Share::Half),
        ((32, 512), (20, 512), Share::Half),
        ((0, 0), (512, 512), Share::Half),
        ((1, 1), (0, 512), Share::Half),
        ((1, 10), (0, 512), Share::Half),
        ((2, 4), (0, 4), Share::Half),
        ((2, 10), (0, 512), Share::Nothing),
        ((100, 512), (0, 512), Share::Nothing),
        ((100, 512), (26, 512), Share::Nothing),
        ((512, 512), (0, 512), Share::Nothing),
        ((512, 512), (256, 512), Share::Nothing),
        ((20, 20), (0, 20), Share::Nothing),
    ] {
        let [one, two] = [failures, other].map(|(failures, calls)| failing(failures, calls));
        let seen = [[one, two], [two, one]].map(share_of_first);
        let expected = |of_first: u32| match share {
            Share::Half => (4_700..5_300).contains(&of_first),
            Share::Nothing => of_first == 0,
        };
        let as_told = expected(seen[0]) && expected(10_000 - seen[1]);
        assert!(as_told, "{failures:?} beside {other:?} got {seen:?}");
    }
}

/// Of all calls.
#[derive(Clone, Copy, Debug)]
enum Share {
    Half,
    Nothing,
}

#[test]
fn r63_failures_in_a_row_decide_where_chance_does_not_explain_them() {
    for (in_a_row, other, share) in [
        (2, (0, 512), Share::Half),
        (3, (0, 512), Share::Nothing),
        (3, (5, 512), Share::Half),
        (4, (5, 512), Share::Nothing),
        (5, (26, 512), Share::Half),
        (6, (26, 512), Share::Nothing),
        (6, (100, 512), Share::Half),
        (3, (0, 0), Share::Half),
        (4, (0, 0), Share::Nothing),
    ] {
        let mut died = failing(in_a_row.max(other.0), 512);
        died.failure_rate = died.failure_rate.in_a_row(in_a_row);
        let of_died = share_of_first([died, failing(other.0, other.1)]);
        let as_told = match share {
            Share::Half => (4_700..5_300).contains(&of_died),
            Share::Nothing => of_died == 0,
        };
        assert!(as_told, "{in_a_row} beside {other:?} got {of_died}");
    }
}

#[test]
fn r63_a_failure_costs_less_than_a_much_longer_queue() {
    let failing = failing(26, 512);
    let in_flight = |in_flight| Load {
        in_flight,
        ..self::failing(0, 512)
    };
    // A twentieth of five seconds, and 20 ms.
    assert_eq!(share_of_first([failing, in_flight(5)]), 0);
    assert_eq!(share_of_first([failing, in_flight(50)]), 10_000);
}

#[test]
fn r63_failures_count_also_where_no_call_has_succeeded() {
    let dead = Load {
        latency: None,
        ..failing(20, 20)
    };
    assert_eq!(share_of_first([dead, failing(0, 512)]), 0);
    let unasked = Load {
        latency: None,
        ..failing(0, 0)
    };
    assert!((4_700..5_300).contains(&share_of_first([unasked, failing(0, 512)])));
}

#[test]
fn r63_of_two_alike_the_one_that_has_waited_longer_is_picked() {
    let waited = |since_pick| Load { since_pick, ..IDLE };
    for (first, second, share) in [
        (Some(2_000), Some(1_999), 10_000),
        (Some(1_999), Some(2_000), 0),
        (Some(u64::MAX), Some(0), 10_000),
    ] {
        let seen = share_of_first([waited(first), waited(second)]);
        assert_eq!(seen, share, "{first:?} beside {second:?}");
    }
    for unknown in [Some(1_000), None] {
        let seen = share_of_first([waited(None), waited(unknown)]);
        assert!((4_700..5_300).contains(&seen), "beside {unknown:?}");
    }
    let failed = Load {
        failure_rate: FailureRate::of(1, 512).in_a_row(1),
        ..waited(Some(2_000))
    };
    let seen = share_of_first([failed, waited(Some(1_000))]);
    assert!((4_700..5_300).contains(&seen), "its last call failed");
    let busy = Load {
        in_flight: 1,
        ..waited(Some(2_000))
    };
    assert_eq!(share_of_first([busy, waited(Some(1_000))]), 0);
}

/// Picks one after another, each a millisecond after the one before.
#[test]
fn r63_who_takes_turns_gets_what_its_weight_says_in_any_second() {
    let weights = [1, 1, 2, 3, 5, 1, 1, 2, 3, 1];
    let mut roster = Roster::new(PoolConfig::new(), 1);
    for (nth, weight) in weights.into_iter().enumerate() {
        roster.add(
            &nth.to_string(),
            EndpointSpec::new().weight(weight),
            epoch(),
        );
    }
    let rotation = roster.rotation();
    let (mut dice, mut last_picks) = (Dice::seeded(1), [None; 10]);
    let mut counts = [0_u64; 10];
    for pick in 0..11_000_u64 {
        if pick == 1_000 {
            counts = [0; 10];
        }
        let load = |seat: usize| Load {
            since_pick: last_picks[seat].map(|last| pick - last),
            ..IDLE
        };
        let wish = Wish {
            attempt: Attempt::First,
            bits: dice.draw(),
            key: None,
            repeat: Repeat::Never,
        };
        let seat = rotation
            .pick(wish, || 0, |seat| Some(load(seat)))
            .unwrap()
            .seat;
        last_picks[seat] = Some(pick);
        counts[seat] += 1;
    }
    for (count, weight) in counts.into_iter().zip(weights) {
        let due = u64::from(weight) * 500;
        assert!(
            count.abs_diff(due) * 20 < due,
            "{count} of {due}: {counts:?}"
        );
    }
}
