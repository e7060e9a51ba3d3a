use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use ractor::ActorRef;
use tokio::runtime::Handle;

use crate::BreakerMessage;
use crate::breaker;
use crate::bus::Bus;
use crate::event::Told;

/// What a breaker has of its box, without keeping it.
#[derive(Debug)]
pub(crate) struct BoxContext {
    /// Where it tells what happens to it.
    pub(crate) events: Bus<Told>,
    /// The address of those that have no owner any more, once somebody asks for one.
    nobody: OnceLock<ActorRef<BreakerMessage>>,
    runtime: Handle,
}

impl BoxContext {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            events: Bus::new(),
            nobody: OnceLock::new(),
            runtime,
        }
    }

    /// An address that nobody answers at.
    pub(crate) fn nobody(&self) -> ActorRef<BreakerMessage> {
        let address = self.nobody.get_or_init(|| {
            let _inside = self.runtime.enter();
            breaker::nobody()
        });
        address.clone()
    }

    /// The runtime that the box lives on.
    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Makes a timer: of the runtime that this is called on, or outside of any of the
    /// box's.
    ///
    /// It panics on a runtime that has no timers. The panic is returned, so that nobody
    /// takes it for the failure of a call.
    pub(crate) fn timer<T>(&self, make: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        let is_outside = Handle::try_current().is_err();
        let _inside = is_outside.then(|| self.runtime.enter());
        catch_unwind(AssertUnwindSafe(make))
    }
}
