use breakerbox_core::{ChildId, Exit, Incarnation};
use ractor::ActorId;
use tokio::sync::oneshot;

use super::{AddError, ChildSpec, Departure, RemoveError};

/// What a supervisor's actor is told.
pub(super) enum Order {
    /// Add a child, and say whether it came up.
    Add(ChildSpec, oneshot::Sender<Result<(), AddError>>),
    /// A wait is over.
    Deadline,
    /// An incarnation ended, or could not be started.
    Exited(ChildId, Incarnation, Exit),
    /// A child that was asked to stop did so.
    Gone(ChildId, Incarnation, Departure, Exit),
    /// Remove a child, and say how it went.
    Remove(String, oneshot::Sender<Result<Departure, RemoveError>>),
    /// A shell ended, whoever ended it.
    ShellEnded(ActorId),
    /// An incarnation is up.
    Started(ChildId, Incarnation),
}
