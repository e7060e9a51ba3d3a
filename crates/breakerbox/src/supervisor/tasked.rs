use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use breakerbox_core::Exit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::latest_lock::LatestLock;
use super::runnable::{EndRequest, Runnable, StartRequest, StopResult};
use super::running_supervisor::RunningSupervisor;
use super::shutdown::KILL_TIMEOUT;
use super::{ChildKind, Departure, Shutdown, catch};
use crate::abort_on_drop::AbortOnDrop;
use crate::lock;

/// What takes its time to start and to stop, and says itself when it takes too long.
///
/// Calls of `start` and `stop` do not overlap; [`Tasked`] takes care of that.
pub(super) trait Slow: Send + Sync + 'static {
    /// Starts an incarnation, and notifies the supervisor once it is up.
    ///
    /// Returns the exit when it did not come up; a later exit goes to the notifier.
    fn start(self: Arc<Self>, request: StartRequest) -> BoxFuture<'static, Result<(), Exit>>;

    /// Stops whatever runs, and all that is left of it.
    fn stop(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, StopResult>;

    /// Stops it, and grants no time to it and those below it.
    fn stop_at_once(self: Arc<Self>) -> BoxFuture<'static, StopResult> {
        self.stop(Shutdown::Kill)
    }

    /// Waits until nothing is left of what was stopped or killed, but for what is below it.
    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()>;

    fn discard_recipe(&self);

    /// Kills whatever runs or is about to, for good.
    fn kill(&self);

    fn kind(&self) -> ChildKind;

    fn member_recipe(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    fn supervisor(&self) -> Option<Arc<RunningSupervisor>> {
        None
    }
}

/// A child that a task starts or stops.
///
/// There is one task at a time: a new one aborts the one before it and waits until
/// that is gone.
pub(super) struct Tasked<S> {
    /// Held by whatever starts or stops it.
    lock: Arc<LatestLock>,
    slow: Arc<S>,
    /// Starts or stops it.
    task: Mutex<Option<AbortOnDrop>>,
}

impl<S: Slow> Tasked<S> {
    pub(super) fn new(slow: Arc<S>) -> Self {
        Self {
            lock: Arc::default(),
            slow,
            task: Mutex::new(None),
        }
    }

    /// Aborts the task that runs, and returns a number for the next one.
    fn next_number(&self) -> (Arc<LatestLock>, u64) {
        drop(lock::with(&self.task, Option::take));
        (Arc::clone(&self.lock), self.lock.next_number())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = AbortOnDrop::spawn(task);
        drop(lock::with(&self.task, |running| running.replace(task)));
    }

    /// Stops it and tells the supervisor, unless a later task does.
    ///
    /// What is stuck, so that it cannot be stopped, is told as that.
    fn spawn_stop(
        &self,
        request: EndRequest,
        stop: impl FnOnce(Arc<S>) -> BoxFuture<'static, StopResult> + Send + 'static,
    ) {
        let slow = Arc::clone(&self.slow);
        let (lock, number) = self.next_number();
        self.spawn(async move {
            let result = match tokio::time::timeout(KILL_TIMEOUT, lock.lock(number)).await {
                Ok(Some(_guard)) => stop(slow).await,
                Ok(None) => return,
                Err(_) => StopResult::new(Departure::Stuck, Exit::Killed),
            };
            request.notifier.stopped(request.incarnation, result);
        });
    }
}

impl<S: Slow> Runnable for Tasked<S> {
    fn start(self: Arc<Self>, request: StartRequest) {
        let slow = Arc::clone(&self.slow);
        let (lock, number) = self.next_number();
        let (notifier, incarnation) = (request.notifier.clone(), request.incarnation);
        self.spawn(async move {
            let Some(_guard) = lock.lock(number).await else {
                return;
            };
            // A panic on the way is an exit.
            let started = async move { Ok::<_, Infallible>(slow.start(request).await) };
            if let Err(exit) = catch::hook(started).await.and_then(|started| started) {
                notifier.exited(incarnation, exit);
            }
        });
    }

    fn end_incarnation(self: Arc<Self>, request: EndRequest) {
        let slow = Arc::clone(&self.slow);
        let (lock, number) = self.next_number();
        self.spawn(async move {
            let Some(_guard) = lock.lock(number).await else {
                return;
            };
            let exit = slow.stop(request.shutdown).await.exit;
            request.notifier.exited(request.incarnation, exit);
        });
    }

    fn stop(self: Arc<Self>, request: EndRequest) {
        let shutdown = request.shutdown;
        self.spawn_stop(request, move |slow| slow.stop(shutdown));
    }

    fn stop_at_once(self: Arc<Self>, request: EndRequest) {
        self.spawn_stop(request, S::stop_at_once);
    }

    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            self.lock.idle().await;
            Arc::clone(&self.slow).gone().await;
        }
        .boxed()
    }

    fn discard_recipe(&self) {
        self.slow.discard_recipe();
    }

    fn kill(&self) {
        drop(lock::with(&self.task, Option::take));
        self.slow.kill();
    }

    fn kind(&self) -> ChildKind {
        self.slow.kind()
    }

    fn member_recipe(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.slow.member_recipe()
    }

    fn supervisor(&self) -> Option<Arc<RunningSupervisor>> {
        self.slow.supervisor()
    }
}
