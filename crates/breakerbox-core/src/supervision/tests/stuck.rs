use super::*;

const PLAIN: ChildPolicy = ChildPolicy::new();

/// R34: why each child was stopped, and whether it is kept once it is gone.
#[test]
fn r34_the_end_of_a_stuck_child_is_told_at_once_and_it_is_known_until_it_is_gone() {
    type Stop = fn(&mut Harness, ChildId);
    let none = RestartIntensity::new(0, SECOND);
    let (temporary, transient) = (Restart::Temporary, Restart::Transient);
    let limited = PLAIN.intensity(none, OnLimit::StopChild);
    let remove: Stop = |harness, child| assert!(harness.remove(child));
    let table: [(ChildPolicy, Stop, &str, Option<Phase>); 7] = [
        (PLAIN, remove, "ended removed", None),
        (
            PLAIN,
            |harness, child| assert!(harness.stop(child)),
            "ended stopped",
            Some(Phase::Down),
        ),
        (
            PLAIN.restart(transient),
            Harness::end,
            "ended finished",
            Some(Phase::Down),
        ),
        (
            PLAIN.restart(temporary),
            Harness::end,
            "ended finished",
            None,
        ),
        (limited, Harness::crash, "ended gave up", Some(Phase::Down)),
        (
            PLAIN,
            |harness, _| harness.shutdown(),
            "ended shut down",
            Some(Phase::Down),
        ),
        (
            PLAIN,
            |harness, child| {
                assert!(harness.stop(child) && harness.restart(child));
                assert!(harness.remove(child));
            },
            "ended removed",
            None,
        ),
    ];
    for (policy, stop, told, kept) in table {
        let mut harness = Harness::new(GENEROUS);
        let child = harness.up(policy);
        stop(&mut harness, child);
        harness.take_directives();
        harness.stuck(child);
        harness.stuck(child);
        assert_eq!(harness.take_text(), told);
        assert_eq!(harness.phase(child), Some(Phase::Stuck), "{told}");
        assert!(harness.forgotten.is_empty());
        harness.crash(child);
        harness.crash(child);
        assert_eq!(harness.take_text(), "", "{told}");
        assert_eq!(harness.phase(child), kept, "{told}");
        assert_eq!(harness.forgotten.contains(&child), kept.is_none());
    }
}

/// R34: so is the end of one that blocks its thread while it starts.
#[test]
fn r34_a_child_that_is_stuck_in_its_first_start_is_told_and_keeps_its_place() {
    let mut harness = Harness::new(GENEROUS);
    harness.supervision.boot(harness.now);
    let child = harness.add(PLAIN);
    harness.exit(child, Exit::InitFailed("no".into()));
    harness.stuck(child);
    assert_eq!(harness.said(), "start a1, stop a1, a ended start failed");
    assert!(!harness.stop(child) && !harness.restart(child));
    assert_eq!(harness.phase(child), Some(Phase::Stuck));
    harness.crash(child);
    assert_eq!(harness.phase(child), None);
    harness.take_directives();
    assert!(harness.forgotten.contains(&child));
}

/// R33: nothing is said of another incarnation, or of a child that may go on.
#[test]
fn r33_only_a_child_that_was_asked_to_end_gets_stuck() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(PLAIN);
    harness.stuck(child);
    assert_eq!(harness.phase(child), Some(Phase::Up));
    harness.stop(child);
    let next = Incarnation::FIRST.next();
    harness.supervision.stuck(child, next, harness.now);
    assert_eq!(harness.phase(child), Some(Phase::Stopping));
    assert_eq!(harness.said(), "stop a1");
    let unknown = ChildId::new(7);
    harness.supervision.stuck(unknown, next, harness.now);
}

/// R33: no incarnation starts beside one that is stuck.
#[test]
fn r33_a_stuck_child_is_restarted_once_it_is_gone() {
    type Begin = fn(&mut Harness, ChildId);
    let table: [(Begin, &str); 4] = [
        (
            |harness, child| {
                harness.stop(child);
                harness.stuck(child);
                assert!(harness.restart(child));
            },
            "stop a1, a ended stopped",
        ),
        (
            |harness, child| {
                harness.stop(child);
                assert!(harness.restart(child));
                harness.stuck(child);
            },
            "stop a1, a ended stopped",
        ),
        (
            |harness, child| {
                assert!(harness.restart(child));
                harness.stuck(child);
                assert!(harness.restart(child));
            },
            "end a1",
        ),
        (
            |harness, child| {
                harness.stop(child);
                harness.stuck(child);
                assert!(harness.restart(child) && harness.stop(child));
                assert!(harness.restart(child));
            },
            "stop a1, a ended stopped, a ended stopped",
        ),
    ];
    for (begin, said) in table {
        for strategy in [Strategy::OneForAll, Strategy::OneForOne] {
            let (mut harness, [child, _]) = Harness::group(strategy, [PLAIN; 2]);
            begin(&mut harness, child);
            harness.now += SECOND;
            harness.jump_to_the_deadline();
            assert_eq!(harness.said(), said);
            assert_eq!(harness.phase(child), Some(Phase::Stuck));
            harness.crash(child);
            assert_eq!(harness.said(), "start a2");
        }
    }
}

/// R36: whoever stops or removes it hears at once, and it does not come back.
#[test]
fn r36_a_stuck_child_can_be_stopped_and_removed() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(PLAIN);
    harness.stop(child);
    harness.stuck(child);
    harness.take_directives();
    for round in 0..2 {
        assert!(harness.restart(child) && harness.stop(child), "{round}");
        assert_eq!(harness.said(), "a ended stopped");
    }
    assert!(harness.restart(child) && harness.remove(child) && harness.remove(child));
    assert_eq!(harness.said(), "a ended removed, a ended removed");
    assert!(!harness.stop(child) && !harness.restart(child), "it goes");
    harness.crash(child);
    assert_eq!(harness.said(), "");
    assert!(harness.forgotten.contains(&child));
}

