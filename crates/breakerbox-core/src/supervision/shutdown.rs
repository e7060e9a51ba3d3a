//! The shutdown of all children, one after another or side by side.

use std::collections::BTreeSet;
use std::time::Instant;

#[cfg(doc)]
use super::ChildPolicy;
use super::record::Record;
use super::stage::Stage;
use super::state::State;
use super::{ChildId, Ending, Supervision};

impl Supervision {
    /// Stops all children, the last one added first, one after another.
    ///
    /// Neighbours that stop [side by side](ChildPolicy::side_by_side) are stopped
    /// together, at most 1,000 at a time: once one is down, the next is asked.
    ///
    /// It does not wait for children that are stuck. A second shutdown does nothing.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.advance(now);
        self.begin_to_shut_down();
        self.proceed(now);
    }

    /// Stops all children that are left, whatever their order and number.
    ///
    /// This is for the moment when the tree's time to end is over. Children that
    /// have been asked to stop are not asked again. It shuts down a supervision
    /// that was not shutting down, too; a second call does nothing.
    pub fn shutdown_at_once(&mut self, now: Instant) {
        let now = self.advance(now);
        self.begin_to_shut_down();
        while let Some(child) = self.stage.pop_left() {
            self.stop_in_turn(child, now);
        }
    }

    fn begin_to_shut_down(&mut self) {
        if !self.stage.is_stopping() {
            self.stage = Stage::Stopping {
                left: self.children.ids().collect(),
                under_way: BTreeSet::new(),
            };
            self.children.abandon_plan();
            self.waits.clear();
        }
    }

    /// Stops the last child that is left, and so on, as far as those under way allow.
    pub(super) fn stop_next(&mut self, now: Instant) {
        while let Some(child) = self.next_to_stop() {
            self.stop_in_turn(child, now);
        }
    }

    /// Takes the last child that is left and not down, if its turn has come.
    fn next_to_stop(&mut self) -> Option<ChildId> {
        let Stage::Stopping { left, under_way } = &mut self.stage else {
            return None;
        };
        let is_down = |child: &ChildId| self.children.get(*child).is_none_or(Record::is_down);
        while left.pop_if(|child| is_down(child)).is_some() {}
        let shares = |child| {
            let record = self.children.get(child);
            record.is_some_and(Record::shares_its_end)
        };
        // Those under way are alike: one that shares nothing is there alone.
        let has_turn = |child| {
            under_way.first().is_none_or(|other| {
                under_way.len() < MOST_AT_ONCE && shares(*other) && shares(child)
            })
        };
        left.pop_if(|child| has_turn(*child))
    }

    fn stop_in_turn(&mut self, child: ChildId, now: Instant) {
        match self.children.state(child) {
            None | Some(State::Down(_) | State::Stuck(_)) => return,
            Some(State::Queued) => return self.never_begun(child, now),
            Some(State::StuckToStart(_)) => {
                return self.end_stuck(child, Ending::ShutDown, now);
            }
            Some(State::Stopping(_) | State::StoppingToStart(_)) => {}
            Some(_) => self.stop_for(child, Ending::ShutDown, now),
        }
        self.stage.goes_down(child);
    }

    pub(super) fn never_begun(&mut self, child: ChildId, now: Instant) {
        self.enter(child, State::Down(Ending::ShutDown), now);
        self.say_ended(child, Ending::ShutDown);
    }
}

/// The window that lets each child have the processor soon enough to end in its
/// time, and lets a set of 10,000 of which each hangs for a second end in ten.
const MOST_AT_ONCE: usize = 1_000;
