use std::sync::Arc;

use breakerbox_core::{Exit, Incarnation};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::super::notifier::Notifier;
use super::super::runnable::{StartRequest, StopResult};
use super::super::shutdown::KILL_TIMEOUT;
use super::super::{Departure, Shutdown, catch};
use super::{Ready, Run};

/// One incarnation of a task, as whoever starts and stops it holds it.
///
/// It has ended when nothing of it is left: tokio has dropped its future.
#[derive(Clone)]
pub(super) struct RunningTask {
    abort: AbortHandle,
    state: watch::Receiver<TaskState>,
    stop: CancellationToken,
}

/// How far an incarnation of a task is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum TaskState {
    /// It is not up yet.
    Starting,
    Up,
    /// It ended after it was up.
    Ended(Exit),
    /// It ended before it was up.
    NeverUp(Exit),
}

impl RunningTask {
    pub(super) fn spawn(run: &Run, request: StartRequest) -> Self {
        let StartRequest {
            incarnation,
            notifier,
            ..
        } = request;
        let stop = CancellationToken::new();
        let sender = Arc::new(watch::Sender::new(TaskState::Starting));
        let state = sender.subscribe();
        let ready = Ready::new(incarnation, notifier.clone(), Arc::clone(&sender));
        let task = tokio::spawn(catch::hook(run(stop.clone(), ready)));
        let abort = task.abort_handle();
        let cancel = stop.clone();
        tokio::spawn(async move {
            let exit = exit_of(task).await;
            // Whatever it had spawned with its token ends too.
            cancel.cancel();
            set_ended(&sender, exit, incarnation, &notifier);
        });
        Self { abort, state, stop }
    }

    /// Waits until it is up, or has ended before it was.
    pub(super) async fn started(&self) -> Result<(), Exit> {
        let mut state = self.state.clone();
        let state = state.wait_for(|state| *state != TaskState::Starting).await;
        match state.as_deref() {
            Ok(TaskState::Starting | TaskState::Up | TaskState::Ended(_)) => Ok(()),
            Ok(TaskState::NeverUp(exit)) => Err(not_started(exit)),
            Err(_runtime_ended) => Err(Exit::Killed),
        }
    }

    /// Waits until nothing of it is left.
    pub(super) async fn ended(&self) -> Exit {
        let mut state = self.state.clone();
        let has_ended = |state: &TaskState| state.exit().is_some();
        let ended = state.wait_for(has_ended).await;
        let exit = ended.ok().and_then(|state| state.exit().cloned());
        // There is none when the runtime has ended, and the task with it.
        exit.unwrap_or(Exit::Killed)
    }

    pub(super) async fn stop(&self, shutdown: Shutdown) -> StopResult {
        if let Some(exit) = self.state.borrow().exit() {
            return stopped_by_itself(exit.clone());
        }
        if let Some(timeout) = shutdown.patience() {
            self.stop.cancel();
            match tokio::time::timeout(timeout, self.ended()).await {
                Ok(exit) => return stopped_by_itself(exit),
                Err(_late) => {}
            }
        }
        self.kill();
        match tokio::time::timeout(KILL_TIMEOUT, self.ended()).await {
            Ok(_) => StopResult::new(Departure::Killed, Exit::Killed),
            Err(_) => StopResult::new(Departure::Stuck, Exit::Killed),
        }
    }

    /// Has its future dropped as soon as it does not run.
    pub(super) fn kill(&self) {
        self.stop.cancel();
        self.abort.abort();
    }
}

impl TaskState {
    const fn exit(&self) -> Option<&Exit> {
        match self {
            Self::Ended(exit) | Self::NeverUp(exit) => Some(exit),
            Self::Starting | Self::Up => None,
        }
    }
}

/// How a stop went that did not have to kill.
fn stopped_by_itself(exit: Exit) -> StopResult {
    let departure = match exit {
        Exit::Killed => Departure::Killed,
        _ => Departure::Stopped,
    };
    StopResult::new(departure, exit)
}

/// Waits until tokio has dropped the task's future.
async fn exit_of(task: JoinHandle<Result<(), Exit>>) -> Exit {
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(Ok(())) => Exit::Normal,
        Ok(Err(exit)) => exit,
        Err(Ok(panic)) => Exit::panicked(catch::text_of(panic)),
        Err(Err(_aborted)) => Exit::Killed,
    }
}

/// Notes the end; tells the supervisor, unless it hears it as a failed start.
fn set_ended(
    state: &watch::Sender<TaskState>,
    exit: Exit,
    incarnation: Incarnation,
    notifier: &Notifier,
) {
    let mut was_up = false;
    state.send_modify(|state| {
        was_up = *state == TaskState::Up;
        *state = match was_up {
            true => TaskState::Ended(exit.clone()),
            false => TaskState::NeverUp(exit.clone()),
        };
    });
    if was_up {
        notifier.exited(incarnation, exit);
    }
}

/// The exit of a task that ended before it was up.
fn not_started(exit: &Exit) -> Exit {
    match exit {
        Exit::Error(text) | Exit::Panicked(text) => Exit::InitFailed(text.clone()),
        Exit::Normal => Exit::init_failed("it ended before it said that it was up"),
        other => other.clone(),
    }
}
