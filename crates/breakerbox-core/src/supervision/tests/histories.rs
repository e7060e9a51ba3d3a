mod any;
mod both;

use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq};
use proptest::test_runner::{RngSeed, TestRunner};

use super::counts::Counts;
use super::model::{Bound, Draft, Model};
use super::*;
use any::{Boot, Input};
use both::Both;

/// R32, R33, R34, R36, R42: every history comes out as in the model, and within
/// the invariants 1, 4, 5, 8 and 9.
#[test]
fn r33_no_history_overlaps_two_incarnations_or_forgets_a_child() {
    let counts = Counts::default();
    let history = (0_usize..5, any::any_input(), any::any_pause());
    let histories = (
        (any::any_strategy(), any::<bool>(), any::any_boot()),
        any::any_auto_shutdown(),
        any::any_bound(),
        prop::collection::vec(any::any_draft(), 2..5),
        prop::collection::vec(any::any_draft(), 2),
        prop::collection::vec(history, 1..160),
    );
    let run = |((strategy, is_set, boot), auto_shutdown, bound, drafts, late, history)| {
        let kind = if is_set { Kind::Set } else { Kind::Fixed };
        let mut both = Both::new(strategy, auto_shutdown, bound, kind, &counts);
        both.boot(drafts, boot);
        play(&mut both, late, history);
        let shutdown = if is_set {
            Input::ShutdownAtOnce
        } else {
            Input::Shutdown
        };
        both.wind_down(shutdown);
        prop_assert_eq!(both.harness.supervision.next_deadline(), None);
        Ok(())
    };
    runner(cases()).run(&histories, run).unwrap();
    counts.assert_met(&ALL);
}

fn play(both: &mut Both, late: Vec<Draft>, history: Vec<(usize, Input, u64)>) {
    let mut late = late.into_iter();
    for (who, input, millis) in history {
        both.pass(millis);
        match input {
            Input::Added => {
                if let Some(draft) = late.next() {
                    both.add(draft);
                }
            }
            _ => both.feed(who, input),
        }
    }
}

/// How many histories; the long run asks for more.
fn cases() -> u32 {
    let cases = std::env::var("BREAKERBOX_SUPERVISIONS").ok();
    cases.map_or(1_000, |cases| cases.parse().expect("a number of histories"))
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })
}

/// Whether children that are done stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Fixed,
    /// They are removed, as in a set of the runtime's.
    Set,
}

impl Kind {
    fn of(self, met: &str) -> String {
        match self {
            Self::Fixed => met.to_owned(),
            Self::Set => format!("{met}, in a set"),
        }
    }
}

/// What the histories have to come upon.
const ALL: [&str; 32] = [
    "a child given up by its limit",
    "a child given up by its limit, in a set",
    "a child stuck at the end",
    "a group that waits for a stuck child",
    "a group that waits for a stuck child, in a set",
    "a pause by a child's limit",
    "a pause by a child's limit, in a set",
    "a removal of a stuck child",
    "a removal of a stuck child, in a set",
    "a restart of a stuck child",
    "a restart of a stuck child, in a set",
    "a stop of a stuck child",
    "a stop of a stuck child, in a set",
    "a stuck child gone before its turn to stop",
    "an escalation by a child's limit",
    "an escalation by a child's limit, in a set",
    "an exit not worth a restart",
    "an exit not worth a restart, in a set",
    "auto shutdown",
    "end",
    "ended finished",
    "ended gave up",
    "ended removed",
    "ended shut down",
    "ended start failed",
    "ended stopped",
    "escalate",
    "gave up",
    "several stopped at once",
    "several stopped side by side",
    "start",
    "stop",
];
