use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::BreakerConfig;

use super::change::Change;
use super::registry::Leaving;
use super::{BreakerBox, BreakerError};
use crate::breaker::{Housed, Owner, Shared};
use crate::supervisor::{ChildKey, NotAdded};
use crate::{Breaker, ChildSpec, OnLimit, RestartIntensity, Shutdown, clock};

/// The turn to make or remove the breaker of a name, which nobody else has.
///
/// The end of the turn, however it comes, frees the name unless a breaker has come.
pub(super) struct Turn {
    breakers: BreakerBox,
    change: Change,
}

impl Turn {
    pub(super) fn new(breakers: &BreakerBox, change: Change) -> Self {
        Self {
            breakers: breakers.clone(),
            change,
        }
    }

    /// Makes a breaker, after removing the owner that a former one may have left.
    pub(super) async fn make(
        self,
        config: Arc<BreakerConfig>,
        remains: Option<ChildKey>,
    ) -> Result<Breaker, BreakerError> {
        let (name, supervisor) = (&self.change.name, self.breakers.supervisor());
        if let Some(owner) = remains {
            // An error means that the owner has been removed.
            let _gone = supervisor.remove_this(name, &owner).await;
        }
        let context = Arc::clone(self.breakers.context());
        let shared = Shared::new(name, Arc::clone(&config), context);
        let housed = Housed::new(Arc::new(shared.map_err(BreakerError::Config)?));
        let spec = owner_spec(&housed);
        let owner = spec.key();
        if let Err(error) = supervisor.add(spec).await {
            return Err(match supervisor.why_not_added(error, name, &owner).await {
                NotAdded::Ended => BreakerError::Stopped,
                NotAdded::Interrupted => BreakerError::Interrupted(Arc::clone(name)),
                NotAdded::Taken => BreakerError::Taken(Arc::clone(name)),
            });
        }
        // Made before the breaker is in the box, so that nobody finds it unused.
        let breaker = Breaker::new(self.breakers.clone(), Arc::clone(&housed));
        let key = owner.clone();
        let arrived = self
            .breakers
            .with_registry(|names| names.arrive(&self.change, housed, config, key, clock::now()));
        match arrived {
            Ok(leaves) => leaves
                .into_iter()
                .for_each(|leaving| self.breakers.see_off(leaving)),
            Err(full) => {
                // Nobody was given it, so nobody is warned.
                drop(breaker);
                let _gone = supervisor.remove_this(name, &owner).await;
                return Err(full);
            }
        }
        Ok(breaker)
    }

    /// Removes a breaker that was let go.
    pub(super) async fn remove(self, owner: ChildKey) {
        // An error means that the owner has been removed, or that the box has ended.
        let supervisor = self.breakers.supervisor();
        let _gone = supervisor.remove_this(&self.change.name, &owner).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.breakers.with_registry(|names| names.end(&self.change));
        // This wakes the user's code, which may ask the box at once.
        self.change.done.cancel();
    }
}

/// Returns the recipe of a breaker's owner, which takes up what the last one left.
fn owner_spec(breaker: &Housed) -> ChildSpec {
    let (maker, orphaned) = (breaker.clone(), breaker.clone());
    ChildSpec::actor(Arc::clone(breaker.name()), move || (Owner, maker.clone()))
        .intensity(PER_BREAKER, OnLimit::StopChild)
        .on_down(move |why| orphaned.orphan(why))
        .shutdown(Shutdown::Within(PATIENCE))
        .side_by_side()
}

impl BreakerBox {
    /// Removes a breaker that was let go, without waiting.
    pub(super) fn see_off(&self, leaving: Leaving) {
        let Leaving { change, owner, .. } = leaving;
        let removal = Turn::new(self, change).remove(owner);
        self.runtime().spawn(removal);
    }
}

/// An owner crashes when the user's own trip policy does, so this is how many wrong
/// decisions in a row it takes to stop asking that policy.
const PER_BREAKER: RestartIntensity = RestartIntensity::new(10, Duration::from_secs(10));

/// An owner has nothing to do at its end, so one that needs longer is stuck.
const PATIENCE: Duration = Duration::from_secs(1);
