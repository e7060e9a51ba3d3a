use std::future::pending;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::clock;

/// The time that a supervisor has to end, and the word that it has no more.
///
/// It begins when the end is decided, by whoever decides it, which may be a while before
/// the supervisor's actor is polled.
pub(super) struct EndTime {
    /// Set when the end begins.
    by: OnceLock<Instant>,
    hastened: Notify,
    within: Option<Duration>,
}

/// The reason why what is left of a supervisor is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// The time of a supervisor above is over.
    Hastened,
    /// Its own time is over.
    OutOfTime,
}

impl EndTime {
    /// An end may take so long; without a bound, as long as the children take.
    pub(super) const fn new(within: Option<Duration>) -> Self {
        Self {
            by: OnceLock::new(),
            hastened: Notify::const_new(),
            within,
        }
    }

    /// Notes that the end begins; only the first time counts.
    pub(super) fn begin(&self) {
        if let Some(within) = self.within {
            self.by.get_or_init(|| clock::after(within));
        }
    }

    /// Leaves no time for the end, whether it has begun or not.
    pub(super) fn hasten(&self) {
        // Kept for the actor until it waits.
        self.hastened.notify_one();
    }

    /// Waits until the time is over, once the end has begun.
    pub(super) async fn over(&self) -> Over {
        tokio::select! {
            biased;
            () = self.hastened.notified() => Over::Hastened,
            () = self.own() => Over::OutOfTime,
        }
    }

    async fn own(&self) {
        match self.by.get() {
            None => pending().await,
            Some(by) => tokio::time::sleep_until((*by).into()).await,
        }
    }
}
