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
    /// All children are being stopped because of a failure of this one.
    Escalated {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
    },
    /// An incarnation of a child ended, or did not come up.
    Exited {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
        /// How the incarnation ended.
        exit: Exit,
        /// The incarnation that ended.
        incarnation: Incarnation,
    },
    /// All children are being stopped because this significant one ended.
    Finished {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
    },
    /// A child failed too often and will not be started again.
    GaveUp {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
    },
    /// This listener was too slow, and has lost events.
    Missed {
        /// The number of events that are lost.
        events: u64,
    },
    /// A child is up again.
    Restarted {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
        /// The incarnation that is up.
        incarnation: Incarnation,
    },
    /// A child is up for the first time.
    Started {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
    },
    /// A child is down for good.
    Stopped {
        /// The child's name, or its path from the supervisor that reports the event.
        child: Arc<str>,
        /// Why the child is down.
        why: Ending,
    },
}

impl SupervisorEvent {
    /// Returns the event as a supervisor above reports it.
    ///
    /// `supervisors` are the children on the way there, the lowest one first.
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

/// The events of a supervisor from now on, in order.
///
/// The events below a child that is itself a supervisor are among them. They name a child
/// by its path from here, as in "orders/consumer".
///
/// A listener delays nobody. A listener that falls more than 256 events behind receives
/// one [`SupervisorEvent::Missed`] in place of the events that it has missed. Dropping a
/// listener only ends the listening.
#[derive(Debug)]
pub struct SupervisorEvents {
    inbox: broadcast::Receiver<SupervisorEvent>,
}

impl SupervisorEvents {
    pub(super) const fn new(inbox: broadcast::Receiver<SupervisorEvent>) -> Self {
        Self { inbox }
    }

    /// Waits for the next event; returns `None` once the supervisor has ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
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
