use std::fmt;

use tokio_util::sync::CancellationToken;

use super::super::WeakSupervisor;

/// The token and the supervisor of one incarnation of a supervised task.
///
/// [`ChildSpec::task_with`](crate::ChildSpec::task_with) gives one to each incarnation.
/// Clones belong to the same incarnation, and dropping them ends nothing.
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

    /// Returns the token that asks the task to stop.
    ///
    /// The token is cancelled after every end of the incarnation as well, so tasks that the
    /// task has spawned can end with it.
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
