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
    /// together, at most a hundred at a time.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.stage.is_stopping() {
            return;
        }
        self.stage = Stage::Stopping {
            left: self.records.keys().copied().collect(),
            under_way: BTreeSet::new(),
        };
        self.plan = None;
        self.waits.clear();
        self.proceed(now);
    }

    /// Stops the last child that is left, and so on, as far as those under way allow.
    pub(super) fn stop_next(&mut self, now: Instant) {
        let Stage::Stopping { under_way, .. } = &mut self.stage else {
            return;
        };
        let is_up = |child: &ChildId| self.records.get(child).is_some_and(Record::is_not_down);
        under_way.retain(is_up);
        while let Stage::Stopping { left, under_way } = &mut self.stage
            && let Some(&child) = left.last()
        {
            let Some(record) = self.records.get(&child).filter(|it| it.is_not_down()) else {
                left.pop();
                continue;
            };
            // Those under way are alike: one that shares nothing is there alone.
            let others_share = |other| self.records.get(other).is_some_and(Record::shares_its_end);
            let may_join = under_way.first().is_none_or(|other| {
                under_way.len() < MOST_AT_ONCE && others_share(other) && record.shares_its_end()
            });
            if !may_join {
                return;
            }
            let state = record.state();
            left.pop();
            match state {
                State::Queued => self.never_begun(child, now),
                State::Stopping(_) | State::StoppingToStart(_) => {
                    under_way.insert(child);
                }
                _ => {
                    under_way.insert(child);
                    self.stop_for(child, Ending::ShutDown, now);
                }
            }
        }
    }

    fn never_begun(&mut self, child: ChildId, now: Instant) {
        self.enter(child, State::Down(Ending::ShutDown), now);
        self.say_ended(child, Ending::ShutDown);
    }
}

/// The limit that lets each child have the processor soon enough to end in its time.
const MOST_AT_ONCE: usize = 100;
