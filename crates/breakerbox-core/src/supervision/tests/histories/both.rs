use super::*;

/// The machine and its model, which are told the same.
pub(super) struct Both<'a> {
    counts: &'a Counts,
    /// Down or gone, and told so.
    ended: BTreeSet<usize>,
    pub(super) harness: Harness,
    kind: Kind,
    model: Model,
    /// Started and not known to have ended.
    running: BTreeSet<usize>,
    /// Stuck before the last input.
    stuck: BTreeSet<usize>,
}

impl<'a> Both<'a> {
    pub(super) fn new(
        strategy: Strategy,
        auto_shutdown: AutoShutdown,
        bound: Bound,
        kind: Kind,
        counts: &'a Counts,
    ) -> Self {
        let supervision = Supervision::new(strategy, bound.intensity(), 7)
            .auto_shutdown(auto_shutdown)
            .on_limit(bound.on_limit());
        Self {
            counts,
            ended: BTreeSet::new(),
            harness: Harness::around(supervision),
            kind,
            model: Model::new(strategy, bound, auto_shutdown),
            running: BTreeSet::new(),
            stuck: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, draft: Draft) {
        let now = self.harness.now;
        self.harness.supervision.add(draft.policy(), now);
        self.model.add(draft);
        self.compare();
    }

    pub(super) fn boot(&mut self, drafts: Vec<Draft>, boot: Boot) {
        for draft in drafts {
            self.add(draft);
        }
        self.harness.supervision.boot(self.harness.now);
        self.model.boot();
        self.compare();
        if boot == Boot::Done {
            for who in 0..self.children() {
                self.feed(who, Input::Started);
            }
        }
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.model.now += millis;
        self.harness.now += Duration::from_millis(millis);
    }

    pub(super) fn feed(&mut self, who: usize, input: Input) {
        let (harness, model) = (&mut self.harness, &mut self.model);
        let child = ChildId::new(who as u64);
        match input {
            Input::Added => unreachable!("it has no child yet"),
            Input::Crashed => self.exit(who, &Exit::Killed),
            Input::Failed => self.exit(who, &Exit::error("failed")),
            Input::Finished => self.exit(who, &Exit::Normal),
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
            Input::ShutdownAtOnce => {
                harness.supervision.shutdown_at_once(harness.now);
                model.shutdown_at_once();
            }
            Input::Started => {
                harness.start(child);
                model.started(who);
            }
            Input::Stopped => assert_eq!(harness.stop(child), model.stop(who)),
            Input::Stuck => {
                harness.stuck(child);
                model.stuck(who);
            }
        }
        self.compare();
    }

    fn exit(&mut self, who: usize, exit: &Exit) {
        self.running.remove(&who);
        self.harness.exit(ChildId::new(who as u64), exit.clone());
        self.model.exited(who, exit);
    }

    fn compare(&mut self) {
        let said = self.harness.said();
        assert_eq!(said, self.model.said.join(", "));
        self.model.said.clear();
        for words in said.split(", ").filter(|words| !words.is_empty()) {
            self.hold_to_the_invariants(words);
            self.counts.note_words(words);
        }
        for met in self.model.met.drain(..) {
            self.counts.note(self.kind.of(met));
        }
        for who in 0..self.children() {
            let phase = self.harness.phase(ChildId::new(who as u64));
            assert_eq!(phase, self.model.phase(who), "the phase of {who}");
            let is_forgotten = self.harness.forgotten.contains(&ChildId::new(who as u64));
            assert_eq!(is_forgotten, phase.is_none(), "whether {who} is forgotten");
            if phase.is_some_and(|phase| !matches!(phase, Phase::Down | Phase::Stuck)) {
                self.ended.remove(&who);
            }
            if phase == Some(Phase::Stuck) {
                self.stuck.insert(who);
            } else {
                self.stuck.remove(&who);
            }
        }
        let until = self.model.next_deadline();
        let until = until.map(|millis| epoch() + Duration::from_millis(millis));
        assert_eq!(self.harness.supervision.next_deadline(), until);
        assert_eq!(self.harness.supervision.is_over(), self.model.is_over());
        self.remove_those_that_left_the_set(&said);
    }

    /// As the runtime does with a set.
    fn remove_those_that_left_the_set(&mut self, said: &str) {
        for words in said.split(", ") {
            if self.kind == Kind::Set
                && let Some((name, "ended finished" | "ended gave up")) = words.split_once(' ')
            {
                self.feed(index(name), Input::Removed);
            }
        }
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
                let phase = self.harness.phase(ChildId::new(who as u64));
                let is_stuck = phase == Some(Phase::Stuck);
                assert!(is_stuck || !self.running.contains(&who), "it runs");
                // A command to one that is stuck is answered by another end.
                assert!(self.ended.insert(who) || self.stuck.contains(&who), "twice");
            }
            _ => {}
        }
    }

    /// Shuts down; the last child is asked to stop first, and all are accounted for.
    pub(super) fn wind_down(&mut self, shutdown: Input) {
        // Of those that are stuck, some are to start again, and gone before their turn.
        let stuck: Vec<_> = self
            .stuck
            .iter()
            .copied()
            .filter(|it| it % 2 == 0)
            .collect();
        for who in &stuck {
            self.feed(*who, Input::Restarted);
        }
        self.feed(0, shutdown);
        for who in stuck {
            self.feed(who, Input::Crashed);
        }
        while !self.harness.supervision.is_over() {
            let phases = (0..self.children()).rev();
            let stopping = |who: &usize| {
                let phase = self.harness.phase(ChildId::new(*who as u64));
                phase == Some(Phase::Stopping)
            };
            let last = phases.into_iter().find(stopping);
            self.feed(last.expect("somebody is being stopped"), Input::Finished);
        }
        for who in self.running.clone() {
            self.counts.note("a child stuck at the end");
            self.feed(who, Input::Finished);
        }
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
