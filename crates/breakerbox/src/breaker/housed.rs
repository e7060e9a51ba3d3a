use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::Shared;

/// A box's own hold on one of its breakers.
///
/// The box's list, the breaker's owner and the recipe of that share a single one. So
/// whatever else holds the breaker can be told from them: handles, permits, and pools.
#[derive(Clone, Debug)]
pub(crate) struct Housed {
    hold: Arc<Hold>,
}

/// The one reference of a box.
#[derive(Debug)]
struct Hold {
    shared: Arc<Shared>,
}

impl Housed {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            hold: Arc::new(Hold { shared }),
        }
    }

    /// Settles what callers get when no owner will come any more, and tells it.
    pub(crate) fn orphan(&self) {
        self.hold.shared.orphan(self.is_in_use());
    }

    /// Whether anybody but the box holds it.
    ///
    /// Once nobody does, only the box itself can give it to somebody.
    pub(crate) fn is_in_use(&self) -> bool {
        self.holders() > 0
    }

    /// How many hold it beside the box.
    pub(crate) fn holders(&self) -> usize {
        let holders = Arc::strong_count(&self.hold.shared) - 1;
        // With the release of whoever let go of it last: their verdicts are in.
        fence(Ordering::Acquire);
        holders
    }
}

impl Deref for Housed {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.hold.shared
    }
}
