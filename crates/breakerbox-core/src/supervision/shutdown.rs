//! Stopping all children, one after another.

use std::time::Instant;

use super::record::Record;
use super::stage::Stage;
use super::state::State;
use super::{ChildId, Ending, Supervision};

impl Supervision {
    /// Stops all children, the last one added first, one after another.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.stage.is_stopping() {
            return;
        }
        let left = self.records.keys().copied().collect();
        self.stage = Stage::Stopping { left };
        self.plan = None;
        self.waits.clear();
        self.proceed(now);
    }

    /// Turns to the last child that is not down.
    pub(super) fn stop_next(&mut self, now: Instant) {
        while let Stage::Stopping { left } = &mut self.stage
            && let Some(&child) = left.last()
        {
            match self.records.get(&child).map(Record::state) {
                Some(State::Stopping(_) | State::StoppingToStart(_)) => return,
                None | Some(State::Down(_)) => {
                    left.pop();
                }
                Some(State::Queued) => {
                    left.pop();
                    self.never_begun(child, now);
                }
                Some(_) => return self.stop_for(child, Ending::ShutDown, now),
            }
        }
    }

    fn never_begun(&mut self, child: ChildId, now: Instant) {
        self.enter(child, State::Down(Ending::ShutDown), now);
        self.say_ended(child, Ending::ShutDown);
    }
}
