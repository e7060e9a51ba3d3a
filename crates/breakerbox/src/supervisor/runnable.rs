use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{Exit, Incarnation};
use futures_util::future::BoxFuture;
use ractor::ActorCell;

use super::address::Address;
use super::event::EventSender;
use super::link::Link;
use super::notifier::Notifier;
use super::report::Account;
use super::running_supervisor::RunningSupervisor;
use super::shell::Bell;
use super::start_time::StartTime;
use super::{ChildKind, Departure, Shutdown};

/// What a supervisor starts and stops, whatever its kind and its types.
///
/// The supervisor's actor calls it, so nothing here waits or runs what is the
/// user's. What is asked for is answered by the notifier.
pub(super) trait Runnable: Send + Sync + 'static {
    /// Starts an incarnation, and notifies the supervisor once it is up.
    ///
    /// It may be told instead that the incarnation has exited: it did not come up.
    fn start(self: Arc<Self>, request: StartRequest);

    /// The incarnation that was started last is up.
    fn came_up(&self) {}

    /// Lets nothing come of a start, which then exits like this.
    fn abort_start(&self, _incarnation: Incarnation, _exit: Exit) {}

    /// Ends the incarnation that runs; its address stays, if it has one.
    ///
    /// The notifier is told that it has exited.
    fn end_incarnation(self: Arc<Self>, request: EndRequest);

    /// Tells what waits for its restart that there is none soon.
    fn wait(&self) {}

    /// Stops whatever runs, and all that is left of it.
    ///
    /// The notifier is told that it has stopped, or that its shell has ended.
    fn stop(self: Arc<Self>, request: EndRequest);

    /// Stops it as [`stop`](Self::stop) does, and grants no time to it and those below it.
    fn stop_at_once(self: Arc<Self>, request: EndRequest) {
        self.stop(request);
    }

    /// Has what was asked to stop do so at once.
    fn hasten_stop(self: Arc<Self>, request: EndRequest) {
        self.stop_at_once(request);
    }

    /// Notes the end of a shell; false if a later one has been asked for meanwhile.
    fn shell_ended(&self, _shell: Incarnation) -> bool {
        true
    }

    /// Waits until nothing is left of what was stopped or killed, but for what is below it.
    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// There will be no other incarnation: what makes them is dropped, which may block.
    fn discard_recipe(&self);

    /// Kills whatever runs or is about to, for good, when nobody can wait for it.
    fn kill(&self);

    /// What it is.
    fn kind(&self) -> ChildKind;

    /// What makes the children of a set, until it has ended for good.
    fn member_recipe(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }

    /// Its latest shell that has been up; only an actor has one.
    fn shell(&self) -> Option<ActorCell> {
        None
    }

    /// Its latest incarnation, if it is a supervisor and has been started.
    fn supervisor(&self) -> Option<Arc<RunningSupervisor>> {
        None
    }
}

/// How a stop went.
pub(super) struct StopResult {
    /// How a supervisor ended.
    pub(super) below: Option<Link<Account>>,
    pub(super) departure: Departure,
    pub(super) exit: Exit,
}

impl StopResult {
    pub(super) const fn new(departure: Departure, exit: Exit) -> Self {
        Self {
            below: None,
            departure,
            exit,
        }
    }
}

/// How an incarnation is to be started.
pub(super) struct StartRequest {
    pub(super) address: Address,
    pub(super) bell: Arc<Bell>,
    /// The child's name.
    pub(super) child: Arc<str>,
    /// Where the supervisor tells what happens.
    pub(super) events: EventSender,
    pub(super) incarnation: Incarnation,
    pub(super) notifier: Notifier,
    /// How long it has to come up.
    pub(super) start_time: StartTime,
    /// How long the actors linked to it have to stop, should it crash.
    pub(super) stop_timeout: Duration,
}

/// How an incarnation is to be ended.
pub(super) struct EndRequest {
    pub(super) incarnation: Incarnation,
    pub(super) notifier: Notifier,
    pub(super) shutdown: Shutdown,
}

impl StartRequest {
    /// Waits until the former incarnation is gone, for as long as a start may take.
    ///
    /// Two never overlap; but who waits without a bound fails without a trace.
    pub(super) async fn after<T>(&self, gone: impl Future<Output = T>) -> Result<T, Exit> {
        let waited = tokio::time::timeout(self.start_time.alone(), gone).await;
        waited.map_err(|_late| former_is_stuck())
    }
}

/// The exit of an incarnation that would have had to start beside a former one.
pub(super) fn former_is_stuck() -> Exit {
    Exit::init_failed("its former incarnation is stuck in blocking code")
}
