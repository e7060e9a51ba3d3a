use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::Generation;

/// How an endpoint's value lets go of its connections, and when it last did.
pub(super) struct Renewal<T> {
    /// The latest generation of probes before which it was done; 0 for none.
    done_before: AtomicU64,
    renew: Renew<T>,
}

/// A user's closure that makes a value let go of its connections.
pub(super) type Renew<T> = Box<dyn Fn(&T) + Send + Sync>;

impl<T> Renewal<T> {
    pub(super) fn new(renew: Renew<T>) -> Self {
        Self {
            done_before: AtomicU64::new(0),
            renew,
        }
    }

    /// Makes sure that it was done before a probe of this generation.
    ///
    /// It is noted when it has been done, not when it begins: of two probes that
    /// begin side by side, the second must not go on with the old connection while
    /// the first is still about to drop it. So both do it, which is harmless.
    pub(super) fn before_probe(&self, generation: Generation, value: &T) {
        // Acquire: a probe that finds it done sees what was done.
        if self.done_before.load(Ordering::Acquire) >= generation.number() {
            return;
        }
        (self.renew)(value);
        // Release: pairs with the load. The maximum, because a probe of an older
        // generation may be slower.
        self.done_before
            .fetch_max(generation.number(), Ordering::Release);
    }

    /// Does it for a health check, whatever probes there were.
    pub(super) fn before_check(&self, value: &T) {
        (self.renew)(value);
    }
}

#[cfg(test)]
mod tests;
