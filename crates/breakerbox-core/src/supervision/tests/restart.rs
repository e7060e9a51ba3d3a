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
