use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// A lock that only the task with the latest number gets.
///
/// Aborting a task neither waits for it nor stops it where it is being polled,
/// so this is what keeps a child's tasks, and with them its incarnations, from
/// overlapping.
#[derive(Default)]
pub(super) struct LatestLock {
    latest: AtomicU64,
    running: Mutex<()>,
}

impl LatestLock {
    /// A number for the next task, which outdates all others.
    pub(super) fn next_number(&self) -> u64 {
        self.latest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits until no former task runs; `None` when the number is outdated.
    ///
    /// # Memory ordering
    ///
    /// Who gets the lock after a task with a later number has had it sees that
    /// number, because the lock was passed on in between.
    pub(super) async fn lock(&self, number: u64) -> Option<MutexGuard<'_, ()>> {
        let guard = self.running.lock().await;
        (self.latest.load(Ordering::Relaxed) == number).then_some(guard)
    }

    /// Waits until no task runs.
    pub(super) async fn idle(&self) {
        drop(self.running.lock().await);
    }
}
