//! The end of a supervisor: its children stop, one after another.

use std::sync::Arc;

use breakerbox_core::{ChildId, Directive, Phase};

use super::super::managed_child::{ManagedChild, Stage};
use super::super::published;
use super::super::shutdown::KILL_TIMEOUT;
use super::SupervisorState;
use crate::clock;

impl SupervisorState {
    /// Stops all children, one after another, and publishes the report.
    pub(crate) async fn shutdown(&mut self) {
        self.publisher.set_phase(Phase::Stopping);
        self.timer.clear();
        let stuck_before = self.publisher.stuck();
        // First, so that nothing is started any more.
        self.supervision.shutdown(clock::now());
        // The tasks that stop children could not report back any more.
        let is_stopping = |managed: &ManagedChild| matches!(managed.stage, Stage::Stopping);
        let stopping = self
            .children
            .iter()
            .filter(|(_, managed)| is_stopping(managed));
        for child in stopping.map(|(child, _)| *child).collect::<Vec<_>>() {
            self.stop_and_wait(child).await;
        }
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Stop { child, .. } => self.stop_and_wait(child).await,
                other => self.run_directive(other),
            }
        }
        let stuck = published::stuck_after(stuck_before, KILL_TIMEOUT).await;
        let mut report = self.report.finish();
        report.note_stuck(stuck);
        self.publisher.set_report(report);
    }

    /// Stops a child while shutting down, and waits for it.
    async fn stop_and_wait(&mut self, child: ChildId) {
        let managed = self.children.get_mut(&child);
        let (Some(managed), Some(status)) = (managed, self.supervision.status(child)) else {
            return;
        };
        let (name, incarnation) = (Arc::clone(managed.entry.name()), status.incarnation);
        let stopped = managed.stopped();
        self.publish(child);
        let result = stopped.await;
        self.report.stopped(name, &result);
        self.stopped(child, incarnation, result);
    }
}
