use super::*;

/// R32: which exits are followed by a restart.
#[test]
fn r32_the_restart_type_decides_about_each_exit() {
    let exits = [
        (Exit::Normal, [true, false, false]),
        (Exit::Error("e".into()), [true, true, false]),
        (Exit::InitFailed("i".into()), [true, true, false]),
        (Exit::Killed, [true, true, false]),
        (Exit::Panicked("p".into()), [true, true, false]),
    ];
    let types = [Restart::Permanent, Restart::Transient, Restart::Temporary];
    for (exit, answers) in exits {
        for (restart, again) in types.into_iter().zip(answers) {
            let mut harness = Harness::new(GENEROUS);
            let child = harness.up(ChildPolicy::new().restart(restart));
            harness.exit(child, exit.clone());
            let expected = if again { "start 2" } else { "stop 1" };
            assert_eq!(harness.take_text(), expected, "{restart:?} {exit:?}");
        }
    }
}

/// R32, rule 9: a finished temporary child leaves nothing behind.
#[test]
fn r32_a_temporary_child_is_forgotten_and_a_transient_one_is_kept() {
    for (restart, kept) in [(Restart::Temporary, false), (Restart::Transient, true)] {
        let mut harness = Harness::new(GENEROUS);
        let child = harness.up(ChildPolicy::new().restart(restart));
        harness.exit(child, Exit::Normal);
        harness.exit(child, Exit::Normal);
        assert_eq!(harness.supervision.status(child).is_some(), kept);
        assert_eq!(harness.take_text(), "stop 1, ended finished");
    }
}

/// T17: R33: invariant 2.
#[test]
fn r33_a_word_of_a_former_incarnation_changes_nothing() {
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(ChildPolicy::new());
    let former = Incarnation::FIRST;
    harness.exit(child, Exit::Killed);
    harness.start(child);
    harness.take_directives();
    let before = harness.supervision.status(child).cloned();
    harness.now += SECOND;
    let (supervision, now) = (&mut harness.supervision, harness.now);
    supervision.exited(child, former, Exit::Killed, now);
    supervision.started(child, former, now);
    assert_eq!(supervision.status(child).cloned(), before);
    assert_eq!(harness.take_text(), "");
}

/// R32: full jitter from the seed, and a calm spell begins the backoff anew.
#[test]
fn r32_a_backoff_grows_until_the_child_was_calm() {
    let backoff = Backoff::exponential(SECOND, 60 * SECOND);
    let policy = ChildPolicy::new().backoff(backoff).calm_after(20 * SECOND);
    let mut harness = Harness::new(GENEROUS);
    let child = harness.up(policy);
    let mut waits = Vec::new();
    for uptime in [0, 0, 19, 20, 0] {
        harness.now += uptime * SECOND;
        harness.exit(child, Exit::Killed);
        waits.push(harness.wait_out_the_backoff().as_secs());
        harness.start(child);
    }
    assert_eq!(waits, [1, 2, 4, 1, 2]);
}

/// R32: the same seed waits the same, another one does not.
#[test]
fn r32_jitter_comes_from_the_seed() {
    let backoff = Backoff::fixed(60 * SECOND).jitter(Ratio::percent(100));
    let wait = |seed| {
        let mut harness = Harness::seeded(GENEROUS, seed);
        let child = harness.up(ChildPolicy::new().backoff(backoff));
        harness.exit(child, Exit::Killed);
        harness.wait_out_the_backoff()
    };
    assert_eq!(wait(1), wait(1));
    assert_ne!(wait(1), wait(2));
}

