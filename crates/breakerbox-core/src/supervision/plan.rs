//! The order in which a group of children is stopped and started.
//!
//! When a group restarts, everything goes on happening: a second child dies,
//! one does not come up, one is removed or added. A second restart beside the
//! first would start what the first is about to stop. So there is one plan, it
//! keeps no list of steps that could go out of date, and it is asked for its
//! next step after every input: the last child that runs is ended; when none
//! does, the waits begin; when they are over, the first child is started.
//!
//! To look at every child for each answer would make the restart of a group
//! quadratic. So the plan is told whenever a child changes, and keeps the
//! children sorted by what it has to know of them.
//!
//! # Invariants
//!
//! 1. No child of the group is started before all of it is down.
//! 2. At most one child is being started or ended by the plan.
//! 3. A child leaves the plan once it is up, or down to stay, so a later failure
//!    brings down again only those that share it.
//! 4. A child that is stuck keeps no other from being ended, and those behind it
//!    from being started.
//! 5. Each child is where [`Plan::place`] says; one that is down to stay is
//!    nowhere.

use std::collections::BTreeSet;

use super::state::{State, Wait};
use super::{ChildId, Ending};

/// A boot, the restart of a group, or neither.
#[derive(Debug)]
pub(super) struct Plan {
    part: Part,
    /// The children at each place.
    places: [BTreeSet<ChildId>; Place::COUNT],
}

impl Plan {
    pub(super) const fn idle() -> Self {
        Self {
            part: Part::Idle,
            places: [const { BTreeSet::new() }; Place::COUNT],
        }
    }

    /// Begins with the start of its children, of which none runs.
    pub(super) const fn begin_to_start(&mut self) {
        self.part = Part::Starting;
    }

    /// Begins again, with the end of its children.
    pub(super) const fn begin_to_stop(&mut self) {
        self.part = Part::Stopping;
    }

    /// Gives up whatever was still to be done.
    pub(super) const fn abandon(&mut self) {
        self.part = Part::Idle;
    }

    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.part, Part::Idle)
    }

    /// Returns whether it still stops children, so that a further failure is no news.
    pub(super) const fn is_stopping(&self) -> bool {
        matches!(self.part, Part::Stopping)
    }

    /// Returns whether a child at this place is one of the plan's own.
    pub(super) fn contains(&self, place: Option<Place>) -> bool {
        !self.is_idle() && place.is_some_and(|place| place != Place::Outside)
    }

    /// Returns where a child in this state belongs, by whether it is the plan's own.
    pub(super) const fn place(&self, is_planned: bool, state: State) -> Option<Place> {
        let place = match state {
            State::Down(Ending::Finished) | State::Stuck(Ending::Finished)
                if self.is_stopping() =>
            {
                Place::Finished
            }
            State::Down(Ending::Finished) | State::Stuck(Ending::Finished) => Place::Outside,
            State::Down(_) | State::Stuck(_) => return None,
            // Once the plan starts, it has no more to do with one that is up.
            State::Up if !self.is_stopping() => Place::Outside,
            State::Starting | State::Up => Place::Running,
            State::EndingIncarnation | State::Stopping(_) | State::StoppingToStart(_) => {
                Place::Ending
            }
            State::Held(Wait::Backoff(_) | Wait::Pause(_)) => Place::ToWait,
            State::BackingOff { .. } | State::Paused { .. } => Place::Waiting,
            State::Held(Wait::None) | State::Queued => Place::Ready,
            State::StuckIncarnation | State::StuckToStart(_) => Place::Stuck,
        };
        Some(if is_planned { place } else { Place::Outside })
    }

    /// Moves a child from one place to another.
    pub(super) fn moved(&mut self, child: ChildId, from: Option<Place>, to: Option<Place>) {
        if let Some(from) = from {
            self.places[from as usize].remove(&child);
        }
        if let Some(to) = to {
            self.places[to as usize].insert(child);
        }
    }

    /// The children at a place that were not added before `first`, in order.
    pub(super) fn at(
        &self,
        place: Place,
        first: ChildId,
    ) -> impl DoubleEndedIterator<Item = ChildId> {
        self.places[place as usize].range(first..).copied()
    }

    /// What is to be done now; asked again after each step and each input.
    pub(super) fn next(&mut self) -> Step {
        match self.part {
            Part::Idle => Step::Nothing,
            Part::Stopping => self.stop_last(),
            Part::Starting => self.start_first(),
        }
    }

    fn stop_last(&mut self) -> Step {
        match (self.last(Place::Running), self.last(Place::Ending)) {
            (None, None) => {
                self.part = Part::Starting;
                Step::BeginWaits
            }
            (Some(running), ending) if ending < Some(running) => Step::End(running),
            _ => Step::Await,
        }
    }

    fn start_first(&mut self) -> Step {
        let awaited = [Place::Ending, Place::Running, Place::Waiting];
        let is_empty = |place: Place| self.places[place as usize].is_empty();
        if !awaited.into_iter().all(is_empty) {
            return Step::Await;
        }
        match (self.first(Place::Ready), self.first(Place::Stuck)) {
            (None, None) => {
                self.part = Part::Idle;
                Step::Nothing
            }
            (Some(ready), stuck) if stuck.is_none_or(|stuck| ready < stuck) => Step::Start(ready),
            _ => Step::Await,
        }
    }

    fn first(&self, place: Place) -> Option<ChildId> {
        self.places[place as usize].first().copied()
    }

    fn last(&self, place: Place) -> Option<ChildId> {
        self.places[place as usize].last().copied()
    }
}

/// What a plan has to know of a child.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    /// It is on its way down.
    Ending,
    /// It had finished, and is to start again with its group.
    Finished,
    /// It is not of the plan, and the next group restart may take it in.
    Outside,
    /// It may be started.
    Ready,
    /// It is starting or up.
    Running,
    /// It is stuck, so the group is stopped without it, and its start waits for it.
    Stuck,
    /// It begins to wait when the group is down.
    ToWait,
    /// It waits.
    Waiting,
}

impl Place {
    /// The number of places; `Waiting` is the last one.
    const COUNT: usize = Self::Waiting as usize + 1;
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
    /// Nothing, as there is no plan, or it has done all that it was made for.
    Nothing,
    /// Start this one.
    Start(ChildId),
}

/// The parts of a plan, one after another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Idle,
    Stopping,
    /// It starts its children, once none of them waits.
    Starting,
}
