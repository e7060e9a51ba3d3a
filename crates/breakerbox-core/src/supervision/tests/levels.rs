mod tree;

use proptest::prelude::{Just, ProptestConfig, prop, prop_oneof};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::{RngSeed, TestRunner};

use super::counts::Counts;
use super::*;
use tree::Tree;

/// R33, R38, R42: whatever ends a level of a tree, and whatever of it is stuck then,
/// the next one starts when nothing of it is left.
#[test]
fn r33_no_child_runs_in_two_incarnations_of_its_level() {
    let counts = Counts::default();
    let event = (0_u64..3, any_event(), 0_u64..400);
    let histories = (
        any_strategy(),
        any_strategy(),
        0_u32..3,
        prop::collection::vec(event, 1..150),
    );
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    };
    let run = |(above, below, restarts, history)| {
        let mut tree = Tree::new(above, below, restarts, &counts);
        for (who, event, millis) in history {
            tree.now += Duration::from_millis(millis);
            tree.feed(event, ChildId::new(who));
        }
        tree.end();
        Ok(())
    };
    TestRunner::new(config).run(&histories, run).unwrap();
    counts.assert_met(&[
        "a child that is stuck",
        "a level that comes up",
        "a level that is stuck",
        "a level that was ended by the one above",
        "a level that was ended at once",
        "a level that escalated",
        "a level that failed to boot",
        "a level that starts after one that was stuck",
        "a level that starts again",
        "an escalation to the root",
    ]);
}

#[derive(Clone, Copy, Debug)]
enum Event {
    ComesUp,
    Crashes,
    Deadline,
    Ends,
    EndsAtOnce,
    GetsStuck,
    LevelIsRestarted,
    LevelIsStopped,
    SiblingCrashes,
}

fn any_event() -> impl Generator<Value = Event> {
    prop_oneof![
        40 => Just(Event::ComesUp),
        10 => Just(Event::Crashes),
        6 => Just(Event::Deadline),
        16 => Just(Event::Ends),
        2 => Just(Event::EndsAtOnce),
        8 => Just(Event::GetsStuck),
        4 => Just(Event::LevelIsRestarted),
        2 => Just(Event::LevelIsStopped),
        3 => Just(Event::SiblingCrashes),
    ]
}

fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::OneForAll),
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne)
    ]
}
