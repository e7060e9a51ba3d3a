use std::sync::{Arc, Mutex};

use super::catch;
use crate::lock;

/// What makes the incarnations of a child, until there are to be none any more.
///
/// It is the user's function, and may hold a handle on the very tree that the child is
/// in. The child's entry outlives the child, so the tree would hold itself for ever.
pub(super) struct Recipe<F: ?Sized> {
    make: Mutex<Option<Arc<F>>>,
}

impl<F: ?Sized> Recipe<F> {
    pub(super) const fn new(make: Arc<F>) -> Self {
        Self {
            make: Mutex::new(Some(make)),
        }
    }

    /// None once it has been discarded.
    pub(super) fn get(&self) -> Option<Arc<F>> {
        lock::with(&self.make, |make| make.clone())
    }

    pub(super) fn discard(&self) {
        let make = lock::with(&self.make, Option::take);
        catch::drop_of(make);
    }
}
