mod failing_tier;
mod histories;
mod model;
mod sharing;

use std::collections::BTreeMap;

use super::*;
use crate::{Ramp, Ratio, Repeat};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn epoch() -> Instant {
    // The one clock reading: any instant will do.
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(now_from_the_outside)
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an Instant"
)]
fn now_from_the_outside() -> Instant {
    Instant::now()
}

fn loads(roster: &Roster) -> Vec<u8> {
    roster.rotation().loads().map(|tier| tier.load).collect()
}

const IDLE: Load = Load {
    failure_rate: FailureRate::UNKNOWN,
    in_flight: 0,
    latency: Some(1_000),
    probed_in_vain: false,
    since_pick: None,
};

/// Who is picked how often, of ten thousand picks, by their order of adding.
fn picks(
    rotation: &Rotation,
    repeat: Repeat,
    load: impl Fn(usize) -> Option<Load>,
) -> BTreeMap<usize, u32> {
    let mut picked = BTreeMap::new();
    let mut turns = 0_u64..;
    for bits in 0..10_000_u64 {
        let wish = Wish {
            bits: bits.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            key: None,
            repeat,
            attempt: Attempt::First,
        };
        let turn = || turns.next().unwrap();
        if let Some(pick) = rotation.pick(wish, turn, &load) {
            *picked.entry(pick.seat).or_default() += 1;
        }
    }
    picked
}

fn of_one_tier(config: PoolConfig, endpoints: usize) -> (Roster, Vec<EndpointId>) {
    let mut roster = Roster::new(config, 1);
    let ids = (0..endpoints)
        .map(|nth| roster.add(&format!("e{nth}"), EndpointSpec::new(), epoch()))
        .collect();
    (roster, ids)
}

#[test]
fn r51_the_less_busy_of_two_takes_the_call() {
    let (roster, _) = of_one_tier(PoolConfig::new(), 3);
    let busy = |seat| {
        Some(Load {
            in_flight: if seat == 1 { 9 } else { 0 },
            ..IDLE
        })
    };
    let picked = picks(&roster.rotation(), Repeat::Never, busy);
    // It is picked where both draws fall on it, and none of the repeats does not.
    assert!(
        picked.get(&1).is_none_or(|picks| *picks < 200),
        "{picked:?}"
    );
    let slow = |seat| {
        Some(Load {
            latency: Some(if seat == 1 { 9_000 } else { 1_000 }),
            ..IDLE
        })
    };
    let picked = picks(&roster.rotation(), Repeat::Never, slow);
    assert!(
        picked.get(&1).is_none_or(|picks| *picks < 200),
        "{picked:?}"
    );
}

#[test]
fn r51_small_differences_decide_nothing() {
    let (roster, _) = of_one_tier(PoolConfig::new(), 2);
    let share = |latency| {
        let load = |seat| Load {
            latency: Some(if seat == 0 { 1_000 } else { latency }),
            ..IDLE
        };
        let picked = picks(&roster.rotation(), Repeat::Never, |seat| Some(load(seat)));
        picked[&0]
    };
    assert!((4_700..5_300).contains(&share(1_300)), "they are alike");
    assert_eq!(share(1_400), 10_000, "the other one is clearly slower");
}

#[test]
fn r51_a_fast_endpoint_of_little_weight_does_not_get_everything() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    roster.add("light", EndpointSpec::new(), epoch());
    roster.add("heavy", EndpointSpec::new().weight(10), epoch());
    let load = |seat| Load {
        latency: Some(if seat == 0 { 1_000 } else { 9_000 }),
        ..IDLE
    };
    let picked = picks(&roster.rotation(), Repeat::Never, |seat| Some(load(seat)));
    // A draw in eleven is its own, and of the others it wins a tenth.
    assert!((1_600..2_000).contains(&picked[&0]), "{picked:?}");
}

#[test]
fn r51_keys_are_divided_by_weight() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    for (nth, weight) in [1, 3, 1, 5].into_iter().enumerate() {
        roster.add(
            &format!("e{nth}"),
            EndpointSpec::new().weight(weight),
            epoch(),
        );
    }
    let rotation = roster.rotation();
    let mut keys = [0; 4];
    for key in 0..10_000 {
        let wish = Wish {
            attempt: Attempt::First,
            bits: 1,
            key: Some(key),
            repeat: Repeat::Never,
        };
        keys[rotation.pick(wish, || 0, |_| Some(IDLE)).unwrap().seat] += 1;
    }
    for (keys, due) in keys.into_iter().zip([1_000_i32, 3_000, 1_000, 5_000]) {
        assert!((keys - due).abs() < 150, "{keys} of {due}");
    }
}

