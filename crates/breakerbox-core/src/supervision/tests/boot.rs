use super::*;

/// R30: one after another, each once the one before is up.
#[test]
fn r30_a_boot_starts_the_next_child_when_the_last_is_up() {
    let mut harness = Harness::new(GENEROUS);
    let children: Vec<_> = (0..3).map(|_| harness.add(ChildPolicy::new())).collect();
    harness.supervision.boot(harness.now);
    for child in &children {
        assert!(!harness.supervision.is_booted());
        assert_eq!(harness.take_directives(), [(*child, "start 1".to_owned())]);
        harness.start(*child);
    }
    assert!(harness.supervision.is_booted());
    assert_eq!(harness.take_directives(), []);
}

/// R30: a child that does not come up brings the others down in reverse.
#[test]
fn r30_a_failed_boot_is_rolled_back_in_reverse() {
    let mut harness = Harness::new(GENEROUS);
    let [first, second, third, fourth] = [(); 4].map(|()| harness.add(ChildPolicy::new()));
    harness.supervision.boot(harness.now);
    harness.start(first);
    harness.start(second);
    harness.take_directives();
    harness.exit(third, Exit::InitFailed("no".into()));
    let expected = [
        (third, "escalate".to_owned()),
        (third, "stop 1".to_owned()),
        (fourth, "ended shut down".to_owned()),
    ];
    assert_eq!(harness.take_directives(), expected);
    harness.exit(third, Exit::Normal);
    assert_eq!(harness.stop_all(), [third, second, first]);
    assert!(harness.supervision.is_over());
    let exit = harness.supervision.status(third).unwrap().last_exit.clone();
    assert_eq!(exit, Some(Exit::InitFailed("no".into())));
}

/// R30, R35: what is added later fails alone.
#[test]
fn r30_a_child_that_was_added_later_fails_alone() {
    let mut harness = Harness::new(RestartIntensity::new(0, SECOND));
    let old = harness.up(ChildPolicy::new());
    let new = harness.add(ChildPolicy::new());
    harness.take_directives();
    harness.exit(new, Exit::InitFailed("no".into()));
    harness.exit(new, Exit::Normal);
    assert_eq!(harness.take_text(), "stop 1, ended start failed");
    assert_eq!(harness.supervision.status(new), None);
    assert_eq!(harness.supervision.status(old).unwrap().phase, Phase::Up);
}

/// R36: a child that the boot waits for may be removed.
#[test]
fn r36_removing_the_awaited_child_lets_the_boot_go_on() {
    let mut harness = Harness::new(GENEROUS);
    let [first, second, third] = [(); 3].map(|()| harness.add(ChildPolicy::new()));
    harness.supervision.boot(harness.now);
    harness.supervision.remove(first, harness.now);
    harness.supervision.remove(second, harness.now);
    harness.take_directives();
    harness.exit(first, Exit::Normal);
    let expected = [
        (first, "ended removed".to_owned()),
        (third, "start 1".to_owned()),
    ];
    assert_eq!(harness.take_directives(), expected);
}
