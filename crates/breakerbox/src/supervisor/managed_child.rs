use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::{ActorId, ActorRef};
use tokio::sync::oneshot;

use super::child_spec::ChildSpec;
use super::down_hook::DownHook;
use super::event::EventSender;
use super::latest_lock::LatestLock;
use super::message::SupervisorMessage;
use super::notifier::Notifier;
use super::published::ChildEntry;
use super::runnable::{Runnable, StartRequest, StopResult};
use super::shutdown::KILL_TIMEOUT;
use super::{AddError, Departure, RemoveError, RestartError, Shutdown, catch, lifo_slot};
use crate::abort_on_drop::AbortOnDrop;

/// One child as the supervisor's actor manages it.
///
/// Starting and stopping take time, so each is a task of its own. There is one
/// at a time: a new task aborts the one before it and waits until it is gone.
pub(super) struct ManagedChild {
    /// Who waits for it to come up.
    pub(super) add_reply: Option<oneshot::Sender<Result<(), AddError>>>,
    pub(super) down_hook: DownHook,
    /// Its last shell that ended.
    pub(super) ended_shell: Option<ActorId>,
    pub(super) entry: Arc<ChildEntry>,
    /// Who waits for it to be gone.
    pub(super) remove_replies: Vec<oneshot::Sender<Result<Departure, RemoveError>>>,
    /// Who waits for its next incarnation to come up.
    pub(super) restart_replies: Vec<oneshot::Sender<Result<(), RestartError>>>,
    /// Who waits for it to be down.
    pub(super) stop_replies: Vec<oneshot::Sender<Result<Departure, RemoveError>>>,
    pub(super) shell: Option<ActorId>,
    pub(super) stage: Stage,
    shutdown: Shutdown,
    start_timeout: Duration,
    /// Starts or stops it.
    task: Option<AbortOnDrop>,
}

/// Whether a child is being stopped.
pub(super) enum Stage {
    /// It runs, starts, or waits for its restart.
    Running,
    /// It was stopped, like this.
    Stopped(Departure),
    /// A task stops it.
    Stopping,
}

impl ManagedChild {
    pub(super) fn new(spec: ChildSpec, entry: Arc<ChildEntry>) -> Self {
        Self {
            add_reply: None,
            down_hook: spec.down_hook,
            ended_shell: None,
            entry,
            remove_replies: Vec::new(),
            restart_replies: Vec::new(),
            stop_replies: Vec::new(),
            shell: None,
            shutdown: spec.shutdown,
            stage: Stage::Running,
            start_timeout: spec.start_timeout,
            task: None,
        }
    }

    /// Starts an incarnation in a task, which notifies the supervisor.
    pub(super) fn start(
        &mut self,
        child: ChildId,
        incarnation: Incarnation,
        supervisor: &ActorRef<SupervisorMessage>,
        events: &EventSender,
    ) {
        let notifier = Notifier::new(child, supervisor.clone());
        let request = StartRequest {
            events: events.below(self.entry.name()),
            incarnation,
            notifier: notifier.clone(),
            start_timeout: self.start_timeout,
            stop_timeout: self.shutdown.timeout(),
        };
        let runnable = Arc::clone(self.entry.runnable());
        let (lock, number) = self.next_number();
        self.stage = Stage::Running;
        self.task = Some(AbortOnDrop::spawn(async move {
            let Some(_guard) = lock.lock(number).await else {
                return;
            };
            if let Err(exit) = started(runnable, request).await {
                notifier.exited(incarnation, exit);
            }
        }));
    }

    /// Ends its incarnation in a task, which notifies the supervisor.
    pub(super) fn end_incarnation(
        &mut self,
        child: ChildId,
        incarnation: Incarnation,
        supervisor: &ActorRef<SupervisorMessage>,
    ) {
        drop(self.task.take());
        let notifier = Notifier::new(child, supervisor.clone());
        let runnable = Arc::clone(self.entry.runnable());
        let shutdown = self.shutdown;
        let (lock, number) = self.next_number();
        self.task = Some(AbortOnDrop::spawn(async move {
            let Some(_guard) = lock.lock(number).await else {
                return;
            };
            let exit = runnable.end_incarnation(shutdown).await;
            notifier.exited(incarnation, exit);
        }));
    }