#[test]
fn r51_weights_divide_the_calls() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    roster.add("one", EndpointSpec::new(), epoch());
    roster.add("three", EndpointSpec::new().weight(3), epoch());
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert!(picked[&1] > 6_000 && picked[&0] > 1_500, "{picked:?}");
    roster.reconfigure(PoolConfig::new().selection(Selection::RoundRobin), epoch());
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert_eq!((picked[&0], picked[&1]), (2_500, 7_500));
}

#[test]
fn r51_who_may_not_be_used_gets_nothing() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new().panic_below(Ratio::percent(0)), 6);
    roster.assign(ids[0], Duty::Disabled, epoch());
    roster.assign(ids[1], Duty::Draining, epoch());
    for _ in 0..3 {
        roster.checked(ids[2], Check::Failed, epoch());
    }
    roster.breaker_changed(ids[3], State::Open, epoch());
    let picked = picks(&roster.rotation(), Repeat::Idempotent, |_| Some(IDLE));
    assert_eq!(picked.keys().copied().collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn r51_one_who_is_excluded_is_passed_over_also_in_its_tier() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    roster.add("primary", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    let rotation = roster.rotation();
    let picked = picks(&rotation, Repeat::Never, |seat| (seat != 0).then_some(IDLE));
    assert_eq!(picked, BTreeMap::from([(1, 10_000)]));
    assert!(picks(&rotation, Repeat::Never, |_| None).is_empty());
}

#[test]
fn r54_what_failed_once_is_a_probe_only_where_there_is_nothing_else() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 2);
    roster.breaker_changed(ids[0], State::HalfOpen, epoch());
    let pick = |roster: &Roster, attempt| {
        let wish = Wish {
            attempt,
            bits: 1,
            key: None,
            repeat: Repeat::Idempotent,
        };
        let pick = roster.rotation().pick(wish, || 0, |_| Some(IDLE));
        pick.map(|pick| pick.seat)
    };
    let next = Attempt::Next { shun: None };
    assert_eq!(pick(&roster, Attempt::First), Some(0));
    assert_eq!(pick(&roster, next), Some(1));
    roster.breaker_changed(ids[1], State::Open, epoch());
    assert_eq!(pick(&roster, next), Some(0));
}

#[test]
fn r54_a_tier_that_failed_a_call_twice_is_asked_last() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    roster.add("primary", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    let pick = |load: fn(usize) -> Option<Load>| {
        let wish = Wish {
            bits: 1,
            key: None,
            repeat: Repeat::Idempotent,
            attempt: Attempt::Next { shun: Some(0) },
        };
        let pick = roster.rotation().pick(wish, || 0, load);
        pick.map(|pick| pick.seat)
    };
    assert_eq!(pick(|_| Some(IDLE)), Some(1));
    assert_eq!(pick(|seat| (seat == 0).then_some(IDLE)), Some(0));
}

#[test]
fn r51_calls_of_one_key_stay_together_and_only_those_of_a_lost_endpoint_move() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 10);
    let homes = |roster: &Roster| -> Vec<usize> {
        let rotation = roster.rotation();
        let of_key = |key| {
            let wish = |bits| Wish {
                bits,
                key: Some(key),
                repeat: Repeat::Never,
                attempt: Attempt::First,
            };
            let home = rotation.pick(wish(key), || 0, |_| Some(IDLE)).unwrap().seat;
            let again = rotation
                .pick(wish(!key), || 1, |_| Some(IDLE))
                .unwrap()
                .seat;
            assert_eq!(home, again);
            home
        };
        (0..1_000).map(of_key).collect()
    };
    let before = homes(&roster);
    roster.breaker_changed(ids[3], State::Open, epoch());
    let after = homes(&roster);
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || *before == 3);
        assert_ne!(*after, 3);
    }
    let lost = before.iter().filter(|home| **home == 3).count();
    assert!((50..150).contains(&lost), "a tenth of the keys: {lost}");
}

