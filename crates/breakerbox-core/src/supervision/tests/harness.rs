use super::*;

/// A supervision, its clock, and short words for what one does with them.
///
/// In texts the children are `a`, `b`, `c` in the order in which they were added
/// and `start b2` starts the second incarnation of `b`.
pub(super) struct Harness {
    /// Those that were said to be forgotten, which is checked and not repeated.
    pub(super) forgotten: BTreeSet<ChildId>,
    pub(super) now: Instant,
    pub(super) supervision: Supervision,
}

impl Harness {
    pub(super) fn new(intensity: RestartIntensity) -> Self {
        Self::seeded(intensity, 7)
    }

    pub(super) fn seeded(intensity: RestartIntensity, seed: u64) -> Self {
        Self::around(Supervision::new(Strategy::OneForOne, intensity, seed))
    }

    pub(super) fn around(supervision: Supervision) -> Self {
        Self {
            forgotten: BTreeSet::new(),
            now: epoch(),
            supervision,
        }
    }

    /// A generous supervision with children that are all up.
    pub(super) fn group<const N: usize>(
        strategy: Strategy,
        policies: [ChildPolicy; N],
    ) -> (Self, [ChildId; N]) {
        Self::all_up(Supervision::new(strategy, GENEROUS, 7), policies)
    }

    pub(super) fn all_up<const N: usize>(
        supervision: Supervision,
        policies: [ChildPolicy; N],
    ) -> (Self, [ChildId; N]) {
        let mut harness = Self::around(supervision);
        let children = policies.map(|policy| harness.add(policy));
        harness.supervision.boot(harness.now);
        for child in children {
            harness.start(child);
        }
        harness.take_directives();
        (harness, children)
    }

    pub(super) fn add(&mut self, policy: ChildPolicy) -> ChildId {
        self.supervision.add(policy, self.now).unwrap()
    }

    /// Adds a child to a supervision that has booted, and has it come up.
    pub(super) fn up(&mut self, policy: ChildPolicy) -> ChildId {
        self.supervision.boot(self.now);
        let child = self.add(policy);
        self.start(child);
        self.take_directives();
        child
    }

    pub(super) fn start(&mut self, child: ChildId) {
        let incarnation = self.incarnation(child);
        self.supervision.started(child, incarnation, self.now);
    }

    pub(super) fn exit(&mut self, child: ChildId, exit: Exit) {
        let incarnation = self.incarnation(child);
        self.supervision.exited(child, incarnation, exit, self.now);
    }

    pub(super) fn crash(&mut self, child: ChildId) {
        self.exit(child, Exit::Killed);
    }

    /// It ended normally, by itself or as it was asked to.
    pub(super) fn end(&mut self, child: ChildId) {
        self.exit(child, Exit::Normal);
    }

    /// Its time to end is over, and something of it is left.
    pub(super) fn stuck(&mut self, child: ChildId) {
        let incarnation = self.incarnation(child);
        self.supervision.stuck(child, incarnation, self.now);
    }

    pub(super) fn remove(&mut self, child: ChildId) -> bool {
        self.supervision.remove(child, self.now)
    }

    pub(super) fn restart(&mut self, child: ChildId) -> bool {
        self.supervision.restart(child, self.now)
    }

    pub(super) fn stop(&mut self, child: ChildId) -> bool {
        self.supervision.stop(child, self.now)
    }

    pub(super) fn shutdown(&mut self) {
        self.supervision.shutdown(self.now);
    }

    pub(super) fn phase(&self, child: ChildId) -> Option<Phase> {
        self.supervision.status(child).map(|status| status.phase)
    }

    pub(super) fn incarnation(&self, child: ChildId) -> Incarnation {
        let status = self.supervision.status(child);
        status.map_or(Incarnation::FIRST, |status| status.incarnation)
    }

    pub(super) fn crash_and_restart(&mut self, child: ChildId) {
        self.crash(child);
        self.start(child);
    }

