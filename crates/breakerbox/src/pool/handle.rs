use std::ops::Deref;
use std::sync::Arc;

use super::shared::Shared;

/// What a pool shares, as its handles hold it: they are counted, and what the box holds
/// of the pool is not.
pub(super) struct SharedHandle<T> {
    shared: Arc<Shared<T>>,
}

impl<T> SharedHandle<T> {
    pub(super) fn new(shared: Arc<Shared<T>>) -> Self {
        shared.add_handle();
        Self { shared }
    }
}

impl<T> Clone for SharedHandle<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared))
    }
}

impl<T> Deref for SharedHandle<T> {
    type Target = Arc<Shared<T>>;

    fn deref(&self) -> &Arc<Shared<T>> {
        &self.shared
    }
}

impl<T> Drop for SharedHandle<T> {
    fn drop(&mut self) {
        self.shared.remove_handle();
    }
}