#[test]
fn r52_panic_uses_the_ejected_and_the_unhealthy_but_no_open_breaker() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 3);
    for id in &ids[..2] {
        for _ in 0..3 {
            roster.checked(*id, Check::Failed, epoch());
        }
    }
    assert!(roster.rotation().loads().next().unwrap().panics);
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert_eq!(picked.len(), 3);
    roster.breaker_changed(ids[0], State::Open, epoch());
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert_eq!(picked.keys().copied().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn r52_an_open_breaker_gets_nothing_and_a_half_open_one_probes_first() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 2);
    let who = |roster: &Roster, repeat| {
        let picked = picks(&roster.rotation(), repeat, |_| Some(IDLE));
        picked.into_keys().collect::<Vec<_>>()
    };
    roster.breaker_changed(ids[0], State::Open, epoch());
    assert_eq!(who(&roster, Repeat::Idempotent), [1]);
    roster.breaker_changed(ids[0], State::HalfOpen, epoch());
    assert_eq!(who(&roster, Repeat::Idempotent), [0]);
    assert_eq!(who(&roster, Repeat::Never), [1], "it is not risked at once");
    let due = roster.next_deadline().unwrap();
    assert_eq!(due, epoch() + PATIENCE);
    roster.handle_deadline(due);
    assert_eq!(who(&roster, Repeat::Never), [0]);
}

#[test]
fn r24_where_nobody_else_is_left_whoever_may_be_up_again_is_asked() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 4);
    let who = |roster: &Roster, without: &[usize]| {
        let look = |seat: usize| (!without.contains(&seat)).then_some(IDLE);
        let picked = picks(&roster.rotation(), Repeat::Never, look);
        picked.into_keys().collect::<Vec<_>>()
    };
    roster.breaker_changed(ids[0], State::Open, epoch());
    roster.breaker_changed(ids[1], State::HalfOpen, epoch());
    roster.breaker_changed(ids[2], State::Open, epoch());
    roster.assign(ids[2], Duty::Disabled, epoch());
    assert_eq!(who(&roster, &[]), [3]);
    assert_eq!(
        who(&roster, &[3]),
        [1],
        "it is a probe, if it is nothing else"
    );
    assert_eq!(who(&roster, &[1, 3]), [0], "its time may have come since");
    assert!(
        who(&roster, &[0, 1, 3]).is_empty(),
        "the operator's word holds"
    );
    for _ in 0..3 {
        roster.checked(ids[0], Check::Failed, epoch());
    }
    assert_eq!(who(&roster, &[1, 3]), [0], "the tier panics");
    roster.reconfigure(PoolConfig::new().panic_below(Ratio::percent(0)), epoch());
    assert!(
        who(&roster, &[1, 3]).is_empty(),
        "it fails its health checks"
    );
}

#[test]
fn r52_who_was_probed_in_vain_is_probed_where_there_is_nobody_else() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    let home = roster.add("home", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    roster.breaker_changed(home, State::HalfOpen, epoch());
    let pick = |without: Option<usize>| {
        let load = |seat| Load {
            probed_in_vain: seat == 0,
            ..IDLE
        };
        let look = |seat| (Some(seat) != without).then(|| load(seat));
        picks(&roster.rotation(), Repeat::Idempotent, look)
    };
    assert!(pick(None).keys().eq(&[1]));
    assert!(pick(Some(1)).keys().eq(&[0]));
}

/// Calls of a tier of ten, of which two fail every third.
fn brown_out(roster: &mut Roster, ids: &[EndpointId]) {
    for (nth, id) in ids.iter().enumerate() {
        roster.absorb(*id, 300, if nth < 2 { 100 } else { 0 });
    }
}

