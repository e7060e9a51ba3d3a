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

#[test]
fn r26_no_more_than_a_hundred_stop_side_by_side() {
    let supervision = Supervision::new(Strategy::OneForOne, GENEROUS, 7);
    let (mut harness, children) =
        Harness::all_up(supervision, [ChildPolicy::new().side_by_side(); 250]);
    harness.shutdown();
    let mut stopped = 0;
    while !harness.supervision.is_over() {
        let stopping = stops(&mut harness);
        assert!(stopping.len() <= 100, "{}", stopping.len());
        stopped += stopping.len();
        for child in stopping {
            harness.end(child);
        }
    }
    assert_eq!(stopped, children.len());
}
