//! The one way to hold a lock: for a closure that neither waits nor runs user code.

use std::sync::PoisonError;

use crate::sync::Mutex;

/// Runs `read_or_write` on what the mutex guards.
///
/// A panic under a lock is a bug of ours that has been reported where it
/// happened; the data is whole, because no closure leaves it half changed.
pub(crate) fn with<T, R>(mutex: &Mutex<T>, read_or_write: impl FnOnce(&mut T) -> R) -> R {
    read_or_write(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}