#[test]
fn r52_an_ejection_lasts_longer_each_time_and_is_forgotten_sweep_by_sweep() {
    let lasts = crate::Backoff::exponential(15 * SECOND, 300 * SECOND);
    let config = PoolConfig::new().ejection(Ejection::of_outliers().lasts(lasts));
    let (mut roster, ids) = of_one_tier(config, 10);
    let of = |roster: &Roster| roster.endpoints().next().unwrap();
    brown_out(&mut roster, &ids);
    roster.handle_deadline(epoch() + 10 * SECOND);
    let until = epoch() + 25 * SECOND;
    assert_eq!(of(&roster).status, EndpointStatus::Ejected { until });
    roster.handle_deadline(epoch() + 20 * SECOND);
    roster.handle_deadline(until);
    assert_eq!(of(&roster).status, EndpointStatus::Available);
    assert_eq!(of(&roster).share, 10, "it comes back by its share");
    brown_out(&mut roster, &ids);
    roster.handle_deadline(epoch() + 30 * SECOND);
    let until = epoch() + 60 * SECOND;
    assert_eq!(of(&roster).status, EndpointStatus::Ejected { until });
    assert_eq!(of(&roster).ejections, 2);
    for sweep in [40, 50, 60] {
        roster.handle_deadline(epoch() + sweep * SECOND);
    }
    assert_eq!(of(&roster).ejections, 2, "it has shown nothing yet");
    for sweep in [70, 80] {
        roster.handle_deadline(epoch() + sweep * SECOND);
    }
    assert_eq!(of(&roster).ejections, 0);
}

#[test]
fn r52_who_is_an_outlier_again_and_again_is_out_for_longer_each_time() {
    let lasts = crate::Backoff::exponential(10 * SECOND, 300 * SECOND);
    let config = PoolConfig::new().ejection(Ejection::of_outliers().lasts(lasts));
    let (mut roster, ids) = of_one_tier(config, 10);
    let mut out = BTreeMap::new();
    for sweep in 1..=60 {
        brown_out(&mut roster, &ids);
        roster.handle_deadline(epoch() + 10 * sweep * SECOND);
        let it = roster.endpoints().next().unwrap();
        if !it.status.is_available() {
            *out.entry(it.ejections).or_insert(0) += 1;
        }
    }
    let doubled = [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)];
    assert_eq!(out.into_iter().take(5).collect::<Vec<_>>(), doubled);
}

#[test]
fn r52_no_more_of_a_tier_are_ejected_than_may_be() {
    let config = PoolConfig::new()
        .ejection(Ejection::of_outliers().at_most(Ratio::percent(10)))
        .overprovisioned(10_000);
    let (mut roster, mut ids) = of_one_tier(config, 10);
    brown_out(&mut roster, &ids);
    let lower = |nth| (format!("lower{nth}"), EndpointSpec::new().tier(1));
    let lower = (0..10).map(lower);
    ids.extend(lower.map(|(name, spec)| roster.add(&name, spec, epoch())));
    brown_out(&mut roster, &ids[10..]);
    roster.handle_deadline(epoch() + 10 * SECOND);
    let is_out = |view: &EndpointView| !view.status.is_available();
    let out = |tier| {
        roster
            .endpoints()
            .filter(|it| it.tier == tier && is_out(it))
            .count()
    };
    assert_eq!([out(0), out(1)], [1, 1], "of two outliers in each");
}

#[test]
fn r52_the_last_available_endpoint_of_a_pool_is_not_ejected() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 5);
    for id in &ids[1..] {
        roster.absorb(*id, 300, 0);
    }
    roster.absorb(ids[0], 300, 200);
    for id in &ids[1..] {
        roster.breaker_changed(*id, State::Open, epoch());
    }
    roster.handle_deadline(epoch() + 10 * SECOND);
    assert!(roster.endpoints().next().unwrap().status.is_available());
}

#[test]
fn r56_a_primary_that_flaps_never_gets_more_than_its_first_share() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    let primary = roster.add("primary", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    assert_eq!(loads(&roster), [100, 0]);
    for flap in 1..20 {
        let at = epoch() + 10 * flap * SECOND;
        roster.breaker_changed(primary, State::Open, at);
        assert_eq!(loads(&roster), [0, 100]);
        roster.breaker_changed(primary, State::Closed, at + SECOND);
        assert_eq!(loads(&roster), [14, 86], "10 %, overprovisioned");
        roster.handle_deadline(at + 9 * SECOND);
        assert_eq!(loads(&roster), [14, 86]);
    }
}

