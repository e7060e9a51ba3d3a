use std::sync::Arc;

use breakerbox_core::{Orphaned, Override, Transition};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::guarded::Guarded;

/// Something that happened to a breaker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Its state changed.
    Changed {
        /// Its name.
        breaker: Arc<str>,
        /// From what to what, why, and on what evidence.
        transition: Transition,
    },
    /// This listener was too slow, or a breaker's owner was stuck, and this many events
    /// are lost.
    Missed {
        /// Of the whole box, also where the listener asked for one breaker.
        events: u64,
    },
    /// Its owner is gone for good, and callers get what its configuration says.
    Orphaned {
        /// Its name.
        breaker: Arc<str>,
        /// What callers get.
        choice: Orphaned,
    },
    /// The operator put an override in force, or it ended, by command or expiry.
    Overridden {
        /// Its name.
        breaker: Arc<str>,
        /// What is in force from now on.
        word: Option<Override>,
    },
    /// Its configuration was changed.
    Reconfigured {
        /// Its name.
        breaker: Arc<str>,
    },
    /// Its owner had crashed and was restarted, with all it knew.
    Restarted {
        /// Its name.
        breaker: Arc<str>,
        /// Which incarnation of it this is, counted from 1.
        incarnation: u64,
    },
}

impl Event {
    /// The breaker it happened to, but for [`Missed`](Self::Missed).
    #[must_use]
    pub fn breaker(&self) -> Option<&str> {
        match self {
            Self::Missed { .. } => None,
            Self::Changed { breaker, .. }
            | Self::Orphaned { breaker, .. }
            | Self::Overridden { breaker, .. }
            | Self::Reconfigured { breaker }
            | Self::Restarted { breaker, .. } => Some(breaker),
        }
    }
}

/// Events in the order in which they happened, from now on.
///
/// A listener delays nobody. One that falls more than 1 024 events behind is
/// told how many it has missed by an [`Event::Missed`] in their place.
#[derive(Debug)]
pub struct Events {
    inbox: broadcast::Receiver<Event>,
    only: Option<Arc<str>>,
}

impl Events {
    /// The next event; None when no breaker is left to cause one.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match Guarded::new(self.inbox.recv()).await {
                Ok(event) => event,
                Err(RecvError::Lagged(events)) => Event::Missed { events },
                Err(RecvError::Closed) => return None,
            };
            if self.is_wanted(&event) {
                return Some(event);
            }
        }
    }

    pub(crate) fn only(mut self, breaker: Arc<str>) -> Self {
        self.only = Some(breaker);
        self
    }

    fn is_wanted(&self, event: &Event) -> bool {
        match (&self.only, event.breaker()) {
            (Some(only), Some(breaker)) => **only == *breaker,
            (None, _) | (_, None) => true,
        }
    }
}

/// Where the breakers of a box tell what happens.
#[derive(Clone, Debug)]
pub(crate) struct EventBus {
    outbox: broadcast::Sender<Event>,
}

impl EventBus {
    pub(crate) fn new() -> Self {
        Self {
            outbox: broadcast::Sender::new(BACKLOG),
        }
    }

    pub(crate) fn send(&self, event: Event) {
        // An error means that nobody listens, which is fine.
        let _unheard = self.outbox.send(event);
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events {
            inbox: self.outbox.subscribe(),
            only: None,
        }
    }
}

const BACKLOG: usize = 1_024;
