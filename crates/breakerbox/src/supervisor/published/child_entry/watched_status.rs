use std::sync::{Arc, Mutex};

use breakerbox_core::ChildStatus;
use tokio::sync::Notify;

use crate::guarded::Guarded;
use crate::lock;

/// How a child does, for anybody to read, or to wait for a change of it.
pub(super) struct WatchedStatus {
    inner: Mutex<Inner>,
}

struct Inner {
    /// Made by the first that waits.
    changed: Option<Arc<Notify>>,
    status: ChildStatus,
    /// Which of its changes was the last.
    version: u64,
}

impl WatchedStatus {
    pub(super) const fn new(status: ChildStatus) -> Self {
        Self {
            inner: Mutex::new(Inner {
                changed: None,
                status,
                version: 0,
            }),
        }
    }

    /// Reads something of it, and which change was the last.
    pub(super) fn read<T>(&self, read: impl FnOnce(&ChildStatus, u64) -> T) -> T {
        lock::with(&self.inner, |inner| read(&inner.status, inner.version))
    }

    /// Changes it, and tells those who wait.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut ChildStatus) -> T) -> T {
        let (changed, changed_to) = lock::with(&self.inner, |inner| {
            inner.version += 1;
            (inner.changed.clone(), change(&mut inner.status))
        });
        if let Some(changed) = changed {
            changed.notify_waiters();
        }
        changed_to
    }

    /// Waits for a change after this one.
    pub(super) async fn changed_since(&self, version: u64) {
        loop {
            let changed = lock::with(&self.inner, |inner| {
                let is_same = inner.version == version;
                is_same.then(|| Arc::clone(inner.changed.get_or_insert_default()))
            });
            let Some(changed) = changed else {
                return;
            };
            // Made before the next look: what changes from here on is noticed.
            let notified = changed.notified();
            if self.read(|_, now| now != version) {
                return;
            }
            Guarded::new(notified).await;
        }
    }
}
