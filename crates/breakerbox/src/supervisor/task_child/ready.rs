use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use breakerbox_core::Incarnation;
use tokio::sync::watch;

use super::super::WeakSupervisor;
use super::super::notifier::Notifier;
use super::running_task::TaskState;

/// A handle by which a task says that it is up.
///
/// Dropping the handle says nothing: a task that goes on without having called
/// [`notify`](Self::notify) fails at its start timeout.
pub struct Ready {
    incarnation: Incarnation,
    notifier: Notifier,
    state: Arc<watch::Sender<TaskState>>,
}

impl Ready {
    pub(super) const fn new(
        incarnation: Incarnation,
        notifier: Notifier,
        state: Arc<watch::Sender<TaskState>>,
    ) -> Self {
        Self {
            incarnation,
            notifier,
            state,
        }
    }

    /// A handle on the supervisor, for the task.
    pub(in super::super) fn weak_supervisor(&self) -> WeakSupervisor {
        self.notifier.weak_supervisor()
    }

    /// Says that the task is up, so that the children after it may start.
    ///
    /// The call has no effect after the end of the task or its start timeout.
    pub fn notify(self) {
        let is_first = self.state.send_if_modified(|state| {
            let is_starting = *state == TaskState::Starting;
            if is_starting {
                *state = TaskState::Up;
            }
            is_starting
        });
        if is_first {
            self.notifier.started(self.incarnation);
        }
    }
}

impl Ready {
    /// Runs a task that is up once it was polled, however that went.
    pub(in super::super) async fn when_polled<T>(self, task: impl Future<Output = T>) -> T {
        let (mut task, mut ready) = (pin!(task), Some(self));
        poll_fn(|context| {
            let _notified_after_the_first_poll = NotifyOnDrop(ready.take());
            task.as_mut().poll(context)
        })
        .await
    }
}

/// Says that a task is up also where its first poll panics.
struct NotifyOnDrop(Option<Ready>);

impl Drop for NotifyOnDrop {
    fn drop(&mut self) {
        if let Some(ready) = self.0.take() {
            ready.notify();
        }
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}
