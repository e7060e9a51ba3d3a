use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};
use proptest::test_runner::RngSeed;

use super::*;
use crate::supervision::intensity::Failures;

/// R32: the limit is charged when the failure happens, starts included.
#[test]
fn r32_failed_restarts_count_and_waiting_does_not_forgive_them() {
    let intensity = RestartIntensity::new(2, 10 * SECOND);
    let mut harness = Harness::new(intensity);
    let child = harness.up(ChildPolicy::new().backoff(Backoff::fixed(4 * SECOND)));
    harness.exit(child, Exit::Killed);
    for _ in 0..2 {
        harness.wait_out_the_backoff();
        harness.exit(child, Exit::InitFailed("no".into()));
    }
    // Failures at 0, 4 and 8 s; the restarts were due at 4, 8 and never.
    assert_eq!(
        harness.take_text(),
        "start 2, start 3, escalate, gave up, stop 3"
    );
}

/// R32, T18: the edge of the window is within it, and what is beyond is not.
#[test]
fn r32_a_failure_counts_until_it_is_older_than_the_period() {
    let millisecond = SECOND / 1_000;
    for (gap, again) in [(10 * SECOND, false), (10 * SECOND + millisecond, true)] {
        let mut harness = Harness::new(RestartIntensity::new(1, 10 * SECOND));
        let child = harness.up(ChildPolicy::new());
        harness.crash_and_restart(child);
        harness.now += gap;
        harness.take_directives();
        harness.crash(child);
        assert_eq!(harness.take_text() == "start 3", again, "{gap:?}");
    }
}

/// R32, T18: a backoff that is longer than the period never reaches the limit.
#[test]
fn r32_a_backoff_longer_than_the_period_restarts_for_ever() {
    let policy = ChildPolicy::new().backoff(Backoff::fixed(11 * SECOND));
    let mut harness = Harness::new(RestartIntensity::new(1, 10 * SECOND));
    let child = harness.up(policy);
    for _ in 0..10 {
        harness.crash(child);
        assert_eq!(harness.phase(child), Some(Phase::BackingOff));
        harness.wait_out_the_backoff();
    }
}

/// R32: per child before per supervisor.
#[test]
fn r32_a_child_at_its_own_limit_spares_the_supervisors() {
    let mut harness = Harness::new(RestartIntensity::new(2, 10 * SECOND));
    let own = RestartIntensity::new(1, 10 * SECOND);
    let bad = harness.up(ChildPolicy::new().intensity(own, OnLimit::StopChild));
    let good = harness.add(ChildPolicy::new());
    harness.start(good);
    harness.take_directives();
    harness.crash_and_restart(bad);
    harness.exit(bad, Exit::Killed);
    let directives = harness.take_directives();
    assert_eq!(
        directives[1..],
        [(bad, "gave up".to_owned()), (bad, "stop 2".to_owned())]
    );
    harness.exit(bad, Exit::Normal);
    assert_eq!(harness.take_text(), "ended gave up");
    // One failure of the bad child was charged to the supervisor, so one is left.
    harness.exit(good, Exit::Killed);
    assert_eq!(harness.take_text(), "start 2");
}

/// R32: escalation tells first and then stops everybody.
#[test]
fn r32_a_child_whose_limit_escalates_takes_everybody_down() {
    let mut harness = Harness::new(GENEROUS);
    let own = RestartIntensity::new(0, SECOND);
    let bad = harness.up(ChildPolicy::new().intensity(own, OnLimit::Escalate));
    let [one, two] = [(); 2].map(|()| harness.add(ChildPolicy::new()));
    harness.start(one);
    harness.start(two);
    harness.take_directives();
    harness.exit(bad, Exit::Killed);
    let directives = harness.take_directives();
    let expected = ["escalate", "gave up", "stop 1"].map(|text| (bad, text.to_owned()));
    assert_eq!(directives[..3], expected);
    assert_eq!(directives[3], (two, "stop 1".to_owned()));
    harness.exit(bad, Exit::Normal);
    harness.exit(two, Exit::Normal);
    assert_eq!(harness.stop_all(), [bad, two, one]);
    assert!(harness.supervision.is_over());
}

/// R32: time that runs backwards counts as standing still.
#[test]
fn r32_an_earlier_now_counts_as_the_latest_seen() {
    let mut harness = Harness::new(RestartIntensity::new(1, SECOND));
    let child = harness.up(ChildPolicy::new());
    harness.now += 10 * SECOND;
    harness.crash_and_restart(child);
    harness.now -= 9 * SECOND;
    harness.exit(child, Exit::Killed);
    assert_eq!(harness.take_text(), "start 2, escalate, gave up, stop 2");
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    /// R32: the window slides, as a list of all failures says.
    #[test]
    fn r32_the_intensity_agrees_with_a_list_of_all_failures(
        restarts in 0_u32..5,
        period in 1_u32..20,
        gaps in prop::collection::vec(0_u32..12, 1..60),
    ) {
        let intensity = RestartIntensity::new(restarts, period * SECOND);
        let mut failures = Failures::default();
        let (mut now, mut all) = (epoch(), Vec::new());
        for gap in gaps {
            now += SECOND * gap;
            all.push(now);
            let recent = all.iter().filter(|at| now - **at <= intensity.period()).count();
            prop_assert_eq!(failures.charge(intensity, now), recent > restarts as usize);
        }
    }
}
