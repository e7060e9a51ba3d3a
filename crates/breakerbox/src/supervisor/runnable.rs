use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{ActorCell, ActorId};

use super::event::EventSender;
use super::notifier::Notifier;
use super::{ChildKind, Departure, Shutdown, Stopped, Supervisor};

/// What a supervisor starts and stops, whatever its kind and its types.
///
/// Calls of `start` and `stop` do not overlap; `ManagedChild` takes care of that.
pub(super) trait Runnable: Send + Sync + 'static {
    /// Starts an incarnation, and notifies the supervisor once it is up.
    ///
    /// Returns the exit when it did not come up; a later exit goes to the
    /// notifier.
    fn start(self: Arc<Self>, request: StartRequest) -> BoxFuture<'static, Result<(), Exit>>;

    /// Ends the incarnation that runs; its address stays, if it has one.
    fn end_incarnation(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, Exit> {
        async move { self.stop(shutdown).await.exit }.boxed()
    }

    /// Stops whatever runs, and all that is left of it.
    fn stop(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, StopResult>;

    /// Lets nothing come of a start that is stuck in blocking code.
    ///
    /// It ends where it awaits next; what it was to start something in ends now.
    fn abandon(&self) {}

    /// Waits until nothing is left of what was stopped or killed.
    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// There will be no other incarnation: what makes them is dropped.
    fn discard_recipe(&self);

    /// Kills whatever runs or is about to, for good, when nobody can wait for it.
    fn kill(&self);

    /// What it is.
    fn kind(&self) -> ChildKind;

    /// Its latest shell, once there was one; only an actor has one.
    fn shell(&self) -> Option<ActorCell> {
        None
    }

    /// How this shell ended, if it is the latest one.
    fn shell_exit(&self, _shell: ActorId) -> Option<Exit> {
        None
    }

    /// A handle on it, if it is a supervisor and has been started.
    fn supervisor(&self) -> Option<Supervisor> {
        None
    }
}

/// How a stop went.
pub(super) struct StopResult {
    /// The children that a supervisor stopped in its end.
    pub(super) below: Vec<Stopped>,
    pub(super) departure: Departure,
    pub(super) exit: Exit,
}

impl StopResult {
    pub(super) const fn new(departure: Departure, exit: Exit) -> Self {
        Self {
            below: Vec::new(),
            departure,
            exit,
        }
    }
}

/// How an incarnation is to be started.
pub(super) struct StartRequest {
    /// Where the supervisor tells what happens.
    pub(super) events: EventSender,
    pub(super) incarnation: Incarnation,
    pub(super) notifier: Notifier,
    /// How long it has to come up.
    pub(super) start_timeout: Duration,
    /// How long the actors linked to it have to stop, should it crash.
    pub(super) stop_timeout: Duration,
}

impl StartRequest {
    /// Waits until the former incarnation is gone, for as long as a start may take.
    ///
    /// Two never overlap; but who waits without a bound fails without a trace.
    pub(super) async fn after<T>(&self, gone: impl Future<Output = T>) -> Result<T, Exit> {
        let waited = tokio::time::timeout(self.start_timeout, gone).await;
        waited
            .map_err(|_late| Exit::init_failed("its former incarnation is stuck in blocking code"))
    }
}
