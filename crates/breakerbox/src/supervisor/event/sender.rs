use std::sync::Arc;

use breakerbox_core::{ChildStatus, Ending, Exit, Incarnation};
use tokio::sync::broadcast;

use super::super::link::Link;
use super::super::path;
use super::super::place::Place;
use super::SupervisorEvent;

/// Sends a supervisor's events to its listeners and those of the supervisors above.
#[derive(Clone)]
pub(crate) struct EventSender {
    /// The supervisor above, which receives each event too.
    above: Option<Link<Self>>,
    events: broadcast::Sender<SupervisorEvent>,
    /// The name of the child that all events are below.
    path: Option<Arc<str>>,
    place: Arc<Place>,
}

impl EventSender {
    /// That of a supervisor of this name that no other one has as its child.
    pub(crate) fn new(events: broadcast::Sender<SupervisorEvent>, supervisor: Arc<str>) -> Self {
        Self {
            above: None,
            events,
            path: None,
            place: Arc::new(Place::root(supervisor)),
        }
    }

    pub(crate) const fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Reports whether no supervisor is above.
    pub(crate) const fn is_of_a_root(&self) -> bool {
        self.above.is_none()
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
        let place = match &above.path {
            Some(child) => Arc::new(self.place.below(&above.place, child)),
            None => self.place,
        };
        let above = Some(Link::new(Arc::new(above.clone())));
        Self {
            above,
            place,
            ..self
        }
    }

    pub(crate) fn started(&self, child: &Arc<str>, status: &ChildStatus) {
        let (child, incarnation) = (path::of(child), status.incarnation);
        if incarnation == Incarnation::FIRST {
            return self.send(&SupervisorEvent::Started { child });
        }
        self.send(&SupervisorEvent::Restarted { child, incarnation });
    }

    pub(crate) fn exited(&self, child: &Arc<str>, incarnation: Incarnation, exit: Exit) {
        let child = path::of(child);
        self.send(&SupervisorEvent::Exited {
            child,
            exit,
            incarnation,
        });
    }

    pub(crate) fn gave_up(&self, child: &Arc<str>) {
        let child = path::of(child);
        self.send(&SupervisorEvent::GaveUp { child });
    }

    pub(crate) fn escalated(&self, child: &Arc<str>) {
        let child = path::of(child);
        self.send(&SupervisorEvent::Escalated { child });
    }

    pub(crate) fn finished(&self, child: &Arc<str>) {
        let child = path::of(child);
        self.send(&SupervisorEvent::Finished { child });
    }

    pub(crate) fn ended(&self, child: &Arc<str>, why: Ending) {
        let child = path::of(child);
        self.send(&SupervisorEvent::Stopped { child, why });
    }

    /// Sends an event to all who listen, here and above.
    ///
    /// Only where somebody listens is the path made, whose length is that of the way.
    fn send(&self, event: &SupervisorEvent) {
        let (mut names, mut next) = (Vec::new(), Some(self));
        while let Some(sender) = next {
            names.extend(sender.path.as_deref());
            if sender.events.receiver_count() > 0 {
                let _has_just_left = sender.events.send(event.clone().below(&names));
            }
            next = sender.above.as_deref();
        }
    }
}
