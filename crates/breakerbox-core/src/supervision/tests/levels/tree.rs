use super::*;

/// A root with a level between two children that do as they are told.
///
/// Each incarnation of the level is a supervision of its own, with the same
/// children, which take their time for everything.
pub(super) struct Tree<'a> {
    below: Strategy,
    counts: &'a Counts,
    /// All there ever were, the present one last.
    levels: Vec<Level>,
    pub(super) now: Instant,
    restarts: u32,
    root: Supervision,
}

struct Level {
    incarnation: Incarnation,
    /// Whether the root asked for its end.
    is_asked: bool,
    running: BTreeSet<ChildId>,
    supervision: Supervision,
    told: Told,
    was_stuck: bool,
    was_up: bool,
}

/// What the root was told of a level's end since it last asked for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Exited,
    Nothing,
    Stuck,
}

impl<'a> Tree<'a> {
    pub(super) fn new(above: Strategy, below: Strategy, restarts: u32, counts: &'a Counts) -> Self {
        let mut tree = Self {
            below,
            counts,
            levels: Vec::new(),
            now: epoch(),
            restarts,
            root: Supervision::new(above, RestartIntensity::new(6, 60 * SECOND), 7),
        };
        for _ in [BEFORE, LEVEL, BEHIND] {
            tree.root.add(backing_off(), tree.now);
        }
        tree.root.boot(tree.now);
        tree.act();
        tree
    }

    pub(super) fn feed(&mut self, event: Event, child: ChildId) {
        match event {
            Event::Deadline => self.pass_to_the_deadline(),
            Event::LevelIsRestarted => drop(self.root.restart(LEVEL, self.now)),
            Event::LevelIsStopped => {
                self.root.stop(LEVEL, self.now);
                self.act();
                self.root.restart(LEVEL, self.now);
            }
            Event::SiblingCrashes => {
                let incarnation = self.root.status(BEFORE).map(|it| it.incarnation);
                let incarnation = incarnation.unwrap_or(Incarnation::FIRST);
                self.root
                    .exited(BEFORE, incarnation, Exit::Killed, self.now);
            }
            _ => {
                if let Some(level) = self.levels.last_mut() {
                    let child = level.meant_by(event).unwrap_or(child);
                    level.feed(event, child, self.counts, self.now);
                }
            }
        }
        self.act();
    }

    /// Ends the tree within its time, and sees that nothing of it is left.
    pub(super) fn end(mut self) {
        self.root.shutdown_at_once(self.now);
        self.act();
        for nth in 0.. {
            let waits_for = |level: &&mut Level| !level.supervision.is_over();
            let Some(level) = self.levels.iter_mut().find(waits_for) else {
                break;
            };
            let event = [Event::Ends, Event::GetsStuck][nth % 2];
            for child in CHILDREN {
                level.feed(event, child, self.counts, self.now);
            }
            self.act();
        }
        assert!(self.root.is_over());
        for level in &mut self.levels {
            for child in level.running.clone() {
                level.feed(Event::Ends, child, self.counts, self.now);
            }
        }
        self.act();
        let phase = self.root.status(LEVEL).map(|status| status.phase);
        assert!(matches!(phase, None | Some(Phase::Down)), "{phase:?}");
    }

    fn pass_to_the_deadline(&mut self) {
        let below = self.levels.last().map(|level| &level.supervision);
        let all = [Some(&self.root), below].into_iter().flatten();
        let first = all.filter_map(Supervision::next_deadline).min();
        self.now = self.now.max(first.unwrap_or(self.now));
        self.root.handle_deadline(self.now);
        for level in &mut self.levels {
            level.supervision.handle_deadline(self.now);
        }
    }

    /// Does what the levels and the root ask for, until they ask for nothing.
    fn act(&mut self) {
        loop {
            for level in 0..self.levels.len() {
                self.act_for_a_level(level);
            }
            for level in &mut self.levels {
                level.tell(&mut self.root, self.counts, self.now);
            }
            let Some(directive) = self.root.poll_directive() else {
                return;
            };
            self.act_for_the_root(directive);
        }
    }

    fn act_for_the_root(&mut self, directive: Directive) {
        match directive {
            Directive::Start { child, incarnation } if child == LEVEL => self.start(incarnation),
            Directive::Start { child, incarnation } => {
                self.root.started(child, incarnation, self.now);
            }
            Directive::EndIncarnation { child, .. } | Directive::Stop { child, .. }
                if child == LEVEL =>
            {
                let level = self.levels.last_mut().expect("it was started");
                level.is_asked = true;
                level.told = Told::Nothing;
                level.supervision.shutdown(self.now);
                self.counts.note("a level that was ended by the one above");
            }
            Directive::EndIncarnation { child, incarnation }
            | Directive::Stop { child, incarnation } => {
                self.root.exited(child, incarnation, Exit::Normal, self.now);
            }
            Directive::Escalate { .. } => self.counts.note("an escalation to the root"),
            _ => {}
        }
    }

