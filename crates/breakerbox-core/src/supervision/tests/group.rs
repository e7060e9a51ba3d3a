use super::*;

const PLAIN: ChildPolicy = ChildPolicy::new();

/// R32: who is ended and started with the one that failed.
#[test]
fn r32_the_strategy_decides_who_is_restarted_with_a_child() {
    let table = [
        (
            Strategy::OneForAll,
            "end c1, end a1, start a2, start b2, start c2",
        ),
        (Strategy::OneForOne, "start b2"),
        (Strategy::RestForOne, "end c1, start b2, start c2"),
    ];
    for (strategy, expected) in table {
        let (mut harness, [a, b, c]) = Harness::group(strategy, [PLAIN; 3]);
        harness.crash(b);
        let mut said = vec![harness.said()];
        for child in [c, a] {
            if harness.phase(child) == Some(Phase::Stopping) {
                harness.end(child);
                said.push(harness.said());
            }
        }
        for child in [a, b, c] {
            if harness.phase(child) == Some(Phase::Starting) {
                harness.start(child);
                said.push(harness.said());
            }
        }
        said.retain(|words| !words.is_empty());
        assert_eq!(said.join(", "), expected, "{strategy:?}");
    }
}

/// R32: one after another in reverse, then the backoff, then forward.
#[test]
fn r32_a_group_is_down_while_it_backs_off() {
    let (mut harness, [a, b, c]) = Harness::group(Strategy::OneForAll, [backing_off(); 3]);
    harness.crash(a);
    assert_eq!(harness.said(), "end c1");
    harness.now += 10 * SECOND;
    harness.end(c);
    assert_eq!(harness.said(), "end b1");
    assert_eq!(harness.supervision.next_deadline(), None);
    harness.end(b);
    assert_eq!(harness.said(), "");
    assert_eq!(
        [a, b, c].map(|child| harness.phase(child)),
        [Some(Phase::BackingOff); 3]
    );
    assert_eq!(harness.wait_out_the_backoff(), SECOND);
    for (child, start) in [(a, "start a2"), (b, "start b2"), (c, "start c2")] {
        assert_eq!(harness.said(), start);
        harness.start(child);
    }
    assert_eq!(harness.said(), "");
}

/// R33, T12: two failures at the same time are one restart and one charge.
#[test]
fn r33_two_failures_at_once_are_one_group_restart() {
    let once = RestartIntensity::new(1, 1_000 * SECOND);
    let supervision = Supervision::new(Strategy::OneForAll, once, 7);
    let (mut harness, [a, b, c]) = Harness::all_up(supervision, [PLAIN; 3]);
    harness.crash(a);
    harness.crash(b);
    assert_eq!(harness.said(), "end c1");
    harness.crash(c);
    assert_eq!(harness.said(), "start a2");
    harness.start(a);
    harness.start(b);
    harness.start(c);
    assert_eq!(harness.said(), "start b2, start c2");
    // The one restart that is allowed was charged once; now it is too many.
    harness.crash(b);
    assert_eq!(harness.said(), "b escalate, b gave up, stop b2, stop c2");
}

/// R33: that a failure joins a group restart does not hide an earlier calm.
#[test]
fn r33_a_joined_failure_does_not_hide_that_the_child_was_calm() {
    let doubling = Backoff::exponential(SECOND, 60 * SECOND);
    let patient = PLAIN.backoff(doubling).calm_after(20 * SECOND);
    let (mut harness, [a, b, _]) = Harness::group(Strategy::OneForAll, [PLAIN, patient, PLAIN]);
    for (uptime, wait) in [(0, 1), (0, 2), (20, 1)] {
        harness.now += uptime * SECOND;
        if uptime > 0 {
            harness.crash(a);
            harness.crash(b);
            harness.run_to_rest();
        }
        let before = harness.now;
        harness.crash(b);
        harness.run_to_rest();
        assert_eq!(harness.now - before, wait * SECOND, "up {uptime} s");
    }
}

/// R33, T11: nobody is started before a busy sibling has ended.
#[test]
fn r33_a_group_waits_for_a_busy_sibling() {
    let (mut harness, [a, b]) = Harness::group(Strategy::OneForAll, [PLAIN; 2]);
    harness.crash(a);
    harness.take_directives();
    for _ in 0..3 {
        harness.now += 60 * SECOND;
        harness.jump_to_the_deadline();
        harness.start(b);
    }
    assert_eq!(harness.said(), "");
    harness.end(b);
    assert_eq!(harness.said(), "start a2");
}

/// R33: what fails while the group starts begins the plan anew, and is charged.
#[test]
fn r33_a_child_that_does_not_come_up_with_its_group_begins_it_anew() {
    for exit in [Exit::InitFailed("no".into()), Exit::Killed] {
        let twice = RestartIntensity::new(2, 1_000 * SECOND);
        let supervision = Supervision::new(Strategy::OneForAll, twice, 7);
        let (mut harness, [a, b, c]) = Harness::all_up(supervision, [PLAIN; 3]);
        harness.crash(c);
        harness.end(b);
        harness.end(a);
        harness.start(a);
        harness.take_directives();
        harness.exit(b, exit);
        assert_eq!(harness.said(), "end a2");
        harness.end(a);
        assert_eq!(harness.said(), "start a3");
        harness.start(a);
        // That was the second charge; the third one is too many.
        harness.crash(a);
        assert_eq!(
            harness.said(),
            "start b3, a escalate, a gave up, stop a3, stop c1"
        );
    }
}

