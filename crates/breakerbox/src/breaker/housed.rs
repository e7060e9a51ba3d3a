use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::Shared;

/// A box's own hold on one of its breakers.
///
/// The box's list, the breaker's owner and the owner's recipe share a single hold. So
/// all else that holds the breaker can be told apart: handles, permits, and pools.
#[derive(Clone, Debug)]
pub(crate) struct Housed {
    hold: Arc<Hold>,
}

/// The one reference that a box has.
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

    /// Settles what callers get once no owner will come any more, and reports it.
    pub(crate) fn orphan(&self) {
        self.hold.shared.orphan(self.is_in_use());
    }

    /// Reports whether anybody but the box holds the breaker.
    ///
    /// Once nobody does, only the box itself can give it to somebody.
    pub(crate) fn is_in_use(&self) -> bool {
        self.holders() > 0
    }

    /// Returns how many hold the breaker besides the box.
    pub(crate) fn holders(&self) -> usize {
        let holders = Arc::strong_count(&self.hold.shared) - 1;
        // Pairs with the release of the last holder to let go: its verdicts are in.
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
