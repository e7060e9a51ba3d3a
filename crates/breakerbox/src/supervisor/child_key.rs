use std::fmt;
use std::sync::{Arc, Weak};

use super::runnable::Runnable;

/// A child of a supervisor, by its name and as the one that it is.
///
/// A name may have another child by the time that a command about it arrives.
#[derive(Clone)]
pub(crate) struct ChildKey {
    name: Arc<str>,
    /// Nothing else is at its address while this exists.
    runnable: Weak<dyn Runnable>,
}

impl ChildKey {
    pub(super) fn new(name: &Arc<str>, runnable: &Arc<dyn Runnable>) -> Self {
        Self {
            name: Arc::clone(name),
            runnable: Arc::downgrade(runnable),
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether this is what the child runs.
    pub(super) fn runs(&self, runnable: &Arc<dyn Runnable>) -> bool {
        std::ptr::addr_eq(self.runnable.as_ptr(), Arc::as_ptr(runnable))
    }
}

impl fmt::Debug for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildKey").field(&self.name).finish()
    }
}