    /// Starts the next incarnation of the level.
    fn start(&mut self, incarnation: Incarnation) {
        if let Some(former) = self.levels.last() {
            assert_eq!(former.told, Told::Exited, "before {incarnation}");
            self.counts.note("a level that starts again");
            if former.was_stuck {
                self.counts
                    .note("a level that starts after one that was stuck");
            }
        }
        let intensity = RestartIntensity::new(self.restarts, 10 * SECOND);
        let mut supervision = Supervision::new(self.below, intensity, 7);
        for child in CHILDREN {
            assert_eq!(supervision.add(ChildPolicy::new(), self.now), Some(child));
        }
        supervision.boot(self.now);
        self.levels.push(Level {
            incarnation,
            is_asked: false,
            running: BTreeSet::new(),
            supervision,
            told: Told::Nothing,
            was_stuck: false,
            was_up: false,
        });
    }

    fn act_for_a_level(&mut self, level: usize) {
        while let Some(directive) = self.levels[level].supervision.poll_directive() {
            match directive {
                Directive::Start { child, .. } => {
                    let runs = |level: &Level| level.running.contains(&child);
                    assert!(!self.levels.iter().any(runs), "{child:?} beside itself");
                    self.levels[level].running.insert(child);
                }
                Directive::Escalate { .. } if self.levels[level].was_up => {
                    self.counts.note("a level that escalated");
                }
                Directive::Escalate { .. } => self.counts.note("a level that failed to boot"),
                _ => {}
            }
        }
    }
}

impl Level {
    /// The child that waits for such an event, as in a world where most goes well.
    fn meant_by(&self, event: Event) -> Option<ChildId> {
        let waits_for = match event {
            Event::ComesUp => Phase::Starting,
            Event::Ends | Event::GetsStuck => Phase::Stopping,
            _ => return None,
        };
        let phase = |child: &ChildId| Some(self.supervision.status(*child)?.phase);
        CHILDREN
            .into_iter()
            .find(|child| phase(child) == Some(waits_for))
    }

    fn feed(&mut self, event: Event, child: ChildId, counts: &Counts, now: Instant) {
        let Some(status) = self.supervision.status(child) else {
            return;
        };
        let (incarnation, phase) = (status.incarnation, status.phase);
        match event {
            Event::ComesUp => self.supervision.started(child, incarnation, now),
            Event::Crashes | Event::Ends => {
                self.running.remove(&child);
                let exit = match event {
                    Event::Crashes => Exit::Killed,
                    _ => Exit::Normal,
                };
                self.supervision.exited(child, incarnation, exit, now);
            }
            Event::EndsAtOnce if self.is_asked && !self.supervision.is_over() => {
                counts.note("a level that was ended at once");
                self.supervision.shutdown_at_once(now);
            }
            Event::GetsStuck if phase == Phase::Stopping && self.running.contains(&child) => {
                counts.note("a child that is stuck");
                self.supervision.stuck(child, incarnation, now);
            }
            _ => {}
        }
    }

    /// Tells the root that it is up, that it has ended, or that some of it is stuck.
    fn tell(&mut self, root: &mut Supervision, counts: &Counts, now: Instant) {
        if self.supervision.is_booted() && !self.was_up {
            self.was_up = true;
            counts.note("a level that comes up");
            root.started(LEVEL, self.incarnation, now);
        }
        if !self.supervision.is_over() || self.told == Told::Exited {
            return;
        }
        if self.running.is_empty() {
            self.told = Told::Exited;
            root.exited(LEVEL, self.incarnation, self.exit(), now);
        } else if self.is_asked && self.told == Told::Nothing {
            counts.note("a level that is stuck");
            self.told = Told::Stuck;
            self.was_stuck = true;
            root.stuck(LEVEL, self.incarnation, now);
        }
    }

    fn exit(&self) -> Exit {
        match (self.is_asked, self.was_up) {
            (true, _) => Exit::Normal,
            (false, true) => Exit::error("it escalated"),
            (false, false) => Exit::init_failed("a child of it did not come up"),
        }
    }
}

const BEFORE: ChildId = ChildId::new(0);
const LEVEL: ChildId = ChildId::new(1);
const BEHIND: ChildId = ChildId::new(2);
const CHILDREN: [ChildId; 3] = [ChildId::new(0), ChildId::new(1), ChildId::new(2)];
