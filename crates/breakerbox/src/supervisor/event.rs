mod sender;

use std::fmt;
use std::sync::Arc;

use breakerbox_core::{Ending, Exit, Incarnation};
use tokio::sync::broadcast::{self, error::RecvError};

use super::path;
use crate::guarded::Guarded;
use crate::text::on_one_line;
pub(super) use sender::EventSender;

/// Something that happened to a supervisor or one of its children.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SupervisorEvent {
    /// All children are being stopped because of this one.
    Escalated {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
    },
    /// An incarnation of a child ended, or did not come up.
    Exited {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
        /// How.
        exit: Exit,
        /// Which incarnation.
        incarnation: Incarnation,
    },
    /// All children are being stopped because this significant one ended.
    Finished {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
    },
    /// A child failed too often and will not be started again.
    GaveUp {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
    },
    /// This listener was too slow, and this many events are lost to it.
    Missed {
        /// How many.
        events: u64,
    },
    /// A child is up again.
    Restarted {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
        /// Which incarnation started.
        incarnation: Incarnation,
    },
    /// A child is up for the first time.
    Started {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
    },
    /// A child is down for good.
    Stopped {
        /// Its name, or its path from the supervisor that tells of it.
        child: Arc<str>,
        /// Why.
        why: Ending,
    },
}

impl SupervisorEvent {
    /// The same, heard above the children that it happened below, the lowest one first.
    fn below(mut self, supervisors: &[&str]) -> Self {
        match &mut self {
            Self::Escalated { child }
            | Self::Exited { child, .. }
            | Self::Finished { child }
            | Self::GaveUp { child }
            | Self::Restarted { child, .. }
            | Self::Started { child }
            | Self::Stopped { child, .. } => *child = path::through(supervisors, child),
            Self::Missed { .. } => {}
        }
        self
    }
}

impl fmt::Display for SupervisorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Escalated { child } => write!(f, "{child}: all others stop because of it"),
            Self::Exited { child, exit, .. } => {
                write!(f, "{child}: {}", on_one_line(&exit.to_string()))
            }
            Self::Finished { child } => write!(f, "{child}: ended, and all others with it"),
            Self::GaveUp { child } => write!(f, "{child}: failed too often"),
            Self::Missed { events } => write!(f, "{events} events were missed"),
            Self::Restarted { child, incarnation } => {
                write!(f, "{child}: up again, incarnation {incarnation}")
            }
            Self::Started { child } => write!(f, "{child}: up"),
            Self::Stopped { child, why } => write!(f, "{child}: down, {why}"),
        }
    }
}

/// What happens in a supervisor from now on, in order.
///
/// What happens below a child that is a supervisor is heard of too; the child's
/// name is then its path from here, as in "orders/consumer".
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
        match Guarded::new(self.inbox.recv()).await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(SupervisorEvent::Missed { events }),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Enough for a listener that writes lines, and a few kilobytes per supervisor.
pub(super) const BACKLOG: usize = 256;
