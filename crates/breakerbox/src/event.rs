use std::sync::{Arc, Weak};

use breakerbox_core::{Orphaned, Override, Transition};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::breaker::Shared;
use crate::guarded::Guarded;
use crate::{LastFailure, bus};

/// Something that happened to a breaker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The breaker's state changed.
    Changed {
        /// The breaker's name.
        breaker: Arc<str>,
        /// The failure that led to the opening, if one did.
        failure: Option<LastFailure>,
        /// The change: from what to what, why, and on what evidence.
        transition: Transition,
    },
    /// This listener was too slow, or a breaker's owner was stuck, and this many events
    /// are lost.
    Missed {
        /// The number in the whole box, even if the listener asked for one breaker.
        events: u64,
    },
    /// The breaker's owner is gone for good; callers get what its configuration says.
    Orphaned {
        /// The breaker's name.
        breaker: Arc<str>,
        /// The answer that callers get.
        choice: Orphaned,
    },
    /// The operator put an override in force, or an override ended, by command or
    /// expiry.
    Overridden {
        /// The breaker's name.
        breaker: Arc<str>,
        /// The override in force from now on, if any.
        word: Option<Override>,
    },
    /// The breaker's configuration was changed.
    Reconfigured {
        /// The breaker's name.
        breaker: Arc<str>,
    },
    /// The breaker's owner had crashed and was restarted, with all it knew.
    Restarted {
        /// The breaker's name.
        breaker: Arc<str>,
        /// The number of the owner's incarnation, counted from 1.
        incarnation: u64,
    },
}

impl Event {
    /// Returns the breaker that it happened to; None for [`Missed`](Self::Missed).
    #[must_use]
    pub fn breaker(&self) -> Option<&str> {
        self.name().map(|name| &**name)
    }

    fn name(&self) -> Option<&Arc<str>> {
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

/// A message on a box's bus.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// No more events of this breaker will come.
    End {
        breaker: Arc<str>,
    },
    Event(Event),
}

/// The events from now on, in the order in which they happened.
///
/// A listener delays nobody. One that falls more than 1 024 events behind gets an
/// [`Event::Missed`] in their place, which says how many it has missed.
#[derive(Debug)]
pub struct Events {
    inbox: broadcast::Receiver<Told>,
    only: Option<Only>,
}

/// The one breaker that a listener follows.
#[derive(Debug)]
struct Only {
    breaker: Weak<Shared>,
    /// True once all events of the breaker have been sent.
    has_ended: bool,
    /// The breaker's own copy of its name, which tells it apart from a namesake.
    name: Arc<str>,
}

impl Only {
    /// Checks whether the end may have been among the missed events.
    fn look_for_end(&mut self) {
        let breaker = self.breaker.upgrade();
        self.has_ended = breaker.is_none_or(|breaker| breaker.has_told_its_end());
    }
}

impl Events {
    pub(crate) fn of_all(inbox: broadcast::Receiver<Told>) -> Self {
        Self { inbox, only: None }
    }

    pub(crate) fn of_one(inbox: broadcast::Receiver<Told>, breaker: &Arc<Shared>) -> Self {
        let mut only = Only {
            breaker: Arc::downgrade(breaker),
            has_ended: false,
            name: Arc::clone(breaker.name()),
        };
        only.look_for_end();
        Self {
            inbox,
            only: Some(only),
        }
    }

    /// Waits for the next event; returns None once there can be no more.
    ///
    /// The events end once the box has ended or, for the events of one breaker, once
    /// that is [orphaned](Event::Orphaned), whoever still has a handle.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let has_ended = self.only.as_ref().is_some_and(|only| only.has_ended);
            let received = match has_ended {
                false => Guarded::new(self.inbox.recv()).await,
                true => self.inbox.try_recv().map_err(|error| match error {
                    TryRecvError::Lagged(events) => RecvError::Lagged(events),
                    TryRecvError::Closed | TryRecvError::Empty => RecvError::Closed,
                }),
            };
            let event = match (received, &mut self.only) {
                (Ok(Told::Event(event)), only) if is_wanted(&event, only.as_ref()) => event,
                (Ok(Told::End { breaker }), Some(only)) if Arc::ptr_eq(&only.name, &breaker) => {
                    return self.end();
                }
                (Ok(_), _) => continue,
                (Err(RecvError::Lagged(events)), only) => {
                    only.iter_mut().for_each(Only::look_for_end);
                    Event::Missed { events }
                }
                (Err(RecvError::Closed), _) => return self.end(),
            };
            return Some(event);
        }
    }

    /// Ends the events: an owner that was stuck may still come back and send some.
    fn end(&mut self) -> Option<Event> {
        self.inbox = bus::closed();
        None
    }
}

fn is_wanted(event: &Event, only: Option<&Only>) -> bool {
    match (only, event.name()) {
        (Some(only), Some(breaker)) => Arc::ptr_eq(&only.name, breaker),
        (None, _) | (_, None) => true,
    }
}
