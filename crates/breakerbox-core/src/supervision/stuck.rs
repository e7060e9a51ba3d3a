//! Children that block their thread when they are stopped.

use std::time::Instant;

use super::state::State;
use super::{ChildId, Ending, Incarnation, Supervision};

impl Supervision {
    /// An incarnation has had its time to end, and something of it is left.
    ///
    /// It is said in place of [`exited`](Self::exited), as the answer to a
    /// [`Directive::Stop`](super::Directive::Stop) or a
    /// [`Directive::EndIncarnation`](super::Directive::EndIncarnation); anywhere
    /// else it changes nothing. `exited` is to be said once nothing is left.
    ///
    /// Nobody waits for a stuck child. One that was stopped counts as down, so its
    /// end is told; but it is known, and its name is taken, until it is gone, even
    /// where it is to be forgotten. A group is stopped without it, and a shutdown
    /// is over without it.
    ///
    /// Nothing is started beside it. What would start it is remembered until it is
    /// gone: a [`restart`](Self::restart), or its turn in the restart of its group,
    /// where those behind it wait, too. A child that is stopped or removed meanwhile
    /// keeps nobody waiting, and its end is told at once, and once more.
    pub fn stuck(&mut self, child: ChildId, incarnation: Incarnation, now: Instant) {
        let now = self.advance(now);
        let record = self.children.get(child);
        let Some(record) = record.filter(|record| record.incarnation() == incarnation) else {
            return;
        };
        match record.state() {
            State::EndingIncarnation => self.enter(child, State::StuckIncarnation, now),
            State::StoppingToStart(why) if !self.stage.is_stopping() => {
                self.enter(child, State::StuckToStart(why), now);
                self.say_ended(child, why);
            }
            State::Stopping(why) | State::StoppingToStart(why) => {
                self.stage.went_down(child);
                self.end_stuck(child, why, now);
            }
            _ => return,
        }
        self.proceed(now);
    }

    /// A child that is stuck counts as down from now on, for this reason.
    pub(super) fn end_stuck(&mut self, child: ChildId, why: Ending, now: Instant) {
        self.enter(child, State::Stuck(why), now);
        self.say_ended(child, why);
    }
}
