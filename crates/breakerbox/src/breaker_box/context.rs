use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use ractor::ActorRef;
use tokio::runtime::Handle;

use super::Leftovers;
use super::timers::Timers;
use crate::BreakerMessage;
use crate::breaker;
use crate::bus::Bus;
use crate::event::Told;

/// The part of its box that a breaker holds, without keeping the box alive.
#[derive(Debug)]
pub(crate) struct BoxContext {
    /// The bus for the events of the box's breakers.
    pub(crate) events: Bus<Told>,
    /// Whatever was in use when the box began to end.
    pub(crate) leftovers: Leftovers,
    /// The address of breakers that have lost their owner, once somebody asks for it.
    nobody: OnceLock<ActorRef<BreakerMessage>>,
    runtime: Handle,
    /// The timers of callers outside of tokio, once there is such a caller.
    timers: OnceLock<Timers>,
}

impl BoxContext {
    pub(super) fn new(runtime: Handle) -> Self {
        Self {
            events: Bus::new(),
            leftovers: Leftovers::default(),
            nobody: OnceLock::new(),
            runtime,
            timers: OnceLock::new(),
        }
    }

    /// Returns an address at which nobody answers.
    pub(crate) fn nobody(&self) -> ActorRef<BreakerMessage> {
        let address = self.nobody.get_or_init(|| {
            let _inside = self.runtime.enter();
            breaker::nobody()
        });
        address.clone()
    }

    /// Returns the runtime that the box lives on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Makes a timer: one of the runtime that this is called on or, outside of tokio, one
    /// of a thread that does nothing else.
    ///
    /// A runtime without timers panics. The panic is returned, so that nobody takes it
    /// for the failure of a call.
    pub(crate) fn timer<T>(&self, make: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        let is_outside = Handle::try_current().is_err();
        catch_unwind(AssertUnwindSafe(|| {
            let timers = is_outside.then(|| {
                let start = || Timers::start().expect("a thread for timers can be started");
                self.timers.get_or_init(start)
            });
            let _inside = timers.map(|timers| timers.runtime().enter());
            make()
        }))
    }
}
