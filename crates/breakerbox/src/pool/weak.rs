use std::fmt;
use std::sync::{Arc, Weak};

use super::handle::SharedHandle;
use super::{Pool, Shared};
use crate::WeakBreakerBox;

/// A handle on a [`Pool`] that keeps neither the pool nor its box alive.
///
/// Use it in children of the box's own tree; see [`WeakBreaker`](crate::WeakBreaker).
pub struct WeakPool<T> {
    breakers: WeakBreakerBox,
    client: Option<u64>,
    key: Option<u64>,
    shared: Weak<Shared<T>>,
}

impl<T> WeakPool<T> {
    pub(super) fn new(pool: &Pool<T>) -> Self {
        Self {
            breakers: pool.breakers.downgrade(),
            client: pool.client,
            key: pool.key,
            shared: Arc::downgrade(&pool.shared),
        }
    }

    /// Returns the pool, or None once its box has no handle left, or the pool has
    /// been closed and has none itself.
    #[must_use]
    pub fn upgrade(&self) -> Option<Pool<T>> {
        Some(Pool {
            breakers: self.breakers.upgrade()?,
            client: self.client,
            key: self.key,
            shared: SharedHandle::new(self.shared.upgrade()?),
        })
    }
}

impl<T> Clone for WeakPool<T> {
    fn clone(&self) -> Self {
        Self {
            breakers: self.breakers.clone(),
            client: self.client,
            key: self.key,
            shared: Weak::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for WeakPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared.upgrade();
        let name = shared.as_ref().map(|shared| &*shared.name);
        f.debug_struct("WeakPool").field("name", &name).finish()
    }
}
