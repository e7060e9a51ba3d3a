//! This module limits the clients that are connected and the requests that they make.
//!
//! The gateway tells each client beyond the limit that it is one too many. But it still
//! has to answer probes: an orchestrator that gets no answer kills the gateway, which
//! helps nobody. So the gateway serves a few more connections, for a moment each. When
//! those places are taken too, the oldest connection makes room: a probe sends its
//! request at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use breakerbox::CancellationToken;

/// The clients that are connected.
#[derive(Default)]
pub(crate) struct Clients {
    places: Arc<Places>,
}

#[derive(Default)]
struct Places {
    served: AtomicUsize,
    /// A token for each connection beyond the limit, the oldest first. Its cancellation
    /// ends the connection.
    turned_away: Mutex<VecDeque<Arc<CancellationToken>>>,
}

impl Clients {
    /// Returns a place for one more client.
    pub(crate) fn enter(&self, limit: usize) -> Place {
        let places = Arc::clone(&self.places);
        // Only the listener adds to this number, so it cannot pass the limit.
        if places.served.load(Ordering::Relaxed) < limit {
            places.served.fetch_add(1, Ordering::Relaxed);
            return Place {
                has_to_go: None,
                places,
            };
        }
        let has_to_go = Arc::<CancellationToken>::default();
        let mut turned_away = places.turned_away();
        turned_away.push_back(Arc::clone(&has_to_go));
        if turned_away.len() > TURNED_AWAY
            && let Some(first) = turned_away.pop_front()
        {
            first.cancel();
        }
        drop(turned_away);
        Place {
            has_to_go: Some(has_to_go),
            places,
        }
    }
}

impl Places {
    fn turned_away(&self) -> MutexGuard<'_, VecDeque<Arc<CancellationToken>>> {
        let turned_away = self.turned_away.lock();
        turned_away.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the gateway does with the requests of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Served,
    TurnedAway,
}

/// The place of one connection, until it is dropped.
pub(crate) struct Place {
    /// None if the connection is served.
    has_to_go: Option<Arc<CancellationToken>>,
    places: Arc<Places>,
}

impl Place {
    pub(crate) const fn kind(&self) -> Kind {
        match self.has_to_go {
            None => Kind::Served,
            Some(_) => Kind::TurnedAway,
        }
    }

    /// Waits until the connection has to make room.
    pub(crate) async fn is_lost(&self) {
        match &self.has_to_go {
            None => std::future::pending().await,
            Some(has_to_go) => has_to_go.cancelled().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match &self.has_to_go {
            None => {
                self.places.served.fetch_sub(1, Ordering::Relaxed);
            }
            Some(own) => {
                let mut turned_away = self.places.turned_away();
                turned_away.retain(|other| !Arc::ptr_eq(own, other));
            }
        }
    }
}

/// The requests that are under way.
///
/// An HTTP/2 connection has many of them at once, and each may need a connection to a
/// server.
#[derive(Default)]
pub(crate) struct Requests {
    under_way: Arc<AtomicUsize>,
}

impl Requests {
    /// Counts one more request until the result is dropped; None at the limit.
    pub(crate) fn enter(&self, limit: usize) -> Option<RequestUnderWay> {
        let one_more = |count| (count < limit).then_some(count + 1);
        let entered = self
            .under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        entered.ok().map(|_| RequestUnderWay {
            under_way: Arc::clone(&self.under_way),
        })
    }
}

/// The place of one request. Its response holds it until the end.
pub(crate) struct RequestUnderWay {
    under_way: Arc<AtomicUsize>,
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

const TURNED_AWAY: usize = 16;
