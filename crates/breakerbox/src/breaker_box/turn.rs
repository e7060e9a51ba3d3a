use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::BreakerConfig;

use super::{BreakerBox, BreakerError};
use crate::breaker::{Housed, Owner, Shared};
use crate::{
    AddError, Breaker, BreakerMessage, ChildSpec, OnLimit, RestartIntensity, Shutdown, clock,
};

/// The turn to make or to remove the breaker of a name, which nobody else has.
///
/// Its end frees the name, however it ends, unless a breaker has come.
pub(super) struct Turn {
    breakers: BreakerBox,
    name: Arc<str>,
}

impl Turn {
    pub(super) fn new(breakers: &BreakerBox, name: Arc<str>) -> Self {
        Self {
            breakers: breakers.clone(),
            name,
        }
    }

    /// Makes a breaker, in place of one that has lost its owner if `is_remade`.
    pub(super) async fn make(
        self,
        config: Arc<BreakerConfig>,
        is_remade: bool,
    ) -> Result<Breaker, BreakerError> {
        let supervisor = self.breakers.supervisor();
        // Nobody else's child, which may have taken the name since.
        if is_remade && supervisor.child::<BreakerMessage>(&self.name).is_ok() {
            self.remove_owner().await;
        }
        let context = Arc::clone(self.breakers.context());
        let shared =
            Shared::new(&self.name, Arc::clone(&config), context).map_err(BreakerError::Config)?;
        let housed = Housed::new(Arc::new(shared));
        let added = supervisor.add(owner_spec(&housed)).await;
        added.map_err(|error| match error {
            AddError::Duplicate { .. } => BreakerError::Taken(Arc::clone(&self.name)),
            _ => BreakerError::Stopped,
        })?;
        // Before it is in the box, where nobody who uses it keeps it from being used.
        let breaker = Breaker::new(self.breakers.clone(), Arc::clone(&housed));
        self.breakers
            .with_registry(|names| names.arrive(housed, config, clock::now()));
        Ok(breaker)
    }

    /// Removes a breaker that was let go.
    pub(super) async fn remove(self) {
        self.remove_owner().await;
    }

    async fn remove_owner(&self) {
        // An error means that there is no such child, or that the box has ended.
        let _gone = self.breakers.supervisor().remove(&self.name).await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.breakers.with_registry(|names| names.free(&self.name));
    }
}

/// How a breaker's owner is made, each time anew from what the last one left.
fn owner_spec(breaker: &Housed) -> ChildSpec {
    let (maker, orphaned) = (breaker.clone(), breaker.clone());
    ChildSpec::actor(Arc::clone(breaker.name()), move || (Owner, maker.clone()))
        .intensity(PER_BREAKER, OnLimit::StopChild)
        .on_down(move |_| orphaned.orphan())
        .shutdown(Shutdown::Within(PATIENCE))
        .side_by_side()
}

/// An owner crashes when a trip policy of the user's own does, so this is how
/// many wrong decisions in a row it takes to stop asking that policy.
const PER_BREAKER: RestartIntensity = RestartIntensity::new(10, Duration::from_secs(10));

/// An owner has nothing to do at its end, so one that needs longer is stuck.
const PATIENCE: Duration = Duration::from_secs(1);
