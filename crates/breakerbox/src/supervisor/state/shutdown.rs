//! The end of a supervisor: its children stop.

use std::sync::Arc;

use breakerbox_core::Phase;

use super::super::inbox::Notice;
use super::super::shutdown::KILL_TIMEOUT;
use super::super::{Stopped, published};
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
        while self.end != EndStage::Complete {
            let inbox = Arc::clone(&self.inbox);
            inbox.arrived().await;
            self.look();
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

    /// All children are down. Those that were stuck before have a second more.
    pub(super) fn await_stuck(&mut self) {
        self.end = EndStage::AwaitingStuck;
        self.timer.clear();
        let stuck = std::mem::take(&mut self.stuck_before);
        if stuck.is_empty() {
            return self.complete_end(Vec::new());
        }
        let inbox = Arc::clone(&self.inbox);
        tokio::spawn(async move {
            let stuck = published::stuck_after(stuck, KILL_TIMEOUT).await;
            inbox.leave(Notice::StillStuck(stuck));
        });
    }

    /// Publishes the report.
    pub(super) fn complete_end(&mut self, stuck: Vec<Stopped>) {
        let mut report = self.report.finish(self.publisher.end());
        report.note_stuck(stuck);
        self.publisher.set_report(report);
        self.end = EndStage::Complete;
    }
}
