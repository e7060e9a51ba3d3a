use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::Budget;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::peak::Peak;
use crate::clock;

/// The calls of a pool in flight, and the retries and hedges among their attempts.
///
/// A retry that finds the budget used up waits for its turn, for a while: others
/// repeat their calls already, and will soon be done. A hedge does not wait,
/// because it is worth nothing later. Who waits is not in flight, or the budget
/// would grow with those who wait for it.
///
/// When a server dies, all that were in flight there fail at once, and would find
/// a budget of nothing in flight. So it is a share of the most of late.
#[derive(Debug, Default)]
pub(super) struct Extras {
    active: AtomicU64,
    /// Told of each extra attempt that ends.
    ended: Notify,
    extra: AtomicU64,
    of_late: Peak,
}

impl Extras {
    /// A call has an attempt in flight, until this is dropped.
    pub(super) fn enter(&self, now: Instant) -> Active<'_> {
        let active = self.active.fetch_add(1, Ordering::Relaxed) + 1;
        self.of_late.raise(active, now);
        Active { extras: self }
    }

    /// One more attempt, if the budget has room for it now.
    pub(super) fn try_take(&self, budget: Budget) -> Option<Extra<'_>> {
        let limit = self.limit(budget);
        let one_more = |extra| (extra < limit).then_some(extra + 1);
        self.extra
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Extra { extras: self })
    }

    /// One more attempt, once the budget has room for it; None if it has none for
    /// as long as `patience`, and the call had better fail.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up its turn to the next.
    pub(super) async fn take(&self, budget: Budget, patience: Duration) -> Option<Extra<'_>> {
        let turn = async {
            loop {
                let ended = self.ended.notified();
                let taken = self.try_take(budget);
                if taken.is_some() || self.limit(budget) == 0 {
                    // Who ends wakes one, but there may be room for more.
                    self.ended.notify_one();
                    return taken;
                }
                ended.await;
            }
        };
        timeout(patience, turn).await.ok().flatten()
    }

    fn limit(&self, budget: Budget) -> u64 {
        budget.limit(self.active().max(self.of_late.most(clock::now())))
    }

    /// Calls with an attempt in flight.
    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn extra(&self) -> u64 {
        self.extra.load(Ordering::Relaxed)
    }
}

/// A call with an attempt in flight.
#[derive(Debug)]
pub(super) struct Active<'a> {
    extras: &'a Extras,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.extras.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A retry or a hedge in flight.
#[derive(Debug)]
pub(super) struct Extra<'a> {
    extras: &'a Extras,
}

impl Drop for Extra<'_> {
    fn drop(&mut self) {
        self.extras.extra.fetch_sub(1, Ordering::Relaxed);
        self.extras.ended.notify_one();
    }
}
