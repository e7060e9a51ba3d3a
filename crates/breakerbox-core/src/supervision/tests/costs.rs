use super::work::counted;
use super::*;

/// R44: what n children cost is near to linear in n, whatever happens to them, and
/// no input is about all of them but those that have to be.
#[test]
fn r44_children_cost_what_they_do_alone() {
    for (name, history) in HISTORIES {
        for strategy in STRATEGIES {
            let (few, many) = (
                costs(strategy, FEW, *history),
                costs(strategy, 4 * FEW, *history),
            );
            // Four times as much would be linear, and sixteen times quadratic.
            let total = |costs: &[u64]| costs.iter().sum::<u64>();
            let (few_total, many_total) = (total(&few), total(&many));
            assert!(
                many_total < 6 * few_total,
                "{name}, {strategy:?}: {few_total}, then {many_total} in all"
            );
            // As much would be constant, and four times linear.
            let (one_of_few, one_of_many) = (few[ABOUT_ALL], many[ABOUT_ALL]);
            assert!(
                one_of_many < 2 * one_of_few,
                "{name}, {strategy:?}: {one_of_few}, then {one_of_many} for one input"
            );
        }
    }
}

/// What each input of a history costs, the dearest first.
fn costs(strategy: Strategy, children: usize, history: fn(&mut Town)) -> Vec<u64> {
    let mut town = Town::of(strategy, children);
    history(&mut town);
    town.costs.sort_unstable_by(|one, other| other.cmp(one));
    town.costs
}

const FEW: usize = 256;

/// How many inputs of a history may be about all children: a boot, the beginning
/// of a group restart, the moment when a group is down, and a shutdown.
const ABOUT_ALL: usize = 4;

const STRATEGIES: [Strategy; 3] = [
    Strategy::OneForAll,
    Strategy::OneForOne,
    Strategy::RestForOne,
];

