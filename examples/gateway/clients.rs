//! How many clients are connected, and how many requests they make at once.
//!
//! Whoever is over the limit is told so, and a probe still has to be answered: an
//! orchestrator that gets no answer kills the gateway, which helps nobody. So beyond
//! the limit there are a few places for connections that are served for a moment
//! only. When those are taken as well, the one that came first has to go: a probe
//! says at once what it wants.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use breakerbox::CancellationToken;

/// The clients that are connected, which the listener counts.
#[derive(Clone, Default)]
pub(crate) struct Clients {
    places: Arc<Places>,
}

#[derive(Default)]
struct Places {
    served: AtomicUsize,
    /// What tells each of them to go, the one that came first before the others.
    turned_away: Mutex<VecDeque<Arc<CancellationToken>>>,
}

impl Clients {
    /// Returns a place for one more.
    pub(crate) fn enter(&self, limit: usize) -> Place {
        let places = Arc::clone(&self.places);
        // Only the listener adds to it.
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

/// Whether requests of a connection are served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Served,
    TurnedAway,
}

/// The place of one connection, until it is dropped.
pub(crate) struct Place {
    /// None for one that is served.
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

    /// Waits until it has to be left.
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

/// The requests that are under way. A connection of HTTP/2 has many at once, and each
/// may need a connection to a server.
#[derive(Clone, Default)]
pub(crate) struct Requests {
    under_way: Arc<AtomicUsize>,
}

impl Requests {
    /// One more begins, if there may be one; it ends when the result is dropped.
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

/// A request, until its response has ended.
pub(crate) struct RequestUnderWay {
    under_way: Arc<AtomicUsize>,
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

const TURNED_AWAY: usize = 16;
