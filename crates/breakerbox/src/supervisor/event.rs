mod sender;

use std::sync::Arc;

use breakerbox_core::{Ending, Exit, Incarnation};
use tokio::sync::broadcast::{self, error::RecvError};

pub(super) use sender::EventSender;

/// Something that happened to a supervisor or one of its children.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SupervisorEvent {
    /// All children are being stopped because of this one.
    Escalated {
        /// Its name.
        child: Arc<str>,
    },
    /// An incarnation of a child ended, or did not come up.
    Exited {
        /// Its name.
        child: Arc<str>,
        /// How.
        exit: Exit,
        /// Which incarnation.
        incarnation: Incarnation,
    },
    /// All children are being stopped because this significant one ended.
    Finished {
        /// Its name.
        child: Arc<str>,
    },
    /// A child failed too often and will not be started again.
    GaveUp {
        /// Its name.
        child: Arc<str>,
    },
    /// This listener was too slow, and this many events are lost to it.
    Missed {
        /// How many.
        events: u64,
    },
    /// A child is up again.
    Restarted {
        /// Its name.
        child: Arc<str>,
        /// Which incarnation started.
        incarnation: Incarnation,
    },
    /// A child is up for the first time.
    Started {
        /// Its name.
        child: Arc<str>,
    },
    /// A child is down for good.
    Stopped {
        /// Its name.
        child: Arc<str>,
        /// Why.
        why: Ending,
    },
}

/// What happens in a supervisor from now on, in order.
///
/// A listener delays nobody. One that falls more than 256 events behind is told
/// how many it has missed by a [`SupervisorEvent::Missed`] in their place.
#[derive(Debug)]
pub struct SupervisorEvents {
    inbox: broadcast::Receiver<SupervisorEvent>,
}

impl SupervisorEvents {
    pub(super) const fn new(inbox: broadcast::Receiver<SupervisorEvent>) -> Self {
        Self { inbox }
    }

    /// The next event; `None` once the supervisor has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no event.
    pub async fn next(&mut self) -> Option<SupervisorEvent> {
        match self.inbox.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(SupervisorEvent::Missed { events }),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Enough for a listener that writes lines, and a few kilobytes per supervisor.
pub(super) const BACKLOG: usize = 256;