/// R33: in a rest for one, what is up again is left alone by later failures.
#[test]
fn r33_a_later_failure_of_the_rest_spares_who_is_up_again() {
    let (mut harness, [a, b, c]) = Harness::group(Strategy::RestForOne, [PLAIN; 3]);
    harness.crash(a);
    harness.end(c);
    harness.end(b);
    harness.start(a);
    harness.take_directives();
    harness.crash(b);
    assert_eq!(harness.said(), "start b3");
    harness.start(b);
    harness.start(c);
    assert_eq!(harness.said(), "start c2");
}

/// R33: the plan is widened by the failure of an earlier child.
#[test]
fn r33_an_earlier_failure_widens_the_rest() {
    let (mut harness, [a, b, c, d]) = Harness::group(Strategy::RestForOne, [PLAIN; 4]);
    harness.crash(c);
    assert_eq!(harness.said(), "end d1");
    harness.crash(a);
    assert_eq!(harness.said(), "");
    harness.end(d);
    assert_eq!(harness.said(), "end b1");
    harness.end(b);
    for child in [a, b, c, d] {
        harness.start(child);
    }
    assert_eq!(harness.said(), "start a2, start b2, start c2, start d2");
}

/// R33: no wait is cut short by another child that has a shorter one.
#[test]
fn r33_a_group_waits_for_the_longest_of_its_waits() {
    let patient = PLAIN.backoff(Backoff::fixed(10 * SECOND));
    let (mut harness, [a, b]) = Harness::group(Strategy::RestForOne, [backing_off(), patient]);
    harness.crash(b);
    harness.now += SECOND;
    harness.crash(a);
    assert_eq!(harness.wait_out_the_backoff(), SECOND);
    assert_eq!(harness.said(), "");
    assert_eq!(harness.wait_out_the_backoff(), 8 * SECOND);
    assert_eq!(harness.said(), "start a2");
    harness.start(a);
    assert_eq!(harness.said(), "start b2");
}

/// R32: which of those that do not run are started with their group, as in OTP.
#[test]
fn r32_a_group_takes_up_who_had_finished_and_nobody_else() {
    let none = RestartIntensity::new(0, SECOND);
    let policies = [
        PLAIN,
        PLAIN.restart(Restart::Transient),
        PLAIN.restart(Restart::Temporary),
        PLAIN.intensity(none, OnLimit::StopChild),
        PLAIN,
    ];
    let (mut harness, [a, finished, temporary, given_up, stopped]) =
        Harness::group(Strategy::OneForAll, policies);
    harness.end(finished);
    harness.end(finished);
    harness.crash(given_up);
    harness.end(given_up);
    harness.stop(stopped);
    harness.end(stopped);
    harness.take_directives();
    harness.crash(a);
    assert_eq!(harness.said(), "stop c1");
    harness.end(temporary);
    assert_eq!(harness.said(), "c ended finished, start a2");
    assert_eq!(harness.phase(temporary), None);
    harness.start(a);
    assert_eq!(harness.said(), "start b2");
    harness.start(finished);
    assert_eq!(harness.said(), "");
    let down = [given_up, stopped].map(|child| harness.phase(child));
    assert_eq!(down, [Some(Phase::Down); 2]);
}

/// R32: a temporary child that dies while its group is being stopped.
#[test]
fn r32_a_temporary_child_that_dies_with_its_group_is_not_restarted() {
    let temporary = PLAIN.restart(Restart::Temporary);
    let (mut harness, [a, b, _]) = Harness::group(Strategy::OneForAll, [PLAIN, temporary, PLAIN]);
    harness.crash(a);
    harness.crash(b);
    assert_eq!(harness.said(), "end c1, stop b1");
    assert_eq!(
        harness.run_to_rest(),
        "b ended finished, start a2, start c2"
    );
}

/// R32: one that finishes while its group starts is not started for ever.
#[test]
fn r32_a_child_that_finishes_while_it_starts_leaves_the_group() {
    let transient = PLAIN.restart(Restart::Transient);
    let (mut harness, [a, b, c]) = Harness::group(Strategy::OneForAll, [PLAIN, transient, PLAIN]);
    harness.crash(a);
    harness.end(c);
    harness.end(b);
    harness.start(a);
    harness.take_directives();
    harness.end(b);
    harness.end(b);
    assert_eq!(harness.said(), "stop b2, b ended finished, start c2");
}

