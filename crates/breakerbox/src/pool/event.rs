use std::sync::Arc;

use breakerbox_core::{EndpointStatus, TierLoad};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::guarded::Guarded;

/// Something that happened in a pool.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// An endpoint was added.
    Added {
        /// Its name.
        endpoint: Arc<str>,
    },
    /// An endpoint may be used, or no longer.
    Changed {
        /// Its name.
        endpoint: Arc<str>,
        /// Its status before.
        from: EndpointStatus,
        /// Its status from now on.
        to: EndpointStatus,
    },
    /// The load is divided in another way, or a tier panics or calms down.
    Loads(Vec<TierLoad>),
    /// This listener was too slow, and this many events are lost to it.
    Missed(u64),
    /// An endpoint was removed.
    Removed {
        /// Its name.
        endpoint: Arc<str>,
    },
}

/// Events of a pool in the order in which they happened, from now on.
///
/// A listener delays nobody. One that falls more than 1 024 events behind is
/// told how many it has missed by a [`PoolEvent::Missed`] in their place.
#[derive(Debug)]
pub struct PoolEvents {
    pub(super) inbox: broadcast::Receiver<PoolEvent>,
}

impl PoolEvents {
    /// The next event; None when the pool is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses no event.
    pub async fn next(&mut self) -> Option<PoolEvent> {
        match Guarded::new(self.inbox.recv()).await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(events)) => Some(PoolEvent::Missed(events)),
            Err(RecvError::Closed) => None,
        }
    }
}
