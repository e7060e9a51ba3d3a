use std::sync::Arc;

use breakerbox_core::{ChildStatus, Ending, Exit, Incarnation};
use tokio::sync::broadcast;

use super::SupervisorEvent;

/// Sends a supervisor's events to its listeners, and the rarer ones to the log.
pub(crate) struct EventSender {
    events: broadcast::Sender<SupervisorEvent>,
    supervisor: Arc<str>,
}

impl EventSender {
    pub(crate) const fn new(
        supervisor: Arc<str>,
        events: broadcast::Sender<SupervisorEvent>,
    ) -> Self {
        Self { events, supervisor }
    }

    pub(crate) fn started(&self, child: &Arc<str>, status: &ChildStatus) {
        let (child, incarnation) = (Arc::clone(child), status.incarnation);
        if incarnation == Incarnation::FIRST {
            return self.send(SupervisorEvent::Started { child });
        }
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &*child,
            exit.kind = status.last_exit.as_ref().map(Exit::kind),
            restart.count = status.restarts,
            "child restarted"
        );
        self.send(SupervisorEvent::Restarted { child, incarnation });
    }

    pub(crate) fn exited(&self, child: &Arc<str>, incarnation: Incarnation, exit: Exit) {
        let child = Arc::clone(child);
        self.send(SupervisorEvent::Exited {
            child,
            exit,
            incarnation,
        });
    }

    pub(crate) fn gave_up(&self, child: &Arc<str>, status: &ChildStatus) {
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &**child,
            exit.kind = status.last_exit.as_ref().map(Exit::kind),
            restart.count = status.restarts,
            "gave up on child"
        );
        let child = Arc::clone(child);
        self.send(SupervisorEvent::GaveUp { child });
    }

    pub(crate) fn escalated(&self, child: &Arc<str>, exit: &Exit) {
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &**child,
            exit.kind = exit.kind(),
            "supervisor stops because of child"
        );
        let child = Arc::clone(child);
        self.send(SupervisorEvent::Escalated { child });
    }

    pub(crate) fn finished(&self, child: &Arc<str>) {
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &**child,
            "supervisor finishes with child"
        );
        let child = Arc::clone(child);
        self.send(SupervisorEvent::Finished { child });
    }

    pub(crate) fn ended(&self, child: &Arc<str>, why: Ending) {
        let child = Arc::clone(child);
        self.send(SupervisorEvent::Stopped { child, why });
    }

    fn send(&self, event: SupervisorEvent) {
        let _no_listeners = self.events.send(event);
    }
}
