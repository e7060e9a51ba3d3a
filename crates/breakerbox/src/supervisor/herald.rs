use std::sync::Arc;

use breakerbox_core::{ChildStatus, Ending, Exit, Incarnation};
use tokio::sync::broadcast;

use super::SupervisorEvent;

/// Tells the listeners and the log what becomes of a supervisor's children.
pub(super) struct Herald {
    events: broadcast::Sender<SupervisorEvent>,
    supervisor: Arc<str>,
}

impl Herald {
    pub(super) const fn new(
        supervisor: Arc<str>,
        events: broadcast::Sender<SupervisorEvent>,
    ) -> Self {
        Self { events, supervisor }
    }

    pub(super) fn started(&self, child: &Arc<str>, status: &ChildStatus) {
        let (child, incarnation) = (Arc::clone(child), status.incarnation);
        if incarnation == Incarnation::FIRST {
            return self.say(SupervisorEvent::Started { child });
        }
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &*child,
            exit.kind = status.last_exit.as_ref().map(Exit::kind),
            restart.count = status.restarts,
            "child restarted"
        );
        self.say(SupervisorEvent::Restarted { child, incarnation });
    }

    pub(super) fn exited(&self, child: &Arc<str>, incarnation: Incarnation, exit: Exit) {
        let child = Arc::clone(child);
        self.say(SupervisorEvent::Exited {
            child,
            exit,
            incarnation,
        });
    }

    pub(super) fn gave_up(&self, child: &Arc<str>, status: &ChildStatus) {
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &**child,
            exit.kind = status.last_exit.as_ref().map(Exit::kind),
            restart.count = status.restarts,
            "gave up on child"
        );
        let child = Arc::clone(child);
        self.say(SupervisorEvent::GaveUp { child });
    }

    pub(super) fn escalated(&self, child: &Arc<str>, exit: &Exit) {
        tracing::info!(
            supervisor.name = &*self.supervisor,
            child.name = &**child,
            exit.kind = exit.kind(),
            "supervisor stops because of child"
        );
        let child = Arc::clone(child);
        self.say(SupervisorEvent::Escalated { child });
    }

    pub(super) fn ended(&self, child: &Arc<str>, why: Ending) {
        let child = Arc::clone(child);
        self.say(SupervisorEvent::Stopped { child, why });
    }

    fn say(&self, event: SupervisorEvent) {
        let _nobody_listens = self.events.send(event);
    }
}
