use std::fmt;

use tokio_util::sync::CancellationToken;

use super::super::WeakSupervisor;

/// What one incarnation of a supervised task is given.
///
/// [`ChildSpec::task_with`](crate::ChildSpec::task_with) hands it to each incarnation.
#[derive(Clone)]
pub struct TaskScope {
    supervisor: WeakSupervisor,
    token: CancellationToken,
}

impl TaskScope {
    pub(in super::super) const fn new(
        token: CancellationToken,
        supervisor: WeakSupervisor,
    ) -> Self {
        Self { supervisor, token }
    }

    /// Returns the supervisor of the task, to find its siblings.
    ///
    /// While the tree starts, the siblings after this one are not up yet.
    #[must_use]
    pub fn supervisor(&self) -> WeakSupervisor {
        self.supervisor.clone()
    }

    /// Returns the token that asks the task to stop, and is cancelled after its end.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl fmt::Debug for TaskScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope").finish_non_exhaustive()
    }
}
