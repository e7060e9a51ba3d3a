use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use breakerbox_core::Ending;

use super::{Shared, log};
use crate::breaker_box::{Kind, Leftover};

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
    ///
    /// Somebody who still has the breaker is warned, at the end of a box once for all
    /// its breakers.
    pub(crate) fn orphan(&self, why: Ending) {
        let Some(choice) = self.hold.shared.orphan() else {
            return;
        };
        let name = self.name();
        if !self.is_in_use_beside_pools() {
            return log::orphaned(name, choice);
        }
        let housed = self.clone();
        let leftover = Leftover {
            is_in_use: Box::new(move || housed.is_in_use_beside_pools()),
            kind: Kind::Breaker,
            name: Arc::clone(name),
        };
        if why != Ending::ShutDown || self.context().leftovers.add(leftover).is_err() {
            log::orphaned_in_use(name, choice);
        }
    }

    /// Reports whether anybody but the box and its pools holds the breaker.
    fn is_in_use_beside_pools(&self) -> bool {
        self.holders() > self.pools()
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
