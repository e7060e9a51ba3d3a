use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorId};

use super::lifeline::Lifeline;
use super::{Departure, Shutdown};

/// What a child is made of, whatever its kind and its types.
///
/// Calls of `begin` and `end` do not overlap: the supervisor's errands see to
/// that.
pub(super) trait Life: Send + Sync {
    /// Brings up an incarnation, and tells the lifeline once it is up.
    ///
    /// Returns the exit when it did not come up; what becomes of it later is
    /// told to the lifeline.
    fn begin(self: Arc<Self>, birth: Birth) -> BoxFuture<'static, Result<(), Exit>>;

    /// Ends whatever there is, and all that is left of it.
    fn end(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, (Departure, Exit)>;

    /// The actor that stands for it, once there was one.
    fn shell(&self) -> Option<ActorCell>;

    /// How this shell ended, if it is the one that stands for it.
    fn farewell(&self, shell: ActorId) -> Option<Exit>;
}

/// What an incarnation is told when it begins.
pub(super) struct Birth {
    pub(super) incarnation: Incarnation,
    pub(super) lifeline: Lifeline,
    /// How long what it leaves behind has to end, should it crash.
    pub(super) patience: Duration,
    /// How long it has to come up.
    pub(super) within: Duration,
}
