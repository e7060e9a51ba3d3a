use std::sync::Arc;

use breakerbox_core::Supervision;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{broadcast, oneshot};

use super::board::Board;
use super::event::BACKLOG;
use super::household::Household;
use super::order::Order;
use super::{ChildSpec, StartError, SupervisorEvent, SupervisorSpec};

/// The actor that a supervisor is.
///
/// What it hears it tells the [`Supervision`], whose directives it obeys. While
/// it serves, it never waits for a child, a timer or a reply; whatever takes
/// time is an errand that reports back as an [`Order`]. Its end is one long
/// wait: for one child after another, in `post_stop`.
pub(super) struct Overseer;

impl Actor for Overseer {
    type Msg = Order;
    type State = Household;
    type Arguments = Founding;

    async fn pre_start(
        &self,
        myself: ActorRef<Order>,
        founding: Founding,
    ) -> Result<Household, ActorProcessingErr> {
        Ok(Household::found(myself, founding))
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        household: &mut Household,
    ) -> Result<(), ActorProcessingErr> {
        household.hear(order);
        Ok(())
    }

    /// Queues the news behind what the shell said before it ended.
    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Order>,
        event: SupervisionEvent,
        _: &mut Household,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(shell, _)
        | SupervisionEvent::ActorTerminated(shell, ..) = event
        {
            let _myself_stopping = myself.cast(Order::ShellEnded(shell.get_id()));
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Order>,
        household: &mut Household,
    ) -> Result<(), ActorProcessingErr> {
        household.dissolve().await;
        Ok(())
    }
}

/// What a supervisor begins with.
pub(super) struct Founding {
    pub(super) board: Arc<Board>,
    pub(super) children: Vec<ChildSpec>,
    pub(super) events: broadcast::Sender<SupervisorEvent>,
    pub(super) founded: oneshot::Sender<Result<(), StartError>>,
    pub(super) supervision: Supervision,
}

impl Founding {
    pub(super) fn new(
        spec: SupervisorSpec,
        founded: oneshot::Sender<Result<(), StartError>>,
    ) -> (Self, Arc<Board>) {
        let events = broadcast::Sender::new(BACKLOG);
        let board = Arc::new(Board::new(spec.name, &events));
        let seed = fastrand::u64(..);
        let founding = Self {
            board: Arc::clone(&board),
            children: spec.children,
            events,
            founded,
            supervision: Supervision::new(spec.strategy, spec.intensity, seed),
        };
        (founding, board)
    }
}
