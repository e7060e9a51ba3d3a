use proptest::prelude::{Just, ProptestConfig, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;
use proptest::test_runner::RngSeed;

use super::model::{Bound, Draft, Model, Then};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    /// R32, R33, R34, R36: every history comes out as in the model, and within
    /// the invariants 1, 4 and 5.
    #[test]
    fn r33_no_history_overlaps_two_incarnations_or_forgets_a_child(
        strategy in any_strategy(),
        auto_shutdown in any_auto_shutdown(),
        bound in any_bound(),
        drafts in prop::collection::vec(any_draft(), 2..5),
        late in prop::collection::vec(any_draft(), 2),
        history in prop::collection::vec((0_usize..5, any_input(), any_pause()), 1..160),
    ) {
        let mut both = Both::new(strategy, auto_shutdown, bound);
        for draft in drafts {
            both.add(draft);
        }
        both.boot();
        let mut late = late.into_iter();
        for (who, input, millis) in history {
            both.pass(millis);
            match input {
                Input::Added => if let Some(draft) = late.next() { both.add(draft) },
                _ => both.feed(who, input),
            }
        }
        both.wind_down();
        prop_assert_eq!(both.harness.supervision.next_deadline(), None);
    }
}

/// How many histories; the long run asks for more.
fn cases() -> u32 {
    let cases = std::env::var("BREAKERBOX_SUPERVISIONS").ok();
    cases.map_or(1_000, |cases| cases.parse().expect("a number of histories"))
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Added,
    Crashed,
    Deadline,
    Finished,
    Removed,
    Restarted,
    Shutdown,
    Started,
    Stopped,
}

fn any_input() -> impl Generator<Value = Input> {
    prop_oneof![
        4 => Just(Input::Added),
        48 => Just(Input::Crashed),
        32 => Just(Input::Deadline),
        24 => Just(Input::Finished),
        5 => Just(Input::Removed),
        8 => Just(Input::Restarted),
        1 => Just(Input::Shutdown),
        90 => Just(Input::Started),
        8 => Just(Input::Stopped),
    ]
}

/// Often no time at all, so that things happen at the same time.
fn any_pause() -> impl Generator<Value = u64> {
    prop_oneof![4 => Just(0), 4 => 1..600_u64, 1 => 2_500..3_500_u64]
}

fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::OneForAll),
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne)
    ]
}

fn any_auto_shutdown() -> impl Generator<Value = AutoShutdown> {
    prop_oneof![
        1 => Just(AutoShutdown::AllSignificant),
        1 => Just(AutoShutdown::AnySignificant),
        6 => Just(AutoShutdown::Never)
    ]
}

fn any_bound() -> impl Generator<Value = Bound> {
    let then = prop_oneof![
        1 => Just(Then::Escalate),
        4 => Just(Then::Pause(400)),
        1 => Just(Then::StopChild)
    ];
    let bounds = (0_u32..6, prop_oneof![Just(500_u64), Just(5_000)], then);
    bounds.prop_map(|(restarts, period, then)| Bound {
        period,
        restarts,
        then,
    })
}

fn any_draft() -> impl Generator<Value = Draft> {
    let restart = prop_oneof![
        4 => Just(Restart::Permanent),
        3 => Just(Restart::Transient),
        2 => Just(Restart::Temporary)
    ];
    let backoff = prop::option::of(Just(300));
    let bound = prop::option::weighted(0.3, any_bound());
    let parts = (backoff, bound, restart, prop::bool::weighted(0.3));
    parts.prop_map(|(backoff, bound, restart, significant)| Draft {
        backoff,
        bound,
        restart,
        significant,
    })
}

/// The machine and its model, which are told the same.
struct Both {
    /// Down or gone, and told so.
    ended: BTreeSet<usize>,
    harness: Harness,
    model: Model,
    /// Started and not known to have ended.
    running: BTreeSet<usize>,
}

impl Both {
    fn new(strategy: Strategy, auto_shutdown: AutoShutdown, bound: Bound) -> Self {
        let supervision = Supervision::new(strategy, bound.intensity(), 7)
            .auto_shutdown(auto_shutdown)
            .on_limit(bound.on_limit());
        Self {
            ended: BTreeSet::new(),
            harness: Harness::around(supervision),
            model: Model::new(strategy, bound, auto_shutdown),
            running: BTreeSet::new(),
        }
    }

