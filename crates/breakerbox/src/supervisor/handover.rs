use std::future::ready;

use tokio::runtime::Handle;

/// Called before the user's code may block this thread.
///
/// tokio's multi-threaded runtime keeps the task that a thread woke last for that
/// thread, and no other takes it from there: a supervisor that was woken by its
/// child would wait as long. And if it was the clock that woke this thread, no
/// other minds the clock before it is woken: no stop would time out.
///
/// A task that is spawned takes the place of the one that was woken last, which
/// goes to where all threads take theirs from, and a thread is woken for it. The
/// second one does that where nothing was woken.
pub(super) fn share_woken() {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(ready(()));
        runtime.spawn(ready(()));
    }
}
