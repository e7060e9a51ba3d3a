use super::*;

/// R34: reverse start order, one after another, and no restart meanwhile.
#[test]
fn r34_a_shutdown_stops_one_child_after_another_in_reverse() {
    let mut harness = Harness::new(GENEROUS);
    let first = harness.up(ChildPolicy::new().backoff(Backoff::fixed(SECOND)));
    let [second, third] = [(); 2].map(|()| harness.add(ChildPolicy::new()));
    harness.start(second);
    harness.start(third);
    harness.exit(first, Exit::Killed);
    harness.take_directives();
    harness.supervision.shutdown(harness.now);
    assert_eq!(harness.take_directives(), [(third, "stop 1".to_owned())]);
    harness.now += 2 * SECOND;
    harness.supervision.handle_deadline(harness.now);
    assert_eq!(harness.supervision.next_deadline(), None);
    // One that dies before its turn is stopped at once, not restarted.
    harness.exit(second, Exit::Killed);
    assert_eq!(harness.take_directives(), [(second, "stop 1".to_owned())]);
    harness.exit(second, Exit::Normal);
    harness.exit(third, Exit::Normal);
    assert_eq!(harness.stop_all(), [second, third, first]);
    assert!(harness.supervision.is_over());
    assert_eq!(
        harness.supervision.add(ChildPolicy::new(), harness.now),
        None
    );
}
