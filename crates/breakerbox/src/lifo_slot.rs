//! tokio's LIFO slot: the task that a blocked worker thread keeps to itself.

use std::future::ready;

use tokio::runtime::Handle;

/// Hands the task that this thread woke last to the other workers.
///
/// tokio's multi-threaded runtime keeps the task that a worker woke last in a slot
/// of that worker (its LIFO slot), and no other worker takes it from there. So it
/// is called before the user's code may block this thread: otherwise a supervisor
/// that was woken by its child would wait as long. And if it was the clock that
/// woke this thread, no other minds the clock before it is woken: no stop would
/// time out.
///
/// A task that is spawned takes the slot, the one that was in it goes to where all
/// workers take theirs from, and a worker is woken for it. The second one does
/// that where the slot was empty. Outside a runtime this does nothing.
pub(crate) fn flush() {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(ready(()));
        runtime.spawn(ready(()));
    }
}
