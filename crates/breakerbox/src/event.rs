use std::sync::{Arc, Weak};

use breakerbox_core::{Orphaned, Override, Transition};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::LastFailure;
use crate::breaker::Shared;
use crate::guarded::Guarded;

/// Something that happened to a breaker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Its state changed.
    Changed {
        /// Its name.
        breaker: Arc<str>,
        /// Of an opening that a failure led to: that failure.
        failure: Option<LastFailure>,
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

/// What a box's bus carries.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Nothing will be told of this breaker any more.
    End {
        breaker: Arc<str>,
    },
    Event(Event),
}

/// Events in the order in which they happened, from now on.
///
/// A listener delays nobody. One that falls more than 1 024 events behind is
/// told how many it has missed by an [`Event::Missed`] in their place.
#[derive(Debug)]
pub struct Events {
    inbox: broadcast::Receiver<Told>,
    only: Option<Only>,
}

/// The one breaker that a listener wants to hear of.
#[derive(Debug)]
struct Only {
    breaker: Weak<Shared>,
    /// All that will ever be told of it has been sent.
    has_ended: bool,
    /// Its very own copy, by which it is told from a namesake.
    name: Arc<str>,
}

impl Only {
    /// Looks whether the end may have been among what was missed.
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

    /// The next event; None once nothing can happen any more.
    ///
    /// That is when the box has ended or, where these are one breaker's, when that is
    /// [orphaned](Event::Orphaned), whoever still has a handle.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no event.
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
                    only.has_ended = true;
                    continue;
                }
                (Ok(_), _) => continue,
                (Err(RecvError::Lagged(events)), only) => {
                    only.iter_mut().for_each(Only::look_for_end);
                    Event::Missed { events }
                }
                (Err(RecvError::Closed), _) => return None,
            };
            return Some(event);
        }
    }
}

fn is_wanted(event: &Event, only: Option<&Only>) -> bool {
    match (only, event.name()) {
        (Some(only), Some(breaker)) => Arc::ptr_eq(&only.name, breaker),
        (None, _) | (_, None) => true,
    }
}
