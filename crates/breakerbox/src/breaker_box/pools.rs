use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::BreakerBox;
use super::change::{Change, Changes};
use crate::guarded::Guarded;
use crate::lock;

/// The pools of a box by name, as what they share: only a pool knows the type.
#[derive(Default)]
pub(super) struct Pools {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    changes: Changes,
    names: BTreeMap<Arc<str>, Entry>,
}

enum Entry {
    /// The pool comes or goes; whoever asks for the name waits.
    Busy(Change),
    There {
        /// Whether anybody has asked for it since it was made.
        is_wanted: bool,
        shared: AnyShared,
    },
}

/// What a pool shares.
pub(crate) type AnyShared = Arc<dyn Any + Send + Sync>;

/// The turn to make or to close the pool of a name, which nobody else has.
///
/// Its end frees the name, unless a pool has come.
pub(crate) struct PoolTurn {
    breakers: BreakerBox,
    change: Change,
}

impl PoolTurn {
    /// Ends the turn: the pool has come.
    pub(crate) fn arrive(self, shared: AnyShared) {
        let there = Entry::There {
            is_wanted: false,
            shared,
        };
        self.breakers.with_pools(|inner| {
            inner.names.insert(Arc::clone(&self.change.name), there);
        });
    }
}

impl Drop for PoolTurn {
    fn drop(&mut self) {
        self.breakers.with_pools(|inner| {
            if let Some(Entry::Busy(change)) = inner.names.get(&self.change.name)
                && change.is(&self.change)
            {
                inner.names.remove(&self.change.name);
            }
        });
        // This wakes the user's code, which may ask the box at once.
        self.change.done.cancel();
    }
}

impl BreakerBox {
    /// Takes the turn to make a pool. Returns None if there is a pool of this name.
    pub(crate) async fn turn_of_new_pool(&self, name: &Arc<str>) -> Option<PoolTurn> {
        loop {
            let busy = self.with_pools(|inner| match inner.names.get(name) {
                Some(Entry::Busy(change)) => Err(Some(change.done.clone())),
                Some(Entry::There { .. }) => Err(None),
                None => Ok(inner.begin(name)),
            });
            match busy {
                Ok(change) => return Some(self.pool_turn(change)),
                Err(None) => return None,
                Err(Some(done)) => Guarded::new(done.cancelled()).await,
            }
        }
    }

    /// Takes the turn to close this very pool, if it is there. One that was made for a
    /// caller that has stopped waiting stays if somebody else has asked for it since.
    pub(crate) fn turn_of_old_pool<S>(
        &self,
        name: &Arc<str>,
        pool: &Arc<S>,
        may_be_wanted: bool,
    ) -> Option<PoolTurn> {
        let begun = self.with_pools(|inner| match inner.names.get(name)? {
            Entry::There { is_wanted, shared }
                if std::ptr::addr_eq(Arc::as_ptr(shared), Arc::as_ptr(pool))
                    && (may_be_wanted || !is_wanted) =>
            {
                Some(inner.begin(name))
            }
            Entry::There { .. } | Entry::Busy(_) => None,
        });
        Some(self.pool_turn(begun?))
    }

    /// Returns what the pool of this name shares, if that is an `S`.
    pub(crate) fn pool_shared<S: Send + Sync + 'static>(&self, name: &str) -> Option<Arc<S>> {
        self.with_pools(|inner| match inner.names.get_mut(name)? {
            Entry::There { is_wanted, shared } => {
                let shared = Arc::clone(shared).downcast().ok()?;
                *is_wanted = true;
                Some(shared)
            }
            Entry::Busy(_) => None,
        })
    }

    fn pool_turn(&self, change: Change) -> PoolTurn {
        PoolTurn {
            breakers: self.clone(),
            change,
        }
    }

    fn with_pools<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        lock::with(&self.inner.pools.inner, act)
    }
}

impl Inner {
    /// Begins a change of a name, whatever has it.
    fn begin(&mut self, name: &Arc<str>) -> Change {
        let change = self.changes.begin(name);
        self.names
            .insert(Arc::clone(name), Entry::Busy(change.clone()));
        change
    }
}
