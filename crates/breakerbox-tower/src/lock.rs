use std::sync::{Mutex, PoisonError};

/// Does something to what is behind a lock, and lets go of it.
///
/// Nothing of a user's runs under it but the clone of a waker, so what a panic
/// leaves is still whole.
pub(crate) fn with<T, R>(mutex: &Mutex<T>, act: impl FnOnce(&mut T) -> R) -> R {
    act(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}
