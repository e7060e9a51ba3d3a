//! What others may ask for while the supervision runs.

use std::time::Instant;

use super::record::Record;
use super::stage::Stage;
use super::state::{State, Wait};
use super::{ChildId, ChildPolicy, Ending, Strategy, Supervision};

impl Supervision {
    /// Adds a child, or `None` when the supervision is stopping.
    ///
    /// It is started at once, but while a group boots or restarts it is started
    /// at the end, for it may depend on all those before it.
    ///
    /// Ids are never used twice, so that a late word about a child that was
    /// removed cannot reach one that was added after it.
    pub fn add(&mut self, policy: ChildPolicy, now: Instant) -> Option<ChildId> {
        let now = self.advance(now);
        if self.stage.is_stopping() {
            return None;
        }
        let child = ChildId::new(self.added);
        self.added += 1;
        self.children.insert(child, Record::new(policy, now));
        self.start_in_turn(child, now);
        Some(child)
    }

    /// Stops a child and forgets it; false when there is no such child.
    ///
    /// It may be in any phase. A group that restarts goes on without it. One that is
    /// stuck is forgotten once it is gone.
    pub fn remove(&mut self, child: ChildId, now: Instant) -> bool {
        let now = self.advance(now);
        let Some(state) = self.children.state(child) else {
            return false;
        };
        match state {
            State::Down(_) => self.forget(child),
            State::Queued => {
                self.say_ended(child, Ending::Removed);
                self.forget(child);
            }
            State::Stuck(_) | State::StuckToStart(_) => {
                self.end_stuck(child, Ending::Removed, now);
            }
            State::Stopping(Ending::ShutDown) => {}
            State::Stopping(_) | State::StoppingToStart(_) => {
                self.enter(child, State::Stopping(Ending::Removed), now);
            }
            _ => self.stop_for(child, Ending::Removed, now),
        }
        self.proceed(now);
        true
    }

    /// Starts a child anew and charges nobody; false when it cannot be.
    ///
    /// From a backoff, a pause or down it starts at once, without the rest of
    /// its wait; what it has failed before is not forgotten. Up or starting, its
    /// incarnation is ended in place and the next one follows. Stopping, it is
    /// started once it is down; stuck, once it is gone. While its group restarts it keeps its turn.
    ///
    /// False for an unknown child, one that is about to be forgotten, and when
    /// the supervision is stopping.
    pub fn restart(&mut self, child: ChildId, now: Instant) -> bool {
        let now = self.advance(now);
        let Some(record) = self.children.get(child) else {
            return false;
        };
        if self.stage.is_stopping() {
            return false;
        }
        match record.state() {
            State::Stopping(why) | State::Stuck(why) if !record.is_worth_keeping(why) => {
                return false;
            }
            State::Stopping(why) => self.enter(child, State::StoppingToStart(why), now),
            State::Stuck(why) => self.enter(child, State::StuckToStart(why), now),
            State::Down(_) => self.start_in_turn(child, now),
            State::BackingOff { .. } | State::Held(_) | State::Paused { .. } => {
                self.children.change(child, |record| record.end_pause(now));
                self.forget_wait(child);
                self.start_after_wait(child, now);
            }
            // Its group is about to end it and start it again.
            State::Starting | State::Up if self.group_ends(child) => {}
            State::Starting | State::Up => self.end_incarnation(child, now),
            State::EndingIncarnation
            | State::Queued
            | State::StoppingToStart(_)
            | State::StuckIncarnation
            | State::StuckToStart(_) => {}
        }
        self.proceed(now);
        true
    }

    /// Stops a child and keeps it; false when it cannot be kept.
    ///
    /// It may be in any phase. Nothing but [`restart`](Self::restart) starts it
    /// again, neither its restart type nor its group.
    ///
    /// False for an unknown child and one that is about to be forgotten.
    pub fn stop(&mut self, child: ChildId, now: Instant) -> bool {
        let now = self.advance(now);
        let Some(state) = self.children.state(child) else {
            return false;
        };
        match state {
            State::Stopping(Ending::Removed | Ending::StartFailed)
            | State::Stuck(Ending::Removed | Ending::StartFailed) => return false,
            State::Stopping(Ending::GaveUp | Ending::ShutDown)
            | State::Down(Ending::GaveUp | Ending::ShutDown | Ending::Stopped) => {}
            State::Down(_) => self.enter(child, State::Down(Ending::Stopped), now),
            State::Stuck(why @ (Ending::GaveUp | Ending::ShutDown)) => {
                self.end_stuck(child, why, now);
            }
            State::Stuck(_) | State::StuckToStart(_) => {
                self.end_stuck(child, Ending::Stopped, now);
            }
            State::Queued => {
                self.enter(child, State::Down(Ending::Stopped), now);
                self.say_ended(child, Ending::Stopped);
            }
            State::Stopping(_) | State::StoppingToStart(_) => {
                self.enter(child, State::Stopping(Ending::Stopped), now);
            }
            _ => self.stop_for(child, Ending::Stopped, now),
        }
        self.proceed(now);
        true
    }

    /// Starts a child that is not there, as soon as it is its turn.
    pub(super) fn start_in_turn(&mut self, child: ChildId, now: Instant) {
        match self.stage {
            Stage::Assembling => self.enter(child, State::Queued, now),
            _ if self.strategy == Strategy::OneForOne || self.children.plan().is_idle() => {
                self.start(child, now);
            }
            _ => {
                self.enter(child, State::Queued, now);
                self.children.take_in(child);
            }
        }
    }

    /// Starts a child that waited, unless its group has to wait for others.
    pub(super) fn start_after_wait(&mut self, child: ChildId, now: Instant) {
        if self.children.is_planned(child) {
            self.enter(child, State::Held(Wait::None), now);
        } else {
            self.start(child, now);
        }
    }

    fn group_ends(&self, child: ChildId) -> bool {
        self.children.plan().is_stopping() && self.children.is_planned(child)
    }
}
