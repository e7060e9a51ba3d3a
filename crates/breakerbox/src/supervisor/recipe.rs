use std::sync::{Arc, Mutex};

use super::catch;
use crate::lock;

/// The function that makes the incarnations of a child, until it is discarded.
///
/// The function is the user's, and may hold a handle on the very tree of the child. The
/// child's entry outlives the child, so the tree would keep itself alive forever.
pub(super) struct Recipe<F: ?Sized> {
    make: Mutex<Option<Arc<F>>>,
}

impl<F: ?Sized + Send + Sync + 'static> Recipe<F> {
    pub(super) const fn new(make: Arc<F>) -> Self {
        Self {
            make: Mutex::new(Some(make)),
        }
    }

    /// Returns the function, or None once it has been discarded.
    pub(super) fn get(&self) -> Option<Arc<F>> {
        lock::with(&self.make, |make| make.clone())
    }

    /// Drops the function, which may block.
    pub(super) fn discard(&self) {
        catch::drop_of(lock::with(&self.make, Option::take));
    }
}
