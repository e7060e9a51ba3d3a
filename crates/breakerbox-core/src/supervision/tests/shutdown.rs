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

/// Who is to be stopped next.
fn stops(harness: &mut Harness) -> Vec<ChildId> {
    let directives = harness.take_directives().into_iter();
    let stops = directives.filter(|(_, what)| what.starts_with("stop"));
    stops.map(|(child, _)| child).collect()
}

#[test]
fn r26_those_that_stop_side_by_side_wait_for_those_behind_them_alone() {
    let (alone, beside) = (ChildPolicy::new(), ChildPolicy::new().side_by_side());
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7);
    let policies = [alone, beside, beside, alone, beside];
    let (mut harness, [a, b, c, d, e]) = Harness::all_up(supervision, policies);
    harness.shutdown();
    assert_eq!(stops(&mut harness), [e]);
    harness.end(e);
    assert_eq!(stops(&mut harness), [d]);
    harness.end(d);
    assert_eq!(stops(&mut harness), [c, b]);
    harness.end(b);
    assert_eq!(stops(&mut harness), [], "one of the two is stuck");
    harness.end(c);
    assert_eq!(stops(&mut harness), [a]);
    assert!(!harness.supervision.is_over());
    harness.end(a);
    assert!(harness.supervision.is_over());
}

/// R42: the window slides, so one that is stuck holds one place alone.
#[test]
fn r42_at_most_a_thousand_stop_side_by_side_and_the_next_follows_each() {
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7);
    let beside = [ChildPolicy::new().side_by_side(); 1_200];
    let (mut harness, mut left) = Harness::all_up(supervision, beside);
    left.reverse();
    harness.shutdown();
    assert_eq!(stops(&mut harness), left[..1_000]);
    let (stuck, others) = left.split_first().unwrap();
    for (nth, child) in others.iter().enumerate() {
        harness.end(*child);
        let next: Vec<_> = left.get(1_000 + nth).copied().into_iter().collect();
        assert_eq!(stops(&mut harness), next);
    }
    assert!(!harness.supervision.is_over());
    harness.end(*stuck);
    assert!(harness.supervision.is_over());
}

/// R42: whatever a child does, and whatever was asked of it before.
#[test]
fn r42_a_shutdown_at_once_stops_each_that_was_not_asked_before() {
    type Before = fn(&mut Harness);
    let table: [(Before, &str); 5] = [
        (
            |_| {},
            "stop f1, stop e1, stop d1, stop c1, stop b1, stop a1",
        ),
        (
            |harness| harness.shutdown(),
            "stop e1, stop d1, stop c1, stop b1, stop a1",
        ),
        (
            |harness| {
                harness.stop(ChildId::new(1));
                harness.restart(ChildId::new(2));
                harness.crash(ChildId::new(3));
                harness.stop(ChildId::new(4));
                harness.restart(ChildId::new(4));
            },
            "stop f1, stop d1, stop c1, stop a1",
        ),
        (
            |harness| {
                harness.crash(ChildId::new(0));
                harness.supervision.shutdown_at_once(harness.now);
            },
            "",
        ),
        (
            |harness| {
                harness.stop(ChildId::new(5));
                harness.end(ChildId::new(5));
                harness.remove(ChildId::new(0));
                harness.end(ChildId::new(0));
            },
            "stop e1, stop d1, stop c1, stop b1",
        ),
    ];
    for (before, expected) in table {
        let (mut harness, _) = Harness::group(Strategy::OneForOne, [backing_off(); 6]);
        before(&mut harness);
        harness.take_directives();
        harness.supervision.shutdown_at_once(harness.now);
        harness.supervision.shutdown_at_once(harness.now);
        harness.shutdown();
        assert_eq!(harness.said(), expected);
        assert_eq!(harness.supervision.next_deadline(), None);
        harness.run_to_rest();
        assert!(harness.supervision.is_over(), "after {expected:?}");
    }
}

/// R42: those that were still to start never do.
#[test]
fn r42_a_shutdown_at_once_ends_a_boot() {
    let mut harness = Harness::new(GENEROUS);
    for _ in 0..3 {
        harness.add(ChildPolicy::new());
    }
    harness.supervision.boot(harness.now);
    harness.take_directives();
    harness.supervision.shutdown_at_once(harness.now);
    assert_eq!(
        harness.run_to_rest(),
        "c ended shut down, b ended shut down, stop a1, a ended shut down"
    );
    assert!(harness.supervision.is_over());
}