#[test]
fn r56_what_is_restored_comes_back_in_steps() {
    let ramp = Ramp::linear(Ratio::percent(20), 20 * SECOND);
    let config = PoolConfig::new().failback(Failback::gradual(5 * SECOND, ramp));
    let mut roster = Roster::new(config, 1);
    let primary = roster.add("primary", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    roster.breaker_changed(primary, State::Open, epoch());
    roster.breaker_changed(primary, State::Closed, epoch());
    let mut seen = vec![(0, loads(&roster)[0])];
    while let Some(due) = roster
        .next_deadline()
        .filter(|due| *due < epoch() + 60 * SECOND)
    {
        roster.handle_deadline(due);
        seen.push(((due - epoch()).as_secs(), loads(&roster)[0]));
    }
    assert!(seen.is_sorted(), "time and share only grow: {seen:?}");
    assert!(
        seen.contains(&(5, 28)) && seen.contains(&(15, 84)),
        "{seen:?}"
    );
    assert_eq!(loads(&roster), [100, 0]);
}

#[test]
fn r56_within_its_tier_too_what_is_restored_gets_a_small_share() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 2);
    let share = |roster: &Roster| picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE))[&0];
    assert!((4_500..5_500).contains(&share(&roster)));
    roster.breaker_changed(ids[0], State::Open, epoch());
    roster.breaker_changed(ids[0], State::Closed, epoch());
    assert!((700..1_100).contains(&share(&roster)), "10 beside 100");
}

#[test]
fn r56_a_strict_primary_takes_over_again_once_it_holds() {
    let config = PoolConfig::new().tiering(Tiering::Strict);
    let mut roster = Roster::new(config, 1);
    let primary = roster.add("primary", EndpointSpec::new(), epoch());
    let standby = roster.add("standby", EndpointSpec::new().tier(1), epoch());
    roster.breaker_changed(primary, State::Open, epoch());
    roster.breaker_changed(primary, State::Closed, epoch() + SECOND);
    assert_eq!(loads(&roster), [0, 100]);
    roster.handle_deadline(epoch() + 11 * SECOND);
    assert_eq!(loads(&roster), [100, 0]);
    roster.breaker_changed(primary, State::Open, epoch() + 12 * SECOND);
    roster.breaker_changed(standby, State::Open, epoch() + 12 * SECOND);
    roster.breaker_changed(primary, State::Closed, epoch() + 13 * SECOND);
    assert_eq!(
        loads(&roster),
        [100, 0],
        "where nobody holds, it is better than none"
    );
}

#[test]
fn r50_calls_go_to_the_tiers_as_their_loads_say() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 2);
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    roster.breaker_changed(ids[0], State::Open, epoch());
    assert_eq!(loads(&roster), [70, 30]);
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert!((6_800..7_200).contains(&picked[&1]), "{picked:?}");
    assert_eq!(picked[&1] + picked[&2], 10_000);
}

#[test]
fn r52_who_waits_for_an_operator_or_a_check_does_not_return_by_itself() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 5);
    roster.assign(ids[0], Duty::Disabled, epoch());
    roster.assign(ids[1], Duty::Draining, epoch());
    for _ in 0..3 {
        roster.checked(ids[2], Check::Failed, epoch());
    }
    roster.breaker_changed(ids[3], State::Open, epoch());
    let returning = |roster: &Roster| roster.rotation().returning().collect::<Vec<_>>();
    assert_eq!(returning(&roster), [3, 4]);
    for _ in 0..3 {
        roster.checked(ids[3], Check::Failed, epoch());
    }
    assert_eq!(
        returning(&roster),
        [3, 4],
        "it is probed, as the tier panics"
    );
    roster.reconfigure(PoolConfig::new().panic_below(Ratio::percent(0)), epoch());
    assert_eq!(returning(&roster), [4]);
}

#[test]
fn r50_endpoints_that_join_hand_nothing_on_to_the_next_tier() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    roster.join("old", EndpointSpec::new(), epoch());
    roster.join("standby", EndpointSpec::new().tier(1), epoch());
    assert_eq!(loads(&roster), [100, 0], "all are new");
    for nth in 0..3 {
        roster.join(&format!("new{nth}"), EndpointSpec::new(), epoch() + SECOND);
    }
    assert_eq!(loads(&roster), [100, 0], "most are new");
    roster.remove(EndpointId(0), epoch() + 2 * SECOND);
    assert_eq!(loads(&roster), [100, 0], "the old one is gone");
}

#[test]
fn r54_a_probe_is_anybody_who_needs_one() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 10);
    roster.breakers_changed(ids.iter().map(|id| (*id, State::HalfOpen)), epoch());
    for free in 0..10 {
        let look = |seat| (seat == free).then_some(IDLE);
        let picked = picks(&roster.rotation(), Repeat::Idempotent, look);
        assert_eq!(picked, BTreeMap::from([(free, 10_000)]));
    }
    let picked = picks(&roster.rotation(), Repeat::Idempotent, |_| Some(IDLE));
    let is_fair = |picks: &u32| (900..1_100).contains(picks);
    assert!(
        picked.len() == 10 && picked.values().all(is_fair),
        "{picked:?}"
    );
}

