use tokio::runtime::Handle;

/// Lets every thread run the task that this one woke last.
///
/// tokio's multi-threaded runtime keeps that task for the thread that woke it,
/// and no other takes it from there. Where the user's code then blocks that
/// thread, a supervisor that was woken by its child would wait as long. Another
/// task that is spawned takes the place, and the one before goes to where all
/// threads take theirs from.
pub(super) fn share_woken() {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(std::future::ready(()));
    }
}
