use std::fmt;
use std::sync::Arc;

use super::Supervisor;
use super::supervisor_path::SupervisorPath;

/// A handle on a supervisor that does not keep its tree running.
///
/// Children of the tree itself get one from their scope
/// ([`Scope::supervisor`](crate::Scope::supervisor),
/// [`TaskScope::supervisor`](crate::TaskScope::supervisor)); [`Supervisor::downgrade`]
/// makes one, too. The handle stays good across restarts, as a handle from
/// [`Supervisor::supervisor`] does. Dropping it ends nothing.
#[derive(Clone)]
pub struct WeakSupervisor {
    path: Arc<SupervisorPath>,
}

impl WeakSupervisor {
    pub(super) const fn new(path: Arc<SupervisorPath>) -> Self {
        Self { path }
    }

    /// Returns a handle on the root of the tree, from which every child has a path.
    #[must_use]
    pub fn root(&self) -> Self {
        Self::new(SupervisorPath::to(self.path.root()))
    }

    /// Returns a strong handle, or `None` once the tree has lost its last one.
    ///
    /// A strong handle on a root keeps the tree running until it is dropped, so do not
    /// keep it within the tree. A handle on a supervisor below the root keeps nothing
    /// running.
    #[must_use]
    pub fn upgrade(&self) -> Option<Supervisor> {
        let keeper = self.path.root().keeper()?;
        Some(Supervisor {
            _keeper: self.path.is_root().then_some(keeper),
            path: Arc::clone(&self.path),
        })
    }
}

impl fmt::Debug for WeakSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSupervisor").finish_non_exhaustive()
    }
}
