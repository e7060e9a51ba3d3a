//! Children that block their thread when they are stopped.

use std::time::Instant;

#[cfg(doc)]
use super::Directive;
use super::state::State;
use super::{ChildId, Ending, Incarnation, Supervision};

impl Supervision {
    /// An incarnation has had its time to end, and something of it is left.
    ///
    /// This takes the place of [`exited`](Self::exited) as the answer to a
    /// [`Directive::Stop`] or a [`Directive::EndIncarnation`]; at any other time it
    /// changes nothing. `exited` follows once nothing of the incarnation is left.
    ///
    /// Nobody waits for the end of a stuck child. One that was stopped counts as
    /// down, so a [`Directive::Ended`] reports it at once. The child stays known
    /// until it is gone, even if it is forgotten then, so nobody takes its name. A
    /// group is stopped without it, and a shutdown is over without it.
    ///
    /// Nothing starts beside it. A [`restart`](Self::restart) waits until it is gone.
    /// So does its turn in the restart of its group, and the children behind it wait
    /// for their turn. `stop` and `remove` end that: each is answered by another
    /// `Ended` at once, and the group goes on without the child.
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

    /// Counts a stuck child as down, for this reason.
    pub(super) fn end_stuck(&mut self, child: ChildId, why: Ending, now: Instant) {
        self.enter(child, State::Stuck(why), now);
        self.say_ended(child, why);
    }
}