/// R32: which exits are asked about, what the answer does, and who is charged.
#[test]
fn r32_an_exit_that_is_not_worth_a_restart_is_an_end_and_charged_to_nobody() {
    // No to normal exits as well, which are not its business.
    let is_worth_it = |exit: &Exit| match exit {
        Exit::Error(text) => text.contains("passing"),
        other => other.is_abnormal(),
    };
    let (permanent, transient) = (Restart::Permanent, Restart::Transient);
    let table = [
        (permanent, Exit::error("hopeless"), "stop 1"),
        (permanent, Exit::error("passing"), "start 2"),
        (permanent, Exit::Killed, "start 2"),
        (permanent, Exit::Normal, "start 2"),
        (transient, Exit::error("hopeless"), "stop 1"),
        (transient, Exit::error("passing"), "start 2"),
        (transient, Exit::Normal, "stop 1"),
        (Restart::Temporary, Exit::error("passing"), "stop 1"),
    ];
    for (restart, exit, said) in table {
        let once = RestartIntensity::new(1, 1_000 * SECOND);
        let mut harness = Harness::new(once);
        let policy = ChildPolicy::new().restart(restart).restart_if(is_worth_it);
        let child = harness.up(policy);
        harness.exit(child, exit.clone());
        assert_eq!(harness.take_text(), said, "{restart:?} {exit}");
        let status = harness.supervision.status(child).unwrap();
        assert_eq!(status.last_exit, Some(exit.clone()));
        if said == "stop 1" {
            harness.end(child);
            assert_eq!(harness.take_text(), "ended finished");
            // The one restart that is allowed was not used up.
            let other = harness.up(ChildPolicy::new());
            harness.crash(other);
            assert_eq!(harness.take_text(), "start 2", "{restart:?} {exit}");
        }
    }
}

/// R32: nobody is asked about an exit that was asked for, or changes nothing.
#[test]
fn r32_only_exits_that_nobody_asked_for_are_asked_about() {
    let policy = ChildPolicy::new().restart_if(panics);
    let mut harness = Harness::new(GENEROUS);
    let [restarted, stopped, failed] = [(); 3].map(|()| harness.up(policy));
    assert!(harness.restart(restarted) && harness.stop(stopped));
    harness.crash(restarted);
    harness.crash(stopped);
    harness.shutdown();
    harness.crash(failed);
    assert_eq!(ASKED.get(), 0);
}

/// R32: it is asked once, and its panic takes nobody down.
#[test]
fn r32_a_panic_about_an_exit_restarts_the_child() {
    for strategy in [Strategy::OneForAll, Strategy::OneForOne] {
        let policy = ChildPolicy::new().restart_if(panics);
        let (mut harness, [child]) = Harness::group(strategy, [policy]);
        ASKED.set(0);
        harness.crash(child);
        assert_eq!(ASKED.get(), 1, "{strategy:?}");
        assert_eq!(harness.said(), "start a2");
    }
}

/// R32: one that is done starts again with its group, as one that had finished.
#[test]
fn r32_an_exit_that_is_not_worth_a_restart_spares_the_group() {
    let policies = [ChildPolicy::new(), ChildPolicy::new().restart_if(|_| false)];
    let (mut harness, [a, b]) = Harness::group(Strategy::OneForAll, policies);
    harness.crash(b);
    harness.end(b);
    assert_eq!(harness.said(), "stop b1, b ended finished");
    harness.crash(a);
    assert_eq!(harness.run_to_rest(), "start a2, start b2");
}

thread_local! {
    static ASKED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Cannot tell, and counts how often it was asked.
fn panics(exit: &Exit) -> bool {
    ASKED.set(ASKED.get() + 1);
    panic!("it was asked about {exit:?}")
}

/// R42: the address of a child that waits can be stopped, and that is no failure.
#[test]
fn r42_a_child_that_is_ended_while_it_waits_restarts_if_its_type_asks_for_that() {
    for (restart, exit, goes_on) in [
        (Restart::Permanent, Exit::Normal, true),
        (Restart::Permanent, Exit::Killed, true),
        (Restart::Transient, Exit::Killed, true),
        (Restart::Transient, Exit::Normal, false),
    ] {
        let mut harness = Harness::new(GENEROUS);
        let policy = ChildPolicy::new().restart(restart);
        let child = harness.up(policy.backoff(Backoff::fixed(SECOND)));
        // Up, it is told how an incarnation ended, and this is not the way.
        let now = harness.now;
        harness.supervision.ended_while_it_waits(child, &exit, now);
        assert_eq!(harness.said(), "");
        harness.crash(child);
        let now = harness.now;
        harness.supervision.ended_while_it_waits(child, &exit, now);
        let expected = if goes_on { "" } else { "stop a1" };
        assert_eq!(harness.said(), expected, "{restart:?} {exit:?}");
        if goes_on {
            assert_eq!(harness.wait_out_the_backoff(), SECOND);
        }
    }
}
