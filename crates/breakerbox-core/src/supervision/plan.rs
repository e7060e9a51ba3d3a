//! The order in which a group of children is stopped and started.
//!
//! When a group restarts, everything goes on happening: a second child dies,
//! one does not come up, one is removed or added. A second restart beside the
//! first would start what the first is about to stop. So there is one plan, it
//! keeps no list of steps that could go out of date, and it is asked for its
//! next step after every input: the last child that runs is ended; when none
//! does, the waits begin; when they are over, the first child is started.
//!
//! # Invariants
//!
//! 1. No child of the group is started before all of it is down.
//! 2. At most one child is being started or ended by the plan.
//! 3. A child leaves the plan once it is up, or down to stay, so a later failure
//!    brings down again only those that share it.

use std::collections::{BTreeMap, BTreeSet};

use super::ChildId;
use super::record::Record;
use super::state::State;

/// A boot, or the restart of a group.
#[derive(Debug)]
pub(super) struct Plan {
    children: BTreeSet<ChildId>,
    others: Others,
    part: Part,
}

impl Plan {
    /// Starts these children, of which none runs.
    pub(super) fn start(children: impl Iterator<Item = ChildId>) -> Self {
        Self {
            children: children.collect(),
            others: Others::MayBeChanging,
            part: Part::Starting,
        }
    }

    /// Stops these children before it goes on.
    pub(super) const fn stop(children: BTreeSet<ChildId>) -> Self {
        Self {
            children,
            others: Others::MayBeChanging,
            part: Part::Stopping,
        }
    }

    /// Begins anew, with these children and those it has not started yet.
    pub(super) fn restart(&mut self, children: BTreeSet<ChildId>) {
        self.children.extend(children);
        self.part = Part::Stopping;
    }

    /// Starts this one too, in its turn.
    pub(super) fn insert(&mut self, child: ChildId) {
        self.children.insert(child);
    }

    pub(super) fn contains(&self, child: ChildId) -> bool {
        self.children.contains(&child)
    }

    pub(super) fn children(&self) -> impl Iterator<Item = ChildId> {
        self.children.iter().copied()
    }

    /// This one is up, so the plan has no more to do with it once it starts.
    pub(super) fn came_up(&mut self, child: ChildId) {
        if self.part == Part::Starting {
            self.children.remove(&child);
        }
    }

    /// Something happened to a child that need not be the next in turn.
    pub(super) const fn look_at_all(&mut self) {
        self.others = Others::MayBeChanging;
    }

    /// Whether it still stops children, so that a further failure is no news.
    pub(super) fn is_stopping(&self) -> bool {
        self.part == Part::Stopping
    }

    /// What is to be done now; asked again after each step and each input.
    pub(super) fn next(&mut self, records: &BTreeMap<ChildId, Record>) -> Step {
        match self.part {
            Part::Stopping => self.stop_last(records),
            Part::Waiting if self.states(records).any(is_waiting) => Step::Await,
            Part::Waiting | Part::Starting => self.start_first(records),
        }
    }

    fn stop_last(&mut self, records: &BTreeMap<ChildId, Record>) -> Step {
        for child in self.children.iter().rev() {
            match records.get(child).map(Record::state) {
                Some(state) if state.is_running() => return Step::End(*child),
                Some(state) if state.is_ending() => return Step::Await,
                _ => {}
            }
        }
        self.part = Part::Waiting;
        Step::BeginWaits
    }

    /// Looks at the first child alone, unless something happened to another one:
    /// a boot of ten thousand must not look at all of them at each start.
    fn start_first(&mut self, records: &BTreeMap<ChildId, Record>) -> Step {
        self.part = Part::Starting;
        if self.others == Others::MayBeChanging {
            let is_there = |child: &ChildId| records.get(child).map(Record::state);
            self.children
                .retain(|child| is_there(child).is_some_and(is_left));
            if self.states(records).any(State::is_changing) {
                return Step::Await;
            }
            self.others = Others::Settled;
        }
        while let Some(child) = self.children.first().copied() {
            match records.get(&child).map(Record::state) {
                Some(state) if state.is_changing() => return Step::Await,
                Some(state) if is_left(state) => return Step::Start(child),
                _ => self.children.pop_first(),
            };
        }
        Step::Finish
    }

    fn states(&self, records: &BTreeMap<ChildId, Record>) -> impl Iterator<Item = State> {
        let records = self.children.iter().filter_map(|child| records.get(child));
        records.map(Record::state)
    }
}

/// What a plan asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing, until something happens.
    Await,
    /// All are down: those that have to wait begin to.
    BeginWaits,
    /// End this one, which is the last that runs.
    End(ChildId),
    /// It is done.
    Finish,
    /// Start this one.
    Start(ChildId),
}

/// What is known of the children that are not the next in turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Others {
    MayBeChanging,
    /// None is between two states.
    Settled,
}

/// The parts of a plan, one after another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Stopping,
    Waiting,
    Starting,
}

fn is_waiting(state: State) -> bool {
    state.until().is_some()
}

/// Whether it is still to be started, or awaited.
fn is_left(state: State) -> bool {
    !matches!(state, State::Down(_) | State::Up)
}
