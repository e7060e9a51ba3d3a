use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::ActorId;
use tokio::sync::oneshot;

use super::runnable::StopResult;
use super::{AddError, ChildKey, ChildSpec, Departure, RemoveError, RestartError};

/// What a supervisor's actor is told.
pub(super) enum SupervisorMessage {
    /// Add a child, and reply when it is up or did not come up.
    Add(ChildSpec, oneshot::Sender<Result<(), AddError>>),
    /// A backoff is over.
    Deadline,
    /// An incarnation ended, or could not be started.
    Exited(ChildId, Incarnation, Exit),
    /// Remove a child, and reply when it is gone.
    Remove(String, oneshot::Sender<Result<Departure, RemoveError>>),
    /// Remove this very child, and reply when it is gone.
    RemoveThis(
        String,
        ChildKey,
        oneshot::Sender<Result<Departure, RemoveError>>,
    ),
    /// Start a child anew, and reply when it is up or did not come up.
    Restart(String, oneshot::Sender<Result<(), RestartError>>),
    /// A shell ended, whoever ended it.
    ShellEnded(ActorId),
    /// An incarnation is up.
    Started(ChildId, Incarnation),
    /// Stop a child but keep it, and reply when it is down.
    Stop(String, oneshot::Sender<Result<Departure, RemoveError>>),
    /// A child was stopped, as a directive had asked.
    Stopped(ChildId, Incarnation, StopResult),
}

// Never sent to another node, but with this feature ractor asks for it.
#[cfg(feature = "cluster")]
impl ractor::Message for SupervisorMessage {}
