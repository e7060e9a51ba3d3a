//! The end of a supervisor: its children stop.

use std::pin::pin;
use std::sync::Arc;

use breakerbox_core::{ChildId, Incarnation, Phase};

use super::super::end_time::Over;
use super::super::inbox::Notice;
use super::super::managed_child::{ManagedChild, Stage};
use super::super::shutdown::KILL_TIMEOUT;
use super::super::{Stopped, log, published};
use super::SupervisorState;
use crate::clock;

/// How far the end of a supervisor is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndStage {
    NotYet,
    /// Its children are being stopped.
    Stopping,
    /// They are down; those that were stuck before are waited for.
    AwaitingStuck,
    Complete,
}

impl SupervisorState {
    /// Stops all children, as many at a time as may be, and publishes the report.
    pub(crate) async fn shutdown(&mut self) {
        self.begin_end();
        self.run_directives();
        let published = Arc::clone(self.publisher.published());
        let mut over = pin!(published.end_time().over());
        while self.end != EndStage::Complete {
            let inbox = Arc::clone(&self.inbox);
            tokio::select! {
                biased;
                over = &mut over, if self.late_since.is_none() => self.end_at_once(over),
                () = inbox.arrived() => self.look(),
            }
            // Others get a turn, however much arrives.
            tokio::task::consume_budget().await;
        }
    }

    fn begin_end(&mut self) {
        self.end = EndStage::Stopping;
        // Already published, unless other ractor code stopped the actor.
        self.publisher.enter(Phase::Stopping);
        self.stuck_before = self.publisher.stuck();
        self.supervision.shutdown(clock::now());
    }

    /// The time is over: what is left is killed, and need not have been asked to stop.
    fn end_at_once(&mut self, over: Over) {
        let now = clock::now();
        self.late_since = Some(now);
        let is_left = |managed: &ManagedChild| !matches!(managed.stage, Stage::Stopped(_));
        if over == Over::OutOfTime {
            let left = self.children.values().filter(|it| is_left(it)).count();
            log::out_of_time(self.publisher.name(), left);
        }
        for (child, incarnation) in self.under_way() {
            self.stop_child(child, incarnation);
        }
        self.supervision.shutdown_at_once(now);
        self.run_directives();
    }

    /// The children that have been asked to stop.
    fn under_way(&self) -> Vec<(ChildId, Incarnation)> {
        let stops = |managed: &ManagedChild| matches!(managed.stage, Stage::Stopping);
        let under_way = self.children.iter().filter(|(_, managed)| stops(managed));
        let incarnation = |child| Some((child, self.supervision.status(child)?.incarnation));
        under_way.filter_map(|(&id, _)| incarnation(id)).collect()
    }

    /// Stops a child, at once if the time for the end is over.
    pub(super) fn stop_child(&mut self, child: ChildId, incarnation: Incarnation) {
        let is_late = self.late_since.is_some();
        self.end_with(child, |managed, notifier| match is_late {
            true => managed.stop_at_once(incarnation, notifier),
            false => managed.stop(incarnation, notifier),
        });
    }

    /// All children are down. Those that were stuck before have a second more.
    pub(super) fn await_stuck(&mut self) {
        self.end = EndStage::AwaitingStuck;
        self.timer.clear();
        let stuck = std::mem::take(&mut self.stuck_before);
        if stuck.is_empty() {
            return self.complete_end(Vec::new());
        }
        let inbox = Arc::clone(&self.inbox);
        let late = self
            .late_since
            .map(|since| clock::now().saturating_duration_since(since));
        let timeout = KILL_TIMEOUT.saturating_sub(late.unwrap_or_default());
        tokio::spawn(async move {
            let stuck = published::stuck_after(stuck, timeout).await;
            inbox.leave(Notice::StillStuck(stuck));
        });
    }

    /// Publishes the report.
    pub(super) fn complete_end(&mut self, stuck: Vec<Stopped>) {
        let account = self.report.finish(self.publisher.end());
        self.publisher.set_account(account.with_stuck(stuck));
        self.end = EndStage::Complete;
    }
}
