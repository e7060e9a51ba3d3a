use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ::breakerbox_core::{Circuit, Outcome};

use super::breakerbox::config;
use super::{Breaks, Shape};
use crate::work::Failed;

/// The circuit of breakerbox behind a lock: the plain way to share one.
#[derive(Debug)]
pub struct InMutex(Mutex<Circuit>);

impl InMutex {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the shape contradicts itself.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let circuit = Circuit::new(config(shape), 1, Instant::now());
        Self(Mutex::new(circuit.expect("a shape is sound")))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Circuit) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Breaks for InMutex {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        let Ok(ticket) = self.with(|circuit| circuit.try_acquire(Instant::now())) else {
            return false;
        };
        let worked = call().is_ok();
        let outcome = if worked {
            Outcome::Success
        } else {
            Outcome::failure()
        };
        self.with(|circuit| circuit.settle(ticket, outcome, Instant::now()));
        worked
    }
}