/// R33, R34: a group is stopped without its stuck child, which starts in its turn.
#[test]
fn r33_a_group_stops_without_its_stuck_child_and_starts_no_other_in_its_place() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let (mut harness, [a, b, _]) = Harness::group(strategy, [PLAIN; 3]);
        harness.crash(a);
        harness.take_directives();
        let c = ChildId::new(2);
        harness.end(c);
        harness.stuck(b);
        assert_eq!(harness.said(), "end b1, start a2");
        harness.start(a);
        assert_eq!(harness.said(), "", "b is stuck, and c may need it");
        harness.crash(a);
        harness.start(a);
        assert_eq!(
            harness.said(),
            "start a3",
            "it does not hold up the next restart"
        );
        harness.crash(b);
        assert_eq!(harness.run_to_rest(), "start b2, start c2");
    }
}

/// R36: a group goes on without a stuck child that is stopped or removed.
#[test]
fn r36_a_group_goes_on_without_its_stuck_child_once_that_is_given_up() {
    type Command = fn(&mut Harness, ChildId) -> bool;
    let commands: [(Command, &str); 2] = [
        (Harness::stop, "b ended stopped, start c2"),
        (Harness::remove, "b ended removed, start c2"),
    ];
    for (command, said) in commands {
        let (mut harness, [a, b, c]) = Harness::group(Strategy::OneForAll, [PLAIN; 3]);
        harness.crash(a);
        harness.end(c);
        harness.stuck(b);
        harness.start(a);
        harness.take_directives();
        assert!(command(&mut harness, b));
        assert_eq!(harness.said(), "stop b1");
        harness.stuck(b);
        assert_eq!(harness.said(), said);
    }
}

/// R32: one that had finished joins the restart of its group, once it is gone; one
/// that is stopped, given up or temporary does not.
#[test]
fn r32_a_group_takes_up_the_stuck_children_that_had_finished_and_no_others() {
    let policies = [
        PLAIN,
        PLAIN.restart(Restart::Transient),
        PLAIN.restart(Restart::Temporary),
        PLAIN,
        PLAIN,
    ];
    let (mut harness, [a, finished, temporary, stopped, _]) =
        Harness::group(Strategy::OneForAll, policies);
    harness.end(finished);
    harness.end(temporary);
    harness.stop(stopped);
    for child in [finished, temporary, stopped] {
        harness.stuck(child);
    }
    harness.take_directives();
    harness.crash(a);
    harness.end(ChildId::new(4));
    harness.start(a);
    assert_eq!(harness.said(), "end e1, start a2");
    for child in [temporary, stopped] {
        harness.crash(child);
    }
    assert_eq!(harness.said(), "");
    harness.crash(finished);
    assert_eq!(harness.run_to_rest(), "start b2, start e2");
    let phases = [temporary, stopped].map(|child| harness.phase(child));
    assert_eq!(phases, [None, Some(Phase::Down)]);
}

/// R42: a shutdown waits for no stuck child, whenever it got stuck.
#[test]
fn r42_a_shutdown_is_over_though_children_are_stuck() {
    let (mut harness, [a, b, c, d]) = Harness::group(Strategy::OneForOne, [PLAIN; 4]);
    harness.stop(a);
    harness.stuck(a);
    harness.restart(b);
    harness.stuck(b);
    harness.stop(c);
    harness.stuck(c);
    harness.restart(c);
    harness.take_directives();
    harness.shutdown();
    assert_eq!(harness.said(), "stop d1");
    harness.stuck(d);
    assert_eq!(
        harness.said(),
        "d ended shut down, c ended shut down, stop b1"
    );
    assert!(!harness.supervision.is_over());
    harness.stuck(b);
    assert_eq!(harness.said(), "b ended shut down");
    assert!(harness.supervision.is_over());
    for child in [a, b, c, d] {
        assert_eq!(harness.phase(child), Some(Phase::Stuck));
        harness.crash(child);
        assert_eq!(harness.phase(child), Some(Phase::Down));
    }
    assert_eq!(harness.said(), "");
}

/// R42: nor is one started that is gone only after the shutdown has begun.
#[test]
fn r42_a_stuck_child_that_is_gone_during_the_shutdown_is_not_started() {
    let (mut harness, [a, b]) = Harness::group(Strategy::OneForOne, [PLAIN; 2]);
    harness.stop(a);
    harness.restart(a);
    harness.stuck(a);
    harness.shutdown();
    harness.crash(a);
    harness.end(b);
    assert_eq!(
        harness.said(),
        "stop a1, a ended stopped, stop b1, a ended shut down, b ended shut down"
    );
    assert!(harness.supervision.is_over());
}

/// R32: one that is stuck is no longer one of the significant children that are left.
#[test]
fn r32_a_stuck_significant_child_does_not_hold_up_the_automatic_shutdown() {
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7)
        .auto_shutdown(AutoShutdown::AllSignificant);
    let significant = PLAIN.restart(Restart::Transient).significant();
    let (mut harness, [a, b]) = Harness::all_up(supervision, [significant; 2]);
    harness.stop(a);
    harness.stuck(a);
    harness.take_directives();
    harness.end(b);
    assert_eq!(harness.said(), "b auto shutdown, stop b1");
}
