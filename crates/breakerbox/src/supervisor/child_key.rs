use std::fmt;
use std::sync::{Arc, Weak};

use super::runnable::Runnable;

/// What tells a child from others that have had or will have its name.
///
/// By the time that a command about a name arrives, it may be somebody else's.
#[derive(Clone)]
pub(crate) struct ChildKey {
    /// Nothing else is at its address while this exists.
    runnable: Weak<dyn Runnable>,
}

impl ChildKey {
    pub(super) fn of(runnable: &Arc<dyn Runnable>) -> Self {
        Self {
            runnable: Arc::downgrade(runnable),
        }
    }

    /// Returns whether this is what the child runs.
    pub(super) fn runs(&self, runnable: &Arc<dyn Runnable>) -> bool {
        std::ptr::addr_eq(self.runnable.as_ptr(), Arc::as_ptr(runnable))
    }
}

impl fmt::Debug for ChildKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildKey").finish_non_exhaustive()
    }
}
