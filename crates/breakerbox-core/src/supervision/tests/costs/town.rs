use super::super::work::counted;
use super::*;

/// A supervision with many children, and what each input to it has cost.
pub(super) struct Town {
    pub(super) children: Vec<ChildId>,
    pub(super) costs: Vec<u64>,
    pub(super) directives: VecDeque<Directive>,
    pub(super) now: Instant,
    pub(super) policy: ChildPolicy,
    pub(super) size: usize,
    supervision: Supervision,
}

impl Town {
    pub(super) fn of(strategy: Strategy, size: usize) -> Self {
        let all = RestartIntensity::new(u32::MAX, SECOND);
        Self {
            children: Vec::new(),
            costs: Vec::new(),
            directives: VecDeque::new(),
            now: epoch(),
            policy: ChildPolicy::new().restart(Restart::Transient).significant(),
            size,
            supervision: Supervision::new(strategy, all, 7)
                .auto_shutdown(AutoShutdown::AllSignificant),
        }
    }

    pub(super) fn input<T>(&mut self, input: impl FnOnce(&mut Supervision, Instant) -> T) -> T {
        let mut answer = None;
        self.costs.push(counted(|| {
            answer = Some(input(&mut self.supervision, self.now));
            while let Some(directive) = self.supervision.poll_directive() {
                self.directives.push_back(directive);
            }
        }));
        answer.expect("the input was made")
    }

    pub(super) fn add(&mut self) {
        let policy = self.policy;
        let child = self.input(|it, now| it.add(policy, now));
        self.children.push(child.expect("it is not stopping"));
    }

    pub(super) fn boot(&mut self) {
        self.begin_to_boot();
        self.answer_all();
    }

    pub(super) fn half_boot(&mut self) {
        self.begin_to_boot();
        for _ in 0..self.size / 2 {
            self.answer_next();
        }
    }

    pub(super) fn begin_to_boot(&mut self) {
        for _ in 0..self.size {
            self.add();
        }
        self.input(Supervision::boot);
    }

    pub(super) fn crash(&mut self, child: ChildId) {
        self.exited(child, Exit::Killed);
    }

    pub(super) fn finish(&mut self, child: ChildId) {
        self.exited(child, Exit::Normal);
    }

    pub(super) fn exited(&mut self, child: ChildId, exit: Exit) {
        if let Some(status) = self.supervision.status(child) {
            let incarnation = status.incarnation;
            self.input(|it, now| it.exited(child, incarnation, exit, now));
        }
    }

    /// It crashes each time when it is started, as often as there are children.
    pub(super) fn crash_many_times(&mut self, child: ChildId) {
        self.crash(child);
        for _ in 0..self.size {
            self.answer_until_a_start();
            self.crash(child);
        }
        self.answer_all();
    }

    /// One of all commands in turn.
    pub(super) fn command(&mut self, nth: usize, child: ChildId) {
        self.input(|it, now| match nth % 3 {
            0 => it.restart(child, now),
            1 => it.stop(child, now),
            _ => it.remove(child, now),
        });
    }

    /// Does the next thing that is asked for, as a world without failures does.
    pub(super) fn answer_next(&mut self) {
        match self.directives.pop_front() {
            Some(Directive::Start { child, incarnation }) => {
                self.input(|it, now| it.started(child, incarnation, now));
            }
            Some(
                Directive::EndIncarnation { child, incarnation }
                | Directive::Stop { child, incarnation },
            ) => self.input(|it, now| it.exited(child, incarnation, Exit::Normal, now)),
            Some(_) | None => {}
        }
    }

    /// Whoever is asked to end next has had its time for that.
    pub(super) fn get_stuck_next(&mut self) {
        if let Some(
            Directive::EndIncarnation { child, incarnation }
            | Directive::Stop { child, incarnation },
        ) = self.directives.pop_front()
        {
            self.input(|it, now| it.stuck(child, incarnation, now));
        }
    }

    pub(super) fn answer_of(&mut self, child: ChildId) {
        let incarnation = self.supervision.status(child).map(|it| it.incarnation);
        if let Some(incarnation) = incarnation {
            self.input(|it, now| it.started(child, incarnation, now));
        }
    }

    pub(super) fn answer_all(&mut self) {
        while !self.directives.is_empty() {
            self.answer_next();
        }
    }

    pub(super) fn answer_until_a_start(&mut self) {
        let is_start = |it: &&Directive| matches!(it, Directive::Start { .. });
        while !self.directives.is_empty() && self.directives.front().filter(is_start).is_none() {
            self.answer_next();
        }
        self.directives.pop_front();
    }

    pub(super) fn wait_and_answer_all(&mut self) {
        self.answer_all();
        while let Some(deadline) = self.supervision.next_deadline() {
            self.now = self.now.max(deadline);
            self.input(Supervision::handle_deadline);
            self.answer_all();
        }
    }

    pub(super) fn first(&self) -> ChildId {
        self.children[0]
    }

    pub(super) fn last(&self) -> ChildId {
        self.children[self.children.len() - 1]
    }

    pub(super) fn but_the_first(&self) -> Vec<ChildId> {
        self.children[1..].to_vec()
    }

    pub(super) fn lower_half(&self) -> Vec<ChildId> {
        self.children[..self.size / 2].to_vec()
    }

    pub(super) fn reversed(&self) -> Vec<ChildId> {
        self.children.iter().rev().copied().collect()
    }
}
