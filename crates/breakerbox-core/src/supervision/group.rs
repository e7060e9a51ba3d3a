//! Restarting a child alone, or a group of them as planned.

use std::collections::BTreeSet;
use std::time::Instant;

use super::plan::{Plan, Step};
use super::record::Record;
use super::stage::Stage;
use super::state::{State, Wait};
use super::{ChildId, Ending, Exit, Strategy, Supervision};
use crate::span;

impl Supervision {
    pub(super) fn restart_lost(&mut self, child: ChildId, wait: Wait, now: Instant) {
        match self.strategy {
            Strategy::OneForOne if wait == Wait::None => self.start(child, now),
            Strategy::OneForOne => self.begin_wait(child, wait, now),
            Strategy::OneForAll | Strategy::RestForOne => self.restart_group(child, wait, now),
        }
    }

    /// Restarts those that share a child's restart, in the plan there is.
    pub(super) fn restart_group(&mut self, child: ChildId, wait: Wait, now: Instant) {
        self.enter(child, State::Held(wait), now);
        let children = self.records.keys().copied();
        let group = children.filter(|sibling| self.strategy.restarts(*sibling, child));
        let group: BTreeSet<_> = group.collect();
        match &mut self.plan {
            None => self.plan = Some(Plan::stop(group)),
            Some(plan) => plan.restart(group),
        }
    }

    /// Whether a loss is part of a group's end that is already under way.
    ///
    /// Then it is charged to nobody: two children that fail at the same time are
    /// one failure of the group. One that dies while the group starts is a
    /// further failure, or the group would be started for ever.
    pub(super) fn joins(&self, child: ChildId, exit: &Exit) -> bool {
        let (Some(plan), Some(record)) = (&self.plan, self.records.get(&child)) else {
            return false;
        };
        let is_restarted = plan.contains(child) && !record.is_temporary();
        plan.is_stopping() && (is_restarted || record.wants_another(exit))
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
        while let Some(plan) = &mut self.plan {
            match plan.next(&self.records) {
                Step::Await => return,
                Step::BeginWaits => self.begin_waits(now),
                Step::End(child) => self.end_with_group(child, now),
                Step::Finish => self.plan = None,
                Step::Start(child) => self.start(child, now),
            }
        }
        if let Stage::Booting { .. } = self.stage {
            self.stage = Stage::Running;
        }
    }

    pub(super) fn plans(&self, child: ChildId) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.contains(child))
    }

    fn end_with_group(&mut self, child: ChildId, now: Instant) {
        if self.records.get(&child).is_some_and(Record::is_temporary) {
            self.stop_for(child, Ending::Finished, now);
        } else {
            self.end_incarnation(child, now);
        }
    }

    /// All of a group is down: now its waits count, and who had finished joins.
    fn begin_waits(&mut self, now: Instant) {
        let Some(plan) = &self.plan else {
            return;
        };
        for child in plan.children().collect::<Vec<_>>() {
            match self.records.get(&child).map(Record::state) {
                Some(State::Down(Ending::Finished)) => self.enter(child, State::Queued, now),
                Some(State::Held(wait)) => self.begin_wait(child, wait, now),
                _ => {}
            }
        }
    }

    fn begin_wait(&mut self, child: ChildId, wait: Wait, now: Instant) {
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        let state = match wait {
            Wait::None => return,
            Wait::Backoff(span) => State::BackingOff {
                until: span::after(now, span),
            },
            Wait::Pause(span) => State::Paused {
                until: span::after(now, span),
            },
        };
        record.enter(state, now);
        if let Some(until) = state.until() {
            self.waits.insert((until, child));
        }
        if let State::Paused { until } = state {
            record.pause_until(until);
            self.limit.pause_until(until);
        }
    }
}
