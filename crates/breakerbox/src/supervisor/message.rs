use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::ActorId;
use tokio::sync::oneshot;

use super::{AddError, ChildSpec, Departure, RemoveError};

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
    /// A shell ended, whoever ended it.
    ShellEnded(ActorId),
    /// An incarnation is up.
    Started(ChildId, Incarnation),
    /// A child was stopped, as a directive had asked.
    Stopped(ChildId, Incarnation, Departure, Exit),
}
