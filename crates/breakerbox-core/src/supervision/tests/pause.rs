use super::*;

const CALM: Duration = Duration::from_secs(20);
const DOUBLING: OnLimit = OnLimit::Pause(Backoff::exponential(
    Duration::from_secs(2),
    Duration::from_secs(60),
));
const LONG: Duration = Duration::from_secs(1_000);

/// R32: a pause is a breaker around restarts.
#[test]
fn r32_a_pause_lets_one_restart_through_and_grows_until_one_lasts() {
    let limit = RestartIntensity::new(1, LONG);
    let policy = ChildPolicy::new()
        .intensity(limit, DOUBLING)
        .calm_after(CALM);
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(policy);
    harness.crash_and_restart(child);
    assert_eq!(harness.said(), "start a2");
    for (uptime, pause) in [(0, 2), (0, 4), (19, 8)] {
        harness.now += uptime * SECOND;
        harness.crash(child);
        assert_eq!(harness.phase(child), Some(Phase::Paused));
        assert_eq!(harness.wait_out_the_backoff(), pause * SECOND);
        harness.start(child);
        harness.take_directives();
    }
    // Calm: the failures are forgotten, so that one is borne and the next is not.
    harness.now += CALM;
    harness.crash_and_restart(child);
    assert_eq!(harness.said(), "start a6");
    harness.crash(child);
    assert_eq!(harness.wait_out_the_backoff(), 2 * SECOND);
}

/// R32: a restart that a pause let through and that does not come up has failed.
#[test]
fn r32_a_restart_after_a_pause_that_hangs_in_its_start_is_no_success() {
    let none = RestartIntensity::new(0, LONG);
    let supervision = Supervision::new(Strategy::OneForOne, none, 7).on_limit(DOUBLING);
    let (mut harness, [child]) =
        Harness::all_up(supervision, [ChildPolicy::new().calm_after(CALM)]);
    harness.crash(child);
    for pause in [2, 4, 8] {
        assert_eq!(harness.wait_out_the_backoff(), pause * SECOND);
        harness.now += 2 * CALM;
        harness.exit(child, Exit::InitFailed("timeout".into()));
    }
}

/// R32: a paused child is not charged to the supervisor.
#[test]
fn r32_a_child_that_is_paused_spares_the_supervisors_limit() {
    let once = RestartIntensity::new(1, LONG);
    let none = RestartIntensity::new(0, LONG);
    let supervision = Supervision::new(Strategy::OneForOne, once, 7);
    let bad = ChildPolicy::new().intensity(none, DOUBLING);
    let (mut harness, [bad, good]) = Harness::all_up(supervision, [bad, ChildPolicy::new()]);
    for _ in 0..3 {
        harness.crash(bad);
        harness.jump_to_the_deadline();
    }
    harness.take_directives();
    harness.crash(good);
    assert_eq!(harness.said(), "start b2");
}

/// R32: while the supervision pauses, everybody who fails waits for its end.
#[test]
fn r32_a_supervision_that_pauses_holds_everybody_who_fails() {
    let once = RestartIntensity::new(1, LONG);
    let supervision = Supervision::new(Strategy::OneForOne, once, 7).on_limit(DOUBLING);
    let policy = ChildPolicy::new().calm_after(CALM);
    let (mut harness, [a, b, c]) = Harness::all_up(supervision, [policy; 3]);
    harness.crash_and_restart(a);
    harness.crash(a);
    harness.now += SECOND;
    harness.crash(b);
    assert_eq!(harness.said(), "start a2");
    assert_eq!(
        [a, b, c].map(|child| harness.phase(child)),
        [Some(Phase::Paused), Some(Phase::Paused), Some(Phase::Up)]
    );
    assert_eq!(harness.wait_out_the_backoff(), SECOND);
    assert_eq!(harness.said(), "start a3, start b2");
    harness.start(a);
    harness.start(b);
    // One that was up all the time does not make the pause a success.
    harness.now += CALM - SECOND;
    harness.crash(c);
    assert_eq!(harness.wait_out_the_backoff(), 4 * SECOND);
    harness.start(c);
    harness.now += CALM;
    harness.crash(a);
    assert_eq!(harness.said(), "start c2, start a4");
}

/// R32: the supervision's other answers to its limit.
#[test]
fn r32_a_supervision_can_stop_the_child_that_exceeds_its_limit() {
    let once = RestartIntensity::new(1, LONG);
    let supervision = Supervision::new(Strategy::OneForAll, once, 7).on_limit(OnLimit::StopChild);
    let (mut harness, [a, b]) = Harness::all_up(supervision, [ChildPolicy::new(); 2]);
    harness.crash(a);
    assert_eq!(harness.run_to_rest(), "end b1, start a2, start b2");
    harness.crash(a);
    assert_eq!(harness.run_to_rest(), "a gave up, stop a2, a ended gave up");
    assert_eq!(
        [a, b].map(|child| harness.phase(child)),
        [Some(Phase::Down), Some(Phase::Up)]
    );
}

/// R32: a pause in a group keeps all of it down.
#[test]
fn r32_a_group_is_down_during_the_pause_of_one_of_its_children() {
    let none = RestartIntensity::new(0, LONG);
    let bad = ChildPolicy::new().intensity(none, DOUBLING);
    let (mut harness, [a, b]) = Harness::group(Strategy::OneForAll, [bad, ChildPolicy::new()]);
    for (pause, incarnation) in [(2, 2), (4, 3)] {
        harness.crash(a);
        assert_eq!(harness.phase(a), Some(Phase::Paused));
        // However long it takes to stop, the pause is as long as it is.
        harness.now += 10 * SECOND;
        harness.end(b);
        assert_eq!(harness.phase(b), Some(Phase::BackingOff));
        assert_eq!(harness.wait_out_the_backoff(), pause * SECOND);
        harness.take_directives();
        harness.start(a);
        assert_eq!(harness.said(), format!("start b{incarnation}"));
        harness.start(b);
    }
}

/// R36: a restart by hand ends a pause, and is what the pause lets through.
#[test]
fn r36_a_restart_ends_a_pause_without_forgiving() {
    let none = RestartIntensity::new(0, LONG);
    let policy = ChildPolicy::new()
        .intensity(none, DOUBLING)
        .calm_after(CALM);
    for (uptime, pause) in [(0, 4), (1, 4), (20, 2)] {
        let mut harness = Harness::new(GENEROUS);
        let child = harness.up(policy);
        harness.crash(child);
        assert!(harness.restart(child));
        assert_eq!(harness.said(), "start a2");
        assert_eq!(harness.supervision.next_deadline(), None);
        harness.start(child);
        harness.now += uptime * SECOND;
        harness.crash(child);
        assert_eq!(
            harness.wait_out_the_backoff(),
            pause * SECOND,
            "up {uptime} s"
        );
    }
}
