use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::Budget;
use tokio::sync::Notify;

/// The calls of a pool in flight, and the retries and hedges among their attempts.
///
/// A retry that finds the budget used up waits for its turn: what makes it wait
/// is that others repeat their calls already, and they will soon be done. A
/// hedge does not wait, because it is worth nothing later.
#[derive(Debug, Default)]
pub(super) struct Extras {
    active: AtomicU64,
    extra: AtomicU64,
    /// Told of each extra attempt that ends.
    ended: Notify,
}

impl Extras {
    /// One more call, until this is dropped.
    pub(super) fn enter(&self) -> Active<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Active { extras: self }
    }

    /// One more attempt, if the budget has room for it now.
    pub(super) fn try_take(&self, budget: Budget) -> Option<Extra<'_>> {
        let limit = budget.limit(self.active());
        let one_more = |extra| (extra < limit).then_some(extra + 1);
        self.extra
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Extra { extras: self })
    }

    /// One more attempt, once the budget has room for it; None if it never has.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives up its turn to the next.
    pub(super) async fn take(&self, budget: Budget) -> Option<Extra<'_>> {
        loop {
            let ended = self.ended.notified();
            if let Some(extra) = self.try_take(budget) {
                // Who ends wakes one, but there may be room for more.
                self.ended.notify_one();
                return Some(extra);
            }
            if budget.limit(self.active()) == 0 {
                return None;
            }
            ended.await;
        }
    }

    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }

    pub(super) fn extra(&self) -> u64 {
        self.extra.load(Ordering::Relaxed)
    }
}

/// A call in flight.
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
