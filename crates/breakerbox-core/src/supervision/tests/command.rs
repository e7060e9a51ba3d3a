use super::*;

/// R36: unknown ids are told, and an id is never used twice.
#[test]
fn r36_a_removed_child_is_unknown_and_its_id_is_not_reused() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(ChildPolicy::new());
    assert!(harness.remove(child));
    assert!(
        !harness.stop(child) && !harness.restart(child),
        "it is being forgotten"
    );
    harness.end(child);
    assert!(!harness.remove(child) && !harness.stop(child) && !harness.restart(child));
    assert_ne!(harness.add(ChildPolicy::new()), child);
}

/// R36: neither its restart type nor its group starts what was stopped.
#[test]
fn r36_a_stopped_child_is_kept_down_until_it_is_restarted() {
    let temporary = ChildPolicy::new().restart(Restart::Temporary);
    for policy in [ChildPolicy::new(), temporary] {
        let (mut harness, [a, b]) =
            Harness::group(Strategy::OneForAll, [ChildPolicy::new(), policy]);
        assert!(harness.stop(b));
        harness.crash(b);
        assert_eq!(harness.said(), "stop b1, b ended stopped");
        harness.crash(a);
        assert_eq!(harness.run_to_rest(), "start a2");
        let last_exit = harness.supervision.status(b).unwrap().last_exit.clone();
        assert_eq!(last_exit, Some(Exit::Killed));
        assert!(harness.restart(b));
        assert_eq!(harness.run_to_rest(), "start b2");
    }
}

/// R36: a restart is in place, alone, and charged to nobody.
#[test]
fn r36_a_restart_by_hand_is_charged_to_nobody() {
    let none = RestartIntensity::new(0, 1_000 * SECOND);
    for strategy in [
        Strategy::OneForAll,
        Strategy::OneForOne,
        Strategy::RestForOne,
    ] {
        let policy = ChildPolicy::new().intensity(none, OnLimit::StopChild);
        let supervision = Supervision::new(strategy, none, 7);
        let (mut harness, [a, _]) = Harness::all_up(supervision, [policy; 2]);
        for next in 2..5 {
            assert!(harness.restart(a) && harness.restart(a), "twice is once");
            let former = next - 1;
            assert_eq!(
                harness.run_to_rest(),
                format!("end a{former}, start a{next}")
            );
        }
    }
}

/// R36: calm before a restart by hand counts as calm.
#[test]
fn r36_a_restart_by_hand_does_not_hide_that_the_child_was_calm() {
    let backoff = Backoff::exponential(SECOND, 60 * SECOND);
    let policy = ChildPolicy::new().backoff(backoff).calm_after(20 * SECOND);
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(policy);
    harness.crash(child);
    harness.jump_to_the_deadline();
    harness.start(child);
    harness.now += 20 * SECOND;
    harness.restart(child);
    harness.end(child);
    harness.start(child);
    harness.crash(child);
    assert_eq!(harness.wait_out_the_backoff(), SECOND);
}

/// R36: what a restart does to a child that is being stopped, and to which not.
#[test]
fn r36_a_restart_of_a_stopping_child_starts_it_once_it_is_down() {
    let (mut harness, [a, b, _]) = Harness::group(Strategy::OneForOne, [ChildPolicy::new(); 3]);
    assert!(harness.stop(a) && harness.restart(a));
    harness.crash(a);
    assert_eq!(harness.said(), "stop a1, a ended stopped, start a2");
    // Whoever speaks last decides.
    assert!(harness.stop(b) && harness.restart(b) && harness.stop(b));
    harness.end(b);
    assert_eq!(harness.said(), "stop b1, b ended stopped");
    assert!(harness.stop(a) && harness.restart(a) && harness.remove(a));
    harness.end(a);
    assert_eq!(harness.said(), "stop a2, a ended removed");
}

/// R36: a child that was stopped before it was ever started.
#[test]
fn r36_a_child_can_be_stopped_and_restarted_before_the_boot() {
    let mut harness = Harness::new(GENEROUS);
    let [a, b] = [(); 2].map(|()| harness.add(ChildPolicy::new()));
    assert!(harness.stop(a) && harness.stop(b) && harness.restart(b));
    harness.supervision.boot(harness.now);
    assert_eq!(
        harness.run_to_rest(),
        "a ended stopped, b ended stopped, start b1"
    );
    assert!(harness.supervision.is_booted());
    assert!(harness.restart(a));
    assert_eq!(harness.run_to_rest(), "start a1");
}

/// R36: nothing is restarted once the supervision stops.
#[test]
fn r36_a_restart_is_refused_while_the_supervision_stops() {
    let (mut harness, [a, b]) = Harness::group(Strategy::OneForOne, [ChildPolicy::new(); 2]);
    assert!(harness.stop(a) && harness.restart(a));
    harness.shutdown();
    assert!(!harness.restart(a) && !harness.restart(b));
    assert!(harness.stop(b));
    assert_eq!(
        harness.run_to_rest(),
        "stop a1, stop b1, a ended stopped, b ended shut down"
    );
    assert!(harness.supervision.is_over());
}

/// R36: a finished child that is then stopped stays down with its group, too.
#[test]
fn r36_a_finished_child_that_is_stopped_is_not_taken_up_by_its_group() {
    let transient = ChildPolicy::new().restart(Restart::Transient);
    let (mut harness, [a, b]) =
        Harness::group(Strategy::OneForAll, [ChildPolicy::new(), transient]);
    harness.end(b);
    harness.end(b);
    assert!(harness.stop(b));
    assert_eq!(harness.run_to_rest(), "stop b1, b ended finished");
    harness.crash(a);
    assert_eq!(harness.run_to_rest(), "start a2");
}