/// R36: what is added while a group restarts starts after it, otherwise at once.
#[test]
fn r36_a_child_that_is_added_during_a_group_restart_waits_its_turn() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let (mut harness, [a, b]) = Harness::group(strategy, [PLAIN; 2]);
        harness.crash(a);
        let added = harness.add(PLAIN);
        assert_eq!(harness.said(), "end b1");
        harness.end(b);
        harness.start(a);
        harness.start(b);
        assert_eq!(harness.said(), "start a2, start b2, start c1");
        // It had never been up, so it fails alone.
        harness.exit(added, Exit::InitFailed("no".into()));
        harness.end(added);
        assert_eq!(harness.said(), "stop c1, c ended start failed");
        harness.add(PLAIN);
        assert_eq!(harness.said(), "start d1");
    }
    let (mut harness, [a]) = Harness::group(Strategy::OneForOne, [backing_off()]);
    harness.crash(a);
    harness.add(PLAIN);
    assert_eq!(harness.said(), "start b1");
}

/// R30: a boot in which an earlier child dies restarts the group and goes on.
#[test]
fn r30_a_boot_survives_the_failure_of_a_child_that_was_up() {
    let mut harness = Harness::around(Supervision::new(Strategy::OneForAll, GENEROUS, 7));
    let [a, b, c] = [(); 3].map(|()| harness.add(PLAIN));
    harness.supervision.boot(harness.now);
    harness.start(a);
    harness.crash(a);
    assert_eq!(harness.said(), "start a1, start b1, end b1");
    harness.end(b);
    harness.start(a);
    harness.start(b);
    assert!(!harness.supervision.is_booted());
    harness.start(c);
    assert_eq!(harness.said(), "start a2, start b2, start c1");
    assert!(harness.supervision.is_booted());
}

/// R30: one that never was up fails the boot, also in its second try.
#[test]
fn r30_a_child_that_was_interrupted_in_its_boot_can_still_fail_it() {
    let mut harness = Harness::around(Supervision::new(Strategy::OneForAll, GENEROUS, 7));
    let [a, b] = [(); 2].map(|()| harness.add(PLAIN));
    harness.supervision.boot(harness.now);
    harness.start(a);
    harness.crash(a);
    harness.end(b);
    harness.start(a);
    harness.take_directives();
    harness.exit(b, Exit::InitFailed("no".into()));
    assert_eq!(harness.said(), "b escalate, stop b2");
}

/// R36, T7: each command in each part of a group restart, and what comes of it.
#[test]
fn r36_a_group_restart_bears_every_command_in_each_of_its_parts() {
    let remove = |harness: &mut Harness, child| assert!(harness.remove(child));
    let stop = |harness: &mut Harness, child| assert!(harness.stop(child));
    let restart = |harness: &mut Harness, child| assert!(harness.restart(child));
    type Command = fn(&mut Harness, ChildId);
    let table: [(usize, Command, &str); 12] = [
        // b failed and is held while c is being ended.
        (
            0,
            remove,
            "stop b1, b ended removed, end a1, start a2, start c2",
        ),
        (
            0,
            stop,
            "stop b1, b ended stopped, end a1, start a2, start c2",
        ),
        (0, restart, "end a1, start a2, start b2, start c2"),
        // All are down and b backs off.
        (1, remove, "stop b1, b ended removed, start a2, start c2"),
        (1, stop, "stop b1, b ended stopped, start a2, start c2"),
        (1, restart, "start a2, start b2, start c2"),
        // a is starting and b is next.
        (2, remove, "stop b1, b ended removed, start c2"),
        (2, stop, "stop b1, b ended stopped, start c2"),
        (2, restart, "start b2, start c2"),
        // b is starting and c is next.
        (3, remove, "stop b2, b ended removed, start c2"),
        (3, stop, "stop b2, b ended stopped, start c2"),
        (3, restart, "end b2, start b3, start c2"),
    ];
    for (part, command, expected) in table {
        let (mut harness, [a, b, c]) = Harness::group(Strategy::OneForAll, [backing_off(); 3]);
        harness.crash(b);
        for step in 0..part {
            match step {
                0 => [c, a].map(|child| harness.end(child)).into_iter().collect(),
                1 => harness.jump_to_the_deadline(),
                _ => harness.start(a),
            }
        }
        harness.take_directives();
        command(&mut harness, b);
        assert_eq!(harness.run_to_rest(), expected, "part {part}");
    }
}

/// R34: a shutdown ends a group restart in whatever part it is.
#[test]
fn r34_a_shutdown_ends_a_group_restart_in_each_of_its_parts() {
    let table = [
        "stop c1, stop b1, stop a1",
        "stop c1, stop b1, stop a1",
        "stop c1, stop b1, stop a2",
    ];
    for (part, expected) in table.into_iter().enumerate() {
        let (mut harness, [a, b, c]) = Harness::group(Strategy::OneForAll, [backing_off(); 3]);
        harness.crash(a);
        if part > 0 {
            harness.end(c);
            harness.end(b);
        }
        if part > 1 {
            harness.jump_to_the_deadline();
        }
        harness.take_directives();
        harness.shutdown();
        let said = harness.run_to_rest();
        let stops: Vec<_> = said
            .split(", ")
            .filter(|words| words.starts_with("stop"))
            .collect();
        assert_eq!(stops.join(", "), expected, "part {part}");
        assert!(harness.supervision.is_over());
    }
}
