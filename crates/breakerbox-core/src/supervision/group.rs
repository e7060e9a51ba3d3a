//! Restarting a child alone, or a group of them as planned.

use std::time::Instant;

use super::plan::{Place, Step};
use super::record::Record;
use super::stage::Stage;
use super::state::{State, Wait};
use super::{ChildId, Ending, Exit, Supervision};
use crate::span;

impl Supervision {
    pub(super) fn restart_lost(&mut self, child: ChildId, wait: Wait, now: Instant) {
        match self.strategy.first_restarted(child) {
            None if wait == Wait::None => self.start(child, now),
            None => self.begin_wait(child, wait, now),
            // In the plan there is: a second one would start what the first stops.
            Some(first) => {
                self.enter(child, State::Held(wait), now);
                self.children.plan_restart(first);
            }
        }
    }

    /// Whether a loss is part of a group's end that is already under way.
    ///
    /// Then it is charged to nobody: two children that fail at the same time are
    /// one failure of the group. One that dies while the group starts is a
    /// further failure, or the group would be started for ever.
    pub(super) fn joins(&self, child: ChildId, wants_another: bool) -> bool {
        let record = self.children.get(child);
        let is_temporary = record.is_some_and(Record::is_temporary);
        let is_restarted = self.children.is_planned(child) && !is_temporary;
        self.children.plan().is_stopping() && (is_restarted || wants_another)
    }

    /// An incarnation was ended in place, and the next one follows.
    pub(super) fn incarnation_ended(&mut self, child: ChildId, exit: Exit, now: Instant) {
        self.note(child, exit);
        if self.stage.is_stopping() {
            self.stop_for(child, Ending::ShutDown, now);
        } else {
            self.start_after_wait(child, now);
        }
    }

    /// Takes the steps of the plan that can be taken now.
    pub(super) fn follow_plan(&mut self, now: Instant) {
        loop {
            match self.children.plan_mut().next() {
                Step::Await => return,
                Step::BeginWaits => self.begin_waits(now),
                Step::End(child) => self.end_with_group(child, now),
                Step::Nothing => break,
                Step::Start(child) => self.start(child, now),
            }
        }
        if let Stage::Booting { .. } = self.stage {
            self.stage = Stage::Running;
        }
    }

    fn end_with_group(&mut self, child: ChildId, now: Instant) {
        let record = self.children.get(child);
        if record.is_some_and(Record::is_temporary) {
            self.stop_for(child, Ending::Finished, now);
        } else {
            self.end_incarnation(child, now);
        }
    }

    /// All of a group is down: now its waits count, and who had finished joins.
    fn begin_waits(&mut self, now: Instant) {
        for child in self.children.planned_at(Place::Finished) {
            let then = match self.children.state(child) {
                Some(State::Stuck(why)) => State::StuckToStart(why),
                _ => State::Queued,
            };
            self.enter(child, then, now);
        }
        for child in self.children.planned_at(Place::ToWait) {
            if let Some(State::Held(wait)) = self.children.state(child) {
                self.begin_wait(child, wait, now);
            }
        }
    }

    fn begin_wait(&mut self, child: ChildId, wait: Wait, now: Instant) {
        let state = match wait {
            Wait::None => return,
            Wait::Backoff(span) => State::BackingOff {
                until: span::after(now, span),
            },
            Wait::Pause(span) => State::Paused {
                until: span::after(now, span),
            },
        };
        self.enter(child, state, now);
        if let Some(until) = state.until() {
            self.waits.insert((until, child));
        }
        if let State::Paused { until } = state {
            self.children
                .change(child, |record| record.pause_until(until));
            self.limit.pause_until(until);
        }
    }
}
