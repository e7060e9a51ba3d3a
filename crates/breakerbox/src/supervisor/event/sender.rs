use std::sync::Arc;

use breakerbox_core::{ChildStatus, Ending, Exit, Incarnation};
use tokio::sync::broadcast;

use super::SupervisorEvent;

/// Sends a supervisor's events to its listeners and those of the supervisors
/// above, and the rarer ones to the log.
#[derive(Clone)]
pub(crate) struct EventSender {
    /// Who hears of it too, and the path from there.
    above: Option<Arc<Self>>,
    events: broadcast::Sender<SupervisorEvent>,
    /// The name of the child that all events are below.
    path: Option<Arc<str>>,
    supervisor: Arc<str>,
}

impl EventSender {
    pub(crate) fn new(events: broadcast::Sender<SupervisorEvent>) -> Self {
        Self {
            above: None,
            events,
            path: None,
            supervisor: Arc::from(""),
        }
    }

    /// That of the supervisor of this name.
    pub(crate) fn named(self, supervisor: Arc<str>) -> Self {
        Self { supervisor, ..self }
    }

    /// For what happens below a child.
    pub(crate) fn below(&self, child: &Arc<str>) -> Self {
        let path = Some(Arc::clone(child));
        Self {
            path,
            ..self.clone()
        }
    }

    /// One whose events are sent there as well.
    pub(crate) fn heard_above(self, above: &Self) -> Self {
        let above = Some(Arc::new(above.clone()));
        Self { above, ..self }
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
        let event = match &self.path {
            None => event,
            Some(child) => event.below(child),
        };
        if let Some(above) = &self.above {
            above.send(event.clone());
        }
        let _no_listeners = self.events.send(event);
    }
}
