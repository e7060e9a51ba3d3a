use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::{ChildId, Exit, Incarnation, Phase};
use tokio::sync::oneshot;

use super::address::Address;
use super::child_spec::ChildSpec;
use super::down_hook::DownHook;
use super::event::EventSender;
use super::inbox::Inbox;
use super::notifier::Notifier;
use super::published::ChildEntry;
use super::runnable::{EndRequest, StartRequest};
use super::shell::{Bell, start_timed_out};
use super::shutdown::KILL_TIMEOUT;
use super::start_time::StartTime;
use super::{AddError, ChildKind, Departure, RemoveError, RestartError, Shutdown};
use crate::clock;

/// One child as the supervisor's actor manages it.
pub(super) struct ManagedChild {
    address: Address,
    /// Who waits for it to come up.
    pub(super) add_reply: Option<oneshot::Sender<Result<Arc<ChildEntry>, AddError>>>,
    pub(super) down_hook: DownHook,
    /// When what it was asked for takes too long, and what that is.
    pub(super) due: Option<(Instant, Due)>,
    pub(super) entry: Arc<ChildEntry>,
    /// Who waits for it to be gone.
    pub(super) remove_replies: Vec<oneshot::Sender<Result<Departure, RemoveError>>>,
    /// Who waits for its next incarnation to come up.
    pub(super) restart_replies: Vec<oneshot::Sender<Result<(), RestartError>>>,
    /// Who waits for it to be down.
    pub(super) stop_replies: Vec<oneshot::Sender<Result<Departure, RemoveError>>>,
    pub(super) stage: Stage,
    pub(super) shutdown: Shutdown,
    start_time: StartTime,
    /// What it was doing when its incarnation was asked to end.
    pub(super) was_doing: Phase,
}

/// Whether a child is being stopped.
pub(super) enum Stage {
    /// It runs, starts, or waits for its restart.
    Running,
    /// It was stopped, like this.
    Stopped(Departure),
    /// It was asked to stop.
    Stopping,
}

/// What a child that blocks its thread may fail to do in time.
///
/// An actor that waits ends what takes too long itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// To end its incarnation.
    End,
    /// To be gone, so that it can be started again.
    Gone,
    /// To start.
    Start,
    /// To give up its start.
    StartGivenUp,
    /// To stop.
    Stop,
}

impl ManagedChild {
    pub(super) fn new(spec: ChildSpec, entry: Arc<ChildEntry>) -> Self {
        Self {
            address: spec.address,
            add_reply: None,
            down_hook: spec.down_hook,
            due: None,
            entry,
            remove_replies: Vec::new(),
            restart_replies: Vec::new(),
            stop_replies: Vec::new(),
            shutdown: spec.shutdown,
            stage: Stage::Running,
            start_time: spec.start_time,
            was_doing: Phase::Starting,
        }
    }

    /// What tells the supervisor of it.
    pub(super) fn notifier(&self, child: ChildId, inbox: &Arc<Inbox>) -> Notifier {
        Notifier::new(child, Arc::clone(&self.entry), Arc::clone(inbox))
    }

    /// Starts an incarnation, which notifies the supervisor.
    pub(super) fn start(
        &mut self,
        incarnation: Incarnation,
        notifier: Notifier,
        bell: &Arc<Bell>,
        events: &EventSender,
    ) {
        self.stage = Stage::Running;
        self.set_due(Due::Start, self.start_time.alone());
        Arc::clone(self.entry.runnable()).start(StartRequest {
            address: self.address,
            bell: Arc::clone(bell),
            child: Arc::clone(self.entry.name()),
            events: events.below(self.entry.name()),
            incarnation,
            notifier,
            start_time: self.start_time,
            stop_timeout: self.shutdown.timeout(),
        });
    }

    /// Gives up a start that takes too long.
    pub(super) fn abort_start(&mut self, incarnation: Incarnation) {
        self.set_due(Due::StartGivenUp, KILL_TIMEOUT);
        let exit = self.start_timed_out();
        self.entry.runnable().abort_start(incarnation, exit);
    }

    /// It is stuck, and is to be started again once it is gone.
    pub(super) fn await_gone(&mut self) {
        self.due = Some((clock::after(self.start_time.alone()), Due::Gone));
    }

    pub(super) fn start_timed_out(&self) -> Exit {
        start_timed_out(self.start_time.alone())
    }

    /// Ends its incarnation, which notifies the supervisor.
    pub(super) fn end_incarnation(&mut self, incarnation: Incarnation, notifier: Notifier) {
        let patience = self.shutdown.timeout().saturating_add(KILL_TIMEOUT);
        self.set_due(Due::End, patience);
        let request = self.end_request(incarnation, notifier);
        Arc::clone(self.entry.runnable()).end_incarnation(request);
    }

    /// Stops it; the supervisor is notified.
    pub(super) fn stop(&mut self, incarnation: Incarnation, notifier: Notifier) {
        self.stage = Stage::Stopping;
        let patience = self.shutdown.timeout().saturating_add(KILL_TIMEOUT);
        self.set_due(Due::Stop, patience);
        let request = self.end_request(incarnation, notifier);
        Arc::clone(self.entry.runnable()).stop(request);
    }

    /// Stops it without giving it time, whether it was asked to stop before or not; the
    /// supervisor is notified.
    pub(super) fn stop_at_once(&mut self, incarnation: Incarnation, notifier: Notifier) {
        let was_asked = matches!(self.stage, Stage::Stopping);
        self.stage = Stage::Stopping;
        self.set_due(Due::Stop, KILL_TIMEOUT);
        let mut request = self.end_request(incarnation, notifier);
        request.shutdown = Shutdown::Kill;
        let runnable = Arc::clone(self.entry.runnable());
        match was_asked {
            true => runnable.hasten_stop(request),
            false => runnable.stop_at_once(request),
        }
    }

    const fn end_request(&self, incarnation: Incarnation, notifier: Notifier) -> EndRequest {
        EndRequest {
            incarnation,
            notifier,
            shutdown: self.shutdown,
        }
    }

    /// A task that starts or stops the child minds the time itself.
    fn set_due(&mut self, due: Due, within: Duration) {
        let minds_itself = self.entry.runnable().kind() != ChildKind::Actor;
        self.due = (!minds_itself).then(|| (clock::after(within), due));
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
            let _gave_up_waiting = reply.send(Ok(Arc::clone(&self.entry)));
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