    fn add(&mut self, draft: Draft) {
        let now = self.harness.now;
        self.harness.supervision.add(draft.policy(), now);
        self.model.add(draft);
        self.compare();
    }

    fn boot(&mut self) {
        self.harness.supervision.boot(self.harness.now);
        self.model.boot();
        self.compare();
    }

    fn pass(&mut self, millis: u64) {
        self.model.now += millis;
        self.harness.now += Duration::from_millis(millis);
    }

    fn feed(&mut self, who: usize, input: Input) {
        let (harness, model) = (&mut self.harness, &mut self.model);
        let child = ChildId::new(who as u64);
        match input {
            Input::Added => unreachable!("it has no child yet"),
            Input::Crashed | Input::Finished => {
                self.running.remove(&who);
                let is_normal = matches!(input, Input::Finished);
                harness.exit(
                    child,
                    if is_normal {
                        Exit::Normal
                    } else {
                        Exit::Killed
                    },
                );
                model.exited(who, is_normal);
            }
            Input::Deadline => {
                harness.jump_to_the_deadline();
                model.now = (harness.now - epoch()).as_millis().try_into().unwrap();
                model.deadline();
            }
            Input::Removed => assert_eq!(harness.remove(child), model.remove(who)),
            Input::Restarted => assert_eq!(harness.restart(child), model.restart(who)),
            Input::Shutdown => {
                harness.shutdown();
                model.shutdown();
            }
            Input::Started => {
                harness.start(child);
                model.started(who);
            }
            Input::Stopped => assert_eq!(harness.stop(child), model.stop(who)),
        }
        self.compare();
    }

    fn compare(&mut self) {
        let said = self.harness.said();
        assert_eq!(said, self.model.said.join(", "));
        self.model.said.clear();
        for words in said.split(", ").filter(|words| !words.is_empty()) {
            self.hold_to_the_invariants(words);
        }
        for who in 0..self.children() {
            let phase = self.harness.phase(ChildId::new(who as u64));
            assert_eq!(phase, self.model.phase(who), "the phase of {who}");
            let is_forgotten = self.harness.forgotten.contains(&ChildId::new(who as u64));
            assert_eq!(is_forgotten, phase.is_none(), "whether {who} is forgotten");
            if phase.is_some_and(|phase| phase != Phase::Down) {
                self.ended.remove(&who);
            }
        }
        let until = self.model.next_deadline();
        let until = until.map(|millis| epoch() + Duration::from_millis(millis));
        assert_eq!(self.harness.supervision.next_deadline(), until);
        assert_eq!(self.harness.supervision.is_over(), self.model.is_over());
    }

    fn hold_to_the_invariants(&mut self, words: &str) {
        let (first, second) = words.split_once(' ').unwrap();
        match (first, second) {
            ("start", _) => {
                assert!(
                    !self.harness.supervision.stage.is_stopping(),
                    "a start too late"
                );
                assert!(
                    self.running.insert(index(second)),
                    "two incarnations at once"
                );
            }
            ("end" | "stop", _) => {}
            _ if second.starts_with("ended") => {
                let who = index(first);
                assert!(!self.running.contains(&who), "ended while it runs");
                assert!(self.ended.insert(who), "ended twice");
            }
            _ => {}
        }
    }

    /// Shuts down; the last child is asked to stop first, and all are accounted for.
    fn wind_down(&mut self) {
        self.feed(0, Input::Shutdown);
        while !self.harness.supervision.is_over() {
            let phases = (0..self.children()).rev();
            let stopping = |who: &usize| {
                let phase = self.harness.phase(ChildId::new(*who as u64));
                phase == Some(Phase::Stopping)
            };
            let last = phases.into_iter().find(stopping);
            self.feed(last.expect("somebody is being stopped"), Input::Finished);
        }
        assert!(self.running.is_empty());
        assert_eq!(self.ended.len(), self.children());
    }

    fn children(&self) -> usize {
        self.harness.supervision.added.try_into().unwrap()
    }
}

/// Which child a name such as `b` or `b2` means.
fn index(name: &str) -> usize {
    usize::from(name.as_bytes()[0] - b'a')
}
