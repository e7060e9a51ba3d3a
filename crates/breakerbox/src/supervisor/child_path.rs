use std::sync::{Arc, Mutex};

use ractor::{ActorRef, Message};

use super::published::ChildEntry;
use super::supervisor_path::SupervisorPath;
use crate::lock;

/// The way from the root of a tree to one of its children.
pub(super) struct ChildPath {
    /// What was found last; for a handle with a type, one that takes its messages.
    latest: Mutex<Arc<ChildEntry>>,
    name: Arc<str>,
    supervisor: Arc<SupervisorPath>,
}

impl ChildPath {
    pub(super) fn new(supervisor: Arc<SupervisorPath>, entry: Arc<ChildEntry>) -> Self {
        Self {
            name: Arc::clone(entry.name()),
            latest: Mutex::new(entry),
            supervisor,
        }
    }

    /// The same way from the child that is there now.
    ///
    /// Handles of different types each have their own: what one of them finds last, the
    /// other may not take for its own.
    pub(super) fn apart(&self) -> Self {
        Self::new(Arc::clone(&self.supervisor), self.now())
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns whether this is the same way in the same tree.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.supervisor.is(&other.supervisor)
    }

    /// The child that is there now, or was last.
    pub(super) fn now(&self) -> Arc<ChildEntry> {
        let latest = self.latest();
        self.other_than(&latest).unwrap_or(latest)
    }

    /// The child that is there now, or was last and took such messages, and its actor.
    pub(super) fn actor<M: Message>(&self) -> Option<(Arc<ChildEntry>, ActorRef<M>)> {
        let latest = self.latest();
        if let Some(next) = self.other_than(&latest)
            && let Ok(actor) = next.actor()
        {
            let now = Arc::clone(&next);
            let former = lock::with(&self.latest, |latest| std::mem::replace(latest, next));
            drop(former);
            return Some((now, actor));
        }
        let actor = latest.actor().ok()?;
        Some((latest, actor))
    }

    /// Waits until there may be another child; false if there will be none.
    pub(super) async fn may_have_another(&self) -> bool {
        self.supervisor.may_have_another(&self.name).await
    }

    /// The child that was found last.
    pub(super) fn latest(&self) -> Arc<ChildEntry> {
        lock::with(&self.latest, |latest| Arc::clone(latest))
    }

    /// The child that has taken the place of one that ended with its supervisor.
    fn other_than(&self, latest: &ChildEntry) -> Option<Arc<ChildEntry>> {
        if !latest.ended_with_supervisor() {
            return None;
        }
        self.supervisor.now().published().own(&self.name)
    }
}