    /// Stops it in a task, which sends a [`SupervisorMessage::Stopped`].
    pub(super) fn stop(
        &mut self,
        child: ChildId,
        incarnation: Incarnation,
        supervisor: &ActorRef<SupervisorMessage>,
    ) {
        let supervisor = supervisor.clone();
        let stopped = self.stopped();
        self.stage = Stage::Stopping;
        self.task = Some(AbortOnDrop::spawn(async move {
            let message = SupervisorMessage::Stopped(child, incarnation, stopped.await);
            let _supervisor_ended = supervisor.cast(message);
        }));
    }

    /// Aborts the task that runs; the future stops the child.
    pub(super) fn stopped(&mut self) -> impl Future<Output = StopResult> + Send + use<> {
        drop(self.task.take());
        let runnable = Arc::clone(self.entry.runnable());
        let shutdown = self.shutdown;
        let (lock, number) = self.next_number();
        async move {
            match tokio::time::timeout(KILL_TIMEOUT, lock.lock(number)).await {
                Ok(Some(_guard)) => runnable.stop(shutdown).await,
                // A later task took over, and will answer.
                Ok(None) => std::future::pending().await,
                Err(_) => {
                    runnable.abandon();
                    StopResult::new(Departure::Stuck, Exit::Killed)
                }
            }
        }
    }

    fn next_number(&self) -> (Arc<LatestLock>, u64) {
        let lock = self.entry.lock();
        (Arc::clone(lock), lock.next_number())
    }

    /// How its present shell ended, if it has.
    pub(super) fn shell_exit(&self) -> Option<Exit> {
        self.entry.runnable().shell_exit(self.ended_shell?)
    }

    /// Tells whoever waits for it to come up that it did not.
    pub(super) fn reply_start_failed(&mut self) {
        if let (Some(reply), Some(exit)) = (self.add_reply.take(), self.entry.status().last_exit) {
            let child = self.entry.name().to_string();
            let _gave_up_waiting = reply.send(Err(AddError::Failed { child, exit }));
        }
    }

    /// Tells those who wait for an incarnation that it is up.
    pub(super) fn reply_started(&mut self) {
        if let Some(reply) = self.add_reply.take() {
            let _gave_up_waiting = reply.send(Ok(()));
        }
        for reply in self.restart_replies.drain(..) {
            let _gave_up_waiting = reply.send(Ok(()));
        }
    }

    /// Tells those who wait for its next incarnation that it did not come up.
    pub(super) fn reply_restart_failed(&mut self, exit: &Exit) {
        for reply in self.restart_replies.drain(..) {
            let (child, exit) = (self.entry.name().to_string(), exit.clone());
            let _gave_up_waiting = reply.send(Err(RestartError::Failed { child, exit }));
        }
    }

    /// Tells those who wait for it to be down how it went.
    pub(super) fn reply_stopped(&mut self) {
        let departure = self.departure();
        for reply in self.stop_replies.drain(..) {
            let _gave_up_waiting = reply.send(Ok(departure));
        }
    }

    /// Tells those who wait for it to be gone how it went.
    pub(super) fn reply_removed(&mut self) {
        self.reply_stopped();
        let departure = self.departure();
        for reply in self.remove_replies.drain(..) {
            let _gave_up_waiting = reply.send(Ok(departure));
        }
    }

    const fn departure(&self) -> Departure {
        match self.stage {
            Stage::Stopped(departure) => departure,
            // It was down already, or had never been started.
            Stage::Running | Stage::Stopping => Departure::Stopped,
        }
    }

    /// Kills what is left of it, when nobody can wait for its end.
    pub(super) fn kill(&self) {
        if !matches!(self.stage, Stage::Stopped(_)) {
            self.entry.runnable().kill();
        }
    }
}

/// Starts an incarnation; a panic on the way is its exit.
async fn started(runnable: Arc<dyn Runnable>, request: StartRequest) -> Result<(), Exit> {
    lifo_slot::flush();
    let started = async move { Ok::<_, Infallible>(runnable.start(request).await) };
    catch::hook(started).await?
}