type History = (&'static str, fn(&mut Town));

const HISTORIES: &[History] = &[
    ("a boot", Town::boot),
    ("a boot beside crashes of others", |town| {
        town.half_boot();
        for child in town.lower_half() {
            town.crash(child);
            town.answer_of(child);
        }
        town.answer_all();
    }),
    ("a boot beside commands to others", |town| {
        town.half_boot();
        for (nth, child) in town.lower_half().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("a crash of the first", |town| {
        town.boot();
        town.crash(town.first());
        town.answer_all();
    }),
    ("a crash of each at once, in order", |town| {
        town.boot();
        for child in town.children.clone() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a crash of each at once, in reverse", |town| {
        town.boot();
        for child in town.reversed() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a crash of each at once, and then once more", |town| {
        town.boot();
        for child in town.children.clone() {
            town.crash(child);
            town.answer_next();
        }
        for child in town.reversed() {
            town.crash(child);
            town.answer_next();
        }
        town.answer_all();
    }),
    ("many crashes of the first while it starts", |town| {
        town.boot();
        town.crash_many_times(town.first());
    }),
    ("many crashes of the last while it starts", |town| {
        town.boot();
        town.crash_many_times(town.last());
    }),
    ("many crashes before others that are down", |town| {
        town.boot();
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            match nth % 3 {
                0 => town.finish(child),
                1 => drop(town.input(|it, now| it.stop(child, now))),
                _ => drop(town.input(|it, now| it.remove(child, now))),
            }
            town.answer_all();
        }
        town.crash_many_times(town.first());
    }),
    ("commands while a group stops", |town| {
        town.boot();
        town.crash(town.first());
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("commands while a group starts", |town| {
        town.boot();
        town.crash(town.first());
        town.answer_until_a_start();
        for (nth, child) in town.but_the_first().into_iter().enumerate() {
            town.command(nth, child);
        }
        town.answer_all();
    }),
    ("additions while a group restarts", |town| {
        town.boot();
        town.crash(town.first());
        for _ in 0..town.children.len() {
            town.add();
        }
        town.answer_until_a_start();
        for _ in 0..town.children.len() {
            town.add();
        }
        town.answer_all();
    }),
    ("a backoff of each, the last one first", |town| {
        town.policy = town.policy.backoff(Backoff::fixed(SECOND));
        town.boot();
        for child in town.reversed() {
            town.crash(child);
            town.answer_next();
            town.now += SECOND / 1_000;
        }
        town.wait_and_answer_all();
    }),
    ("a stop, a restart and a removal of each", |town| {
        town.boot();
        for child in town.children.clone() {
            town.input(|it, now| it.stop(child, now));
            town.answer_all();
            town.input(|it, now| it.restart(child, now));
            town.answer_all();
            town.input(|it, now| it.remove(child, now));
            town.answer_all();
        }
    }),
    ("a group of which all are stuck", |town| {
        town.boot();
        town.crash(town.last());
        for _ in 0..town.size {
            town.get_stuck_next();
        }
        for child in town.reversed() {
            town.crash(child);
        }
        town.answer_all();
    }),
    ("a shutdown in which each gets stuck", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        while !town.directives.is_empty() {
            town.get_stuck_next();
        }
        for child in town.children.clone() {
            town.crash(child);
        }
    }),
    ("an end of each significant one", |town| {
        town.boot();
        for child in town.children.clone() {
            town.finish(child);
            town.answer_all();
        }
    }),
    ("a shutdown", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        town.answer_all();
    }),
    ("a shutdown side by side", |town| {
        town.policy = town.policy.side_by_side();
        town.boot();
        town.input(Supervision::shutdown);
        town.answer_all();
    }),
    ("a shutdown at once, in the middle of one", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        for _ in 0..town.size / 2 {
            town.answer_next();
        }
        town.input(Supervision::shutdown_at_once);
        town.answer_all();
    }),
    ("a shutdown while each crashes", |town| {
        town.boot();
        town.input(Supervision::shutdown);
        for child in town.children.clone() {
            town.crash(child);
        }
        town.answer_all();
    }),
];

/// A supervision with many children, and what each input to it has cost.
struct Town {
    children: Vec<ChildId>,
    costs: Vec<u64>,
    directives: VecDeque<Directive>,
    now: Instant,
    policy: ChildPolicy,
    size: usize,
    supervision: Supervision,
}

impl Town {
    fn of(strategy: Strategy, size: usize) -> Self {
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

    fn input<T>(&mut self, input: impl FnOnce(&mut Supervision, Instant) -> T) -> T {
        let mut answer = None;
        self.costs.push(counted(|| {
            answer = Some(input(&mut self.supervision, self.now));
            while let Some(directive) = self.supervision.poll_directive() {
                self.directives.push_back(directive);
            }
        }));
        answer.expect("the input was made")
    }

    fn add(&mut self) {
        let policy = self.policy;
        let child = self.input(|it, now| it.add(policy, now));
        self.children.push(child.expect("it is not stopping"));
    }

    fn boot(&mut self) {
        self.begin_to_boot();
        self.answer_all();
    }

    fn half_boot(&mut self) {
        self.begin_to_boot();
        for _ in 0..self.size / 2 {
            self.answer_next();
        }
    }

    fn begin_to_boot(&mut self) {
        for _ in 0..self.size {
            self.add();
        }
        self.input(Supervision::boot);
    }

    fn crash(&mut self, child: ChildId) {
        self.exited(child, Exit::Killed);
    }

    fn finish(&mut self, child: ChildId) {
        self.exited(child, Exit::Normal);
    }

    fn exited(&mut self, child: ChildId, exit: Exit) {
        if let Some(status) = self.supervision.status(child) {
            let incarnation = status.incarnation;
            self.input(|it, now| it.exited(child, incarnation, exit, now));
        }
    }

    /// It crashes each time when it is started, as often as there are children.
    fn crash_many_times(&mut self, child: ChildId) {
        self.crash(child);
        for _ in 0..self.size {
            self.answer_until_a_start();
            self.crash(child);
        }
        self.answer_all();
    }

    /// One of all commands in turn.
    fn command(&mut self, nth: usize, child: ChildId) {
        self.input(|it, now| match nth % 3 {
            0 => it.restart(child, now),
            1 => it.stop(child, now),
            _ => it.remove(child, now),
        });
    }

    /// Does the next thing that is asked for, as a world without failures does.
    fn answer_next(&mut self) {
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
    fn get_stuck_next(&mut self) {
        if let Some(
            Directive::EndIncarnation { child, incarnation }
            | Directive::Stop { child, incarnation },
        ) = self.directives.pop_front()
        {
            self.input(|it, now| it.stuck(child, incarnation, now));
        }
    }

    fn answer_of(&mut self, child: ChildId) {
        let incarnation = self.supervision.status(child).map(|it| it.incarnation);
        if let Some(incarnation) = incarnation {
            self.input(|it, now| it.started(child, incarnation, now));
        }
    }

    fn answer_all(&mut self) {
        while !self.directives.is_empty() {
            self.answer_next();
        }
    }

    fn answer_until_a_start(&mut self) {
        let is_start = |it: &&Directive| matches!(it, Directive::Start { .. });
        while !self.directives.is_empty() && self.directives.front().filter(is_start).is_none() {
            self.answer_next();
        }
        self.directives.pop_front();
    }

    fn wait_and_answer_all(&mut self) {
        self.answer_all();
        while let Some(deadline) = self.supervision.next_deadline() {
            self.now = self.now.max(deadline);
            self.input(Supervision::handle_deadline);
            self.answer_all();
        }
    }

    fn first(&self) -> ChildId {
        self.children[0]
    }

    fn last(&self) -> ChildId {
        self.children[self.children.len() - 1]
    }

    fn but_the_first(&self) -> Vec<ChildId> {
        self.children[1..].to_vec()
    }

    fn lower_half(&self) -> Vec<ChildId> {
        self.children[..self.size / 2].to_vec()
    }

    fn reversed(&self) -> Vec<ChildId> {
        self.children.iter().rev().copied().collect()
    }
}
