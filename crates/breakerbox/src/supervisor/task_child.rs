mod ready;
mod running_task;
mod task_scope;

use std::sync::Arc;

use breakerbox_core::Exit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::current::Current;
use super::recipe::Recipe;
use super::runnable::{StartRequest, StopResult};
use super::shell::start_timed_out;
use super::shutdown::KILL_TIMEOUT;
use super::tasked::Slow;
use super::{ChildKind, Departure, Shutdown};
pub use ready::Ready;
use running_task::RunningTask;
pub use task_scope::TaskScope;

/// A child that is an async function, called anew for each incarnation.
pub(super) struct TaskChild {
    current: Current<RunningTask>,
    run: Recipe<Run>,
}

/// Makes a future that has not yet called the user's function.
type Run = dyn Fn(CancellationToken, Ready) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

impl TaskChild {
    pub(super) fn new(
        run: impl Fn(CancellationToken, Ready) -> BoxFuture<'static, Result<(), String>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            current: Current::none(),
            run: Recipe::new(Arc::new(run)),
        }
    }

    async fn start_incarnation(&self, request: StartRequest) -> Result<(), Exit> {
        if let Some(former) = self.current.get() {
            request.after(former.ended()).await?;
        }
        let timeout = request.start_time.alone();
        let run = self.run.get().ok_or(Exit::Killed)?;
        let task = RunningTask::spawn(&*run, request);
        if self.current.set(task.clone()).is_err() {
            task.kill();
            return Err(Exit::Killed);
        }
        match tokio::time::timeout(timeout, task.started()).await {
            Ok(started) => started,
            Err(_) => {
                task.kill();
                // One that is stuck is waited for before the next start.
                let _ended = tokio::time::timeout(KILL_TIMEOUT, task.ended()).await;
                Err(start_timed_out(timeout))
            }
        }
    }
}

impl Slow for TaskChild {
    fn start(self: Arc<Self>, request: StartRequest) -> BoxFuture<'static, Result<(), Exit>> {
        async move { self.start_incarnation(request).await }.boxed()
    }

    fn stop(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, StopResult> {
        async move {
            match self.current.get() {
                None => StopResult::new(Departure::Stopped, Exit::Normal),
                Some(task) => task.stop(shutdown).await,
            }
        }
        .boxed()
    }

    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            if let Some(task) = self.current.get() {
                task.ended().await;
            }
        }
        .boxed()
    }

    fn discard_recipe(&self) {
        self.run.discard();
    }

    fn kill(&self) {
        if let Some(task) = self.current.kill() {
            task.kill();
        }
    }

    fn kind(&self) -> ChildKind {
        ChildKind::Task
    }
}