    pub(super) fn wait_out_the_backoff(&mut self) -> Duration {
        let until = self.supervision.next_deadline().unwrap();
        let waited = until - self.now;
        self.supervision.handle_deadline(until - SECOND / 1_000);
        let still = self.supervision.next_deadline();
        assert_eq!(still, Some(until), "early is harmless");
        self.now = until;
        self.supervision.handle_deadline(until);
        self.supervision.handle_deadline(until);
        waited
    }

    pub(super) fn jump_to_the_deadline(&mut self) {
        let deadline = self.supervision.next_deadline().unwrap_or(self.now);
        self.now = self.now.max(deadline);
        self.supervision.handle_deadline(self.now);
    }

    /// Answers and waits as a world without failures does, and says what was
    /// asked for meanwhile.
    pub(super) fn run_to_rest(&mut self) -> String {
        let mut said = Vec::new();
        loop {
            self.answer_all();
            said.push(self.said());
            match said.last().is_some_and(String::is_empty) {
                true if self.supervision.next_deadline().is_none() => break,
                true => self.jump_to_the_deadline(),
                false => {}
            }
        }
        said.retain(|words| !words.is_empty());
        said.join(", ")
    }

    /// Everybody who starts comes up, and who is to end does.
    fn answer_all(&mut self) {
        for child in (0..self.supervision.added).map(ChildId::new) {
            match self.phase(child) {
                Some(Phase::Starting) => self.start(child),
                Some(Phase::Stopping) => self.end(child),
                _ => {}
            }
        }
    }

    /// Stops whoever is asked to stop, until nobody is; returns all who ended.
    pub(super) fn stop_all(&mut self) -> Vec<ChildId> {
        let mut ended = Vec::new();
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Stop { child, .. } => self.end(child),
                Directive::Ended { child, .. } => ended.push(child),
                other => panic!("{other:?} while all were being stopped"),
            }
        }
        ended
    }

    pub(super) fn take_directives(&mut self) -> Vec<(ChildId, String)> {
        let mut texts = Vec::new();
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Forgotten { child } => {
                    assert_eq!(self.phase(child), None, "{child:?} is known");
                    assert!(self.forgotten.insert(child), "{child:?} twice");
                }
                other => texts.push(text(other)),
            }
        }
        texts
    }

    /// What was asked for, without saying of whom.
    pub(super) fn take_text(&mut self) -> String {
        let directives = self.take_directives();
        let texts: Vec<_> = directives.into_iter().map(|(_, text)| text).collect();
        texts.join(", ")
    }

    /// What was asked for of whom, as in `stop c1, start a2`.
    pub(super) fn said(&mut self) -> String {
        let directives = self.take_directives();
        let texts = directives
            .into_iter()
            .map(|(child, text)| named(child, &text));
        texts.collect::<Vec<_>>().join(", ")
    }
}

/// A directive in words, such as `start 2` or `ended removed`.
fn text(directive: Directive) -> (ChildId, String) {
    match directive {
        Directive::AutoShutdown { child } => (child, "auto shutdown".to_owned()),
        Directive::EndIncarnation { child, incarnation } => (child, format!("end {incarnation}")),
        Directive::Ended { child, why } => (child, format!("ended {why}")),
        Directive::Escalate { child } => (child, "escalate".to_owned()),
        Directive::GaveUp { child } => (child, "gave up".to_owned()),
        Directive::Forgotten { .. } => unreachable!("it is not repeated"),
        Directive::Start { child, incarnation } => (child, format!("start {incarnation}")),
        Directive::Stop { child, incarnation } => (child, format!("stop {incarnation}")),
    }
}

fn named(child: ChildId, text: &str) -> String {
    let name = char::from(b'a' + u8::try_from(child.number()).unwrap());
    match text.split_once(' ') {
        Some((verb @ ("end" | "start" | "stop"), incarnation)) => {
            format!("{verb} {name}{incarnation}")
        }
        _ => format!("{name} {text}"),
    }
}
