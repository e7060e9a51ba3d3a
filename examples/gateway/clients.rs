//! How many clients are connected.
//!
//! Whoever is over the limit is told so, and a probe still has to be answered: an
//! orchestrator that gets no answer kills the gateway, which helps nobody. So beyond
//! the limit there are a few places for connections that are served for a moment
//! only. When those are taken as well, the rest wait in the queue of the listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The number of clients that are connected, which the listener counts.
#[derive(Clone, Default)]
pub(crate) struct Clients {
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    freed: Notify,
    served: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Clients {
    /// Returns a place for one more, as soon as there is any.
    ///
    /// # Cancel safety
    ///
    /// No place is taken unless it is returned.
    pub(crate) async fn enter(&self, limit: usize) -> Place {
        loop {
            for (kind, most) in [(Kind::Served, limit), (Kind::TurnedAway, TURNED_AWAY)] {
                if self.counts.of(kind).load(Ordering::Relaxed) < most {
                    return Place::take(&self.counts, kind);
                }
            }
            self.counts.freed.notified().await;
        }
    }
}

impl Counts {
    const fn of(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Served => &self.served,
            Kind::TurnedAway => &self.turned_away,
        }
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
    counts: Arc<Counts>,
    kind: Kind,
}

impl Place {
    fn take(counts: &Arc<Counts>, kind: Kind) -> Self {
        counts.of(kind).fetch_add(1, Ordering::Relaxed);
        Self {
            counts: Arc::clone(counts),
            kind,
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counts.of(self.kind).fetch_sub(1, Ordering::Relaxed);
        self.counts.freed.notify_one();
    }
}

const TURNED_AWAY: usize = 16;
