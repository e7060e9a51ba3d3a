//! The end of a supervisor: its children stop.

use std::sync::Arc;

use breakerbox_core::{ChildId, Directive, Incarnation, Phase};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::super::managed_child::{ManagedChild, Stage};
use super::super::published;
use super::super::runnable::StopResult;
use super::super::shutdown::KILL_TIMEOUT;
use super::SupervisorState;
use crate::clock;

impl SupervisorState {
    /// Stops all children, as many at a time as may be, and publishes the report.
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
        let mut departing = FuturesUnordered::new();
        for child in stopping.map(|(child, _)| *child).collect::<Vec<_>>() {
            departing.extend(self.begin_to_stop(child));
        }
        loop {
            while let Some(directive) = self.supervision.poll_directive() {
                match directive {
                    Directive::Stop { child, .. } => departing.extend(self.begin_to_stop(child)),
                    other => self.run_directive(other),
                }
            }
            let Some(departed) = departing.next().await else {
                break;
            };
            self.report.stopped(departed.name, &departed.result);
            self.stopped(departed.child, departed.incarnation, departed.result);
        }
        let stuck = published::stuck_after(stuck_before, KILL_TIMEOUT).await;
        let mut report = self.report.finish();
        report.note_stuck(stuck);
        self.publisher.set_report(report);
    }

    /// Stops a child while shutting down; the future waits for it.
    fn begin_to_stop(
        &mut self,
        child: ChildId,
    ) -> Option<impl Future<Output = Departed> + Send + use<>> {
        let managed = self.children.get_mut(&child)?;
        let incarnation = self.supervision.status(child)?.incarnation;
        let name = Arc::clone(managed.entry.name());
        let stopped = managed.stopped();
        self.publish(child);
        Some(async move {
            Departed {
                child,
                incarnation,
                name,
                result: stopped.await,
            }
        })
    }
}

/// A child that was stopped at the end of its supervisor.
struct Departed {
    child: ChildId,
    incarnation: Incarnation,
    name: Arc<str>,
    result: StopResult,
}
