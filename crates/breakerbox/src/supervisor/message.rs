use std::sync::Arc;

use tokio::sync::oneshot;

use super::published::ChildEntry;
use super::{AddError, ChildKey, ChildSpec, Departure, RemoveError, RestartError};

/// What a supervisor's actor is told.
pub(super) enum SupervisorMessage {
    /// Add a child, and reply when it is up or did not come up.
    Add(
        ChildSpec,
        oneshot::Sender<Result<Arc<ChildEntry>, AddError>>,
    ),
    /// Look into the [`Inbox`](super::inbox::Inbox).
    Look,
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
    /// Stop a child but keep it, and reply when it is down.
    Stop(String, oneshot::Sender<Result<Departure, RemoveError>>),
}

// Never sent to another node, but with this feature ractor asks for it.
#[cfg(feature = "cluster")]
impl ractor::Message for SupervisorMessage {}