#[test]
fn r51_only_calls_of_its_own_keys_probe_an_endpoint() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 10);
    let pick = |roster: &Roster, key| {
        let wish = Wish {
            attempt: Attempt::First,
            bits: key,
            key: Some(key),
            repeat: Repeat::Idempotent,
        };
        let pick = roster.rotation().pick(wish, || 0, |_| Some(IDLE));
        pick.map(|pick| pick.seat)
    };
    let all = |roster: &Roster| (0..1_000).map(|key| pick(roster, key)).collect::<Vec<_>>();
    let before = all(&roster);
    roster.breaker_changed(ids[3], State::HalfOpen, epoch());
    assert_eq!(all(&roster), before);
}

#[test]
fn r52_who_is_half_open_is_only_probed_also_in_panic() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 2);
    for id in &ids {
        for _ in 0..3 {
            roster.checked(*id, Check::Failed, epoch());
        }
    }
    roster.breaker_changed(ids[0], State::HalfOpen, epoch());
    let picked = picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE));
    assert_eq!(picked, BTreeMap::from([(1, 10_000)]));
    let picked = picks(&roster.rotation(), Repeat::Idempotent, |_| Some(IDLE));
    assert_eq!(picked, BTreeMap::from([(0, 10_000)]), "as a probe");
}

#[test]
fn r58_an_endpoint_that_joins_ramps_and_one_that_is_removed_is_gone() {
    let (mut roster, ids) = of_one_tier(PoolConfig::new(), 1);
    let new = roster.join("new", EndpointSpec::new(), epoch());
    let share = |roster: &Roster, id| roster.endpoints().find(|it| it.id == id).map(|it| it.share);
    assert_eq!(
        (share(&roster, ids[0]), share(&roster, new)),
        (Some(100), Some(10))
    );
    roster.remove(ids[0], epoch());
    roster.breaker_changed(ids[0], State::Open, epoch());
    assert_eq!(share(&roster, ids[0]), None);
    assert_eq!(roster.rotation().seats(), [new]);
    assert_eq!(
        picks(&roster.rotation(), Repeat::Never, |_| Some(IDLE)).len(),
        1
    );
}

#[test]
fn a_change_is_told_once_and_what_stays_is_not() {
    let mut roster = Roster::new(PoolConfig::new(), 1);
    let primary = roster.add("primary", EndpointSpec::new(), epoch());
    roster.add("standby", EndpointSpec::new().tier(1), epoch());
    let told = |roster: &mut Roster| std::iter::from_fn(|| roster.poll_change()).collect();
    let _begin: Vec<_> = told(&mut roster);
    for (state, from, to) in [
        (State::Open, EndpointStatus::Available, EndpointStatus::Open),
        (
            State::HalfOpen,
            EndpointStatus::Open,
            EndpointStatus::HalfOpen,
        ),
        (
            State::Closed,
            EndpointStatus::HalfOpen,
            EndpointStatus::Available,
        ),
    ] {
        roster.breaker_changed(primary, state, epoch());
        let changes: Vec<_> = told(&mut roster);
        let endpoint = RosterChange::Endpoint {
            from,
            id: primary,
            to,
        };
        assert_eq!(changes[0], endpoint);
        let loads = RosterChange::Loads(roster.rotation().loads().collect());
        let moved = state != State::HalfOpen;
        assert_eq!(changes[1..], if moved { vec![loads] } else { vec![] });
        assert!(roster.loads().iter().copied().eq(roster.rotation().loads()));
        roster.breaker_changed(primary, state, epoch());
        assert_eq!(roster.poll_change(), None);
    }
}

#[test]
fn r51_every_replica_knows_an_endpoint_by_the_same_number() {
    // Of the published vectors of FNV-1a.
    assert_eq!(identity(""), 0xCBF2_9CE4_8422_2325);
    assert_eq!(identity("a"), 0xAF63_DC4C_8601_EC8C);
    assert_eq!(identity("foobar"), 0x8594_4171_F739_67E8);
}
