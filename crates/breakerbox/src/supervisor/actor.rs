use std::sync::Arc;

use breakerbox_core::Supervision;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{broadcast, oneshot};

use super::event::{BACKLOG, EventSender};
use super::message::SupervisorMessage;
use super::published::{Published, Publisher};
use super::runnable::StartRequest;
use super::running_supervisor::RunningSupervisor;
use super::state::SupervisorState;
use super::{ChildSpec, StartError, SupervisorSpec};

/// The ractor actor of a supervisor.
///
/// It passes what it receives to the [`Supervision`] and carries out the
/// directives. It never waits for a child, a timer or a reply: whatever takes time
/// reports to the [`Inbox`](super::inbox::Inbox). In `post_stop` that is all it reads.
pub(super) struct SupervisorActor;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for SupervisorActor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = SupervisorArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<SupervisorMessage>,
        arguments: SupervisorArguments,
    ) -> Result<SupervisorState, ActorProcessingErr> {
        Ok(SupervisorState::boot(myself, arguments))
    }

    async fn handle(
        &self,
        _: ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        state.handle(message);
        Ok(())
    }

    /// Shells report to the inbox; of what ractor tells of them, only how often counts.
    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<SupervisorMessage>,
        event: SupervisionEvent,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorStarted(_) = event {
            state.saw_shell();
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<SupervisorMessage>,
        state: &mut SupervisorState,
    ) -> Result<(), ActorProcessingErr> {
        state.shutdown().await;
        Ok(())
    }
}

/// What a supervisor's actor starts from.
pub(super) struct SupervisorArguments {
    pub(super) booted: oneshot::Sender<Result<(), StartError>>,
    pub(super) children: Vec<ChildSpec>,
    pub(super) events: EventSender,
    pub(super) maximum: Option<usize>,
    pub(super) publisher: Publisher,
    pub(super) running: Arc<RunningSupervisor>,
    pub(super) supervision: Supervision,
}

impl SupervisorArguments {
    /// Those of a supervisor that no other one has as its child.
    pub(super) fn new(
        spec: SupervisorSpec,
        booted: oneshot::Sender<Result<(), StartError>>,
    ) -> Self {
        let events = broadcast::Sender::new(BACKLOG);
        let (name, seed) = (spec.name, fastrand::u64(..));
        let published = Published::new(Arc::clone(&name), &events, spec.shutdown_within);
        let published = Arc::new(published);
        Self {
            booted,
            children: spec.children,
            events: EventSender::new(events, name),
            maximum: spec.maximum,
            publisher: Publisher::new(Arc::clone(&published), spec.end_hook),
            running: Arc::new(RunningSupervisor::root(published)),
            supervision: Supervision::new(spec.strategy, spec.intensity, seed)
                .auto_shutdown(spec.auto_shutdown)
                .on_limit(spec.on_limit),
        }
    }

    /// Those of a child of another supervisor, which hears of all its events.
    pub(super) fn below(
        spec: SupervisorSpec,
        booted: oneshot::Sender<Result<(), StartError>>,
        request: &StartRequest,
    ) -> Self {
        let root = Self::new(spec, booted);
        let published = Arc::clone(root.publisher.published());
        let inbox = request.notifier.inbox();
        let (above, child) = (inbox.running(), Arc::clone(&request.child));
        Self {
            events: root.events.heard_above(&request.events),
            running: Arc::new(RunningSupervisor::below(published, above, child)),
            ..root
        }
    }
}
