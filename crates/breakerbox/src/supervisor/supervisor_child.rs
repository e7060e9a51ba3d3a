use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::Exit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::ActorRuntime;
use tokio::sync::{Mutex, oneshot};

use super::actor::{SupervisorActor, SupervisorArguments};
use super::current::Current;
use super::link::Link;
use super::recipe::Recipe;
use super::report::Account;
use super::runnable::{StartRequest, StopResult};
use super::running_supervisor::RunningSupervisor;
use super::shell::start_timed_out;
use super::shutdown::KILL_TIMEOUT;
use super::tasked::Slow;
use super::{ChildKind, Departure, End, Shutdown, StartError, SupervisorSpec, catch};

/// A child that is a supervisor, made anew for each incarnation.
pub(super) struct SupervisorChild {
    current: Current<Arc<RunningSupervisor>>,
    kind: ChildKind,
    make: Recipe<dyn Fn() -> SupervisorSpec + Send + Sync>,
    /// What makes the children of a set, which knows the type of their arguments.
    member: Option<Recipe<dyn Any + Send + Sync>>,
    /// Held while that runs, which is the user's and may block.
    making: Arc<Mutex<()>>,
}

impl SupervisorChild {
    pub(super) fn new(make: impl Fn() -> SupervisorSpec + Send + Sync + 'static) -> Self {
        Self {
            current: Current::none(),
            kind: ChildKind::Supervisor,
            make: Recipe::new(Arc::new(make)),
            member: None,
            making: Arc::default(),
        }
    }

    pub(super) fn set(
        make: impl Fn() -> SupervisorSpec + Send + Sync + 'static,
        member: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self {
            kind: ChildKind::Set,
            member: Some(Recipe::new(member)),
            ..Self::new(make)
        }
    }

    async fn start_incarnation(&self, request: StartRequest) -> Result<(), Exit> {
        if let Some(former) = self.current.get() {
            request.after(former.gone()).await?;
        }
        let spec = self.spec(&request).await?;
        let timeout = request.start_time.of(&spec);
        spec.refuse_duplicates().map_err(init_failed)?;
        let (supervisor, booted) = spawn(spec, &request)?;
        if self.current.set(supervisor.clone()).is_err() {
            supervisor.kill_and_wait().await;
            return Err(Exit::Killed);
        }
        if let Err(exit) = started_within(timeout, booted).await {
            // What is left of it, if it does not end by itself.
            shut_down(&supervisor).await;
            return Err(exit);
        }
        request.notifier.started(request.incarnation);
        tokio::spawn(async move {
            supervisor.has_ended().await;
            let account = supervisor.published().account();
            let exit = account.map_or(Exit::Killed, |account| exit_of(&account.end));
            request.notifier.exited(request.incarnation, exit);
        });
        Ok(())
    }

    /// Has the user's function make the recipe, in a task of its own, as it may block.
    async fn spec(&self, request: &StartRequest) -> Result<SupervisorSpec, Exit> {
        let making = Arc::clone(&self.making).lock_owned();
        let making = request.after(making).await?;
        let make = self.make.get().ok_or(Exit::Killed)?;
        let made = tokio::spawn(async move {
            let _making = making;
            catch::call(|| make())
        });
        let timeout = request.start_time.alone();
        match tokio::time::timeout(timeout, made).await {
            Ok(Ok(made)) => made.map_err(Exit::init_failed),
            Ok(Err(_runtime_ended)) => Err(Exit::Killed),
            Err(_late) => Err(start_timed_out(timeout)),
        }
    }
}

impl Slow for SupervisorChild {
    fn start(self: Arc<Self>, request: StartRequest) -> BoxFuture<'static, Result<(), Exit>> {
        async move { self.start_incarnation(request).await }.boxed()
    }

    fn stop(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, StopResult> {
        async move {
            let mut result = match self.current.get() {
                None => StopResult::new(Departure::Stopped, Exit::Normal),
                Some(supervisor) => stop(&supervisor, shutdown).await,
            };
            let made = tokio::time::timeout(KILL_TIMEOUT, self.making.lock());
            if made.await.is_err() {
                result.departure = Departure::Stuck;
            }
            result
        }
        .boxed()
    }

    /// In order, but in no time: a kill would leave no report of those below.
    fn stop_at_once(self: Arc<Self>) -> BoxFuture<'static, StopResult> {
        if let Some(supervisor) = self.current.get() {
            supervisor.published().end_time().hasten();
        }
        self.stop(Shutdown::Within(AT_ONCE))
    }

    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            drop(self.making.lock().await);
            if let Some(supervisor) = self.current.get() {
                supervisor.has_ended().await;
            }
        }
        .boxed()
    }

    fn discard_recipe(&self) {
        self.make.discard();
        self.member.iter().for_each(Recipe::discard);
    }

    fn kill(&self) {
        if let Some(supervisor) = self.current.kill() {
            supervisor.kill();
        }
    }

    fn kind(&self) -> ChildKind {
        self.kind
    }

    fn member_recipe(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.member.as_ref()?.get()
    }

    fn supervisor(&self) -> Option<Arc<RunningSupervisor>> {
        self.current.get()
    }
}

type Booted = oneshot::Receiver<Result<(), StartError>>;

/// Spawns the actor, at once, so that a start that is given up leaves none behind.
///
/// It is not linked to the one above: ractor would hand its state to that one,
/// which cannot take it while it stops, and the state must go for its children to
/// be known to have ended. Who is killed kills those below itself.
fn spawn(
    spec: SupervisorSpec,
    request: &StartRequest,
) -> Result<(Arc<RunningSupervisor>, Booted), Exit> {
    let (sender, booted) = oneshot::channel();
    let arguments = SupervisorArguments::below(spec, sender, request);
    let running = Arc::clone(&arguments.running);
    let spawned = ActorRuntime::spawn_instant(None, SupervisorActor, arguments);
    let (actor, _task) = spawned.map_err(|error| Exit::init_failed(error.to_string()))?;
    running.set_actor(&actor);
    Ok((running, booted))
}

/// Waits until it is up, or its time is over, if it has a time of its own.
async fn started_within(timeout: Option<Duration>, booted: Booted) -> Result<(), Exit> {
    let booted = match timeout {
        None => booted.await,
        Some(timeout) => match tokio::time::timeout(timeout, booted).await {
            Ok(booted) => booted,
            Err(_late) => return Err(start_timed_out(timeout)),
        },
    };
    let booted = booted.unwrap_or(Err(StartError::Interrupted));
    booted.map_err(init_failed)
}

async fn stop(supervisor: &RunningSupervisor, shutdown: Shutdown) -> StopResult {
    if let Some(timeout) = shutdown.patience()
        && let Ok(Some(account)) = tokio::time::timeout(timeout, shut_down(supervisor)).await
    {
        return StopResult::new(Departure::Stopped, exit_of(&account.end)).with(account);
    }
    let account = Account::killed(supervisor.kill_and_wait().await.stopped);
    StopResult::new(Departure::Killed, Exit::Killed).with(Link::new(Arc::new(account)))
}

/// Stops it in order, and returns how it ended; none if it was killed by somebody else,
/// and waited for nobody.
async fn shut_down(supervisor: &RunningSupervisor) -> Option<Link<Account>> {
    supervisor.stop();
    supervisor.has_ended().await;
    supervisor.published().account()
}

/// What a supervisor's end is for the one above.
fn exit_of(end: &End) -> Exit {
    match end {
        End::Escalated { child, exit } => Exit::error(format!("its child {child:?} {exit}")),
        End::Finished { .. } | End::NeverStarted | End::ShutDown => Exit::Normal,
        End::Killed => Exit::Killed,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what a Result hands over"
)]
fn init_failed(error: StartError) -> Exit {
    Exit::init_failed(error.to_string())
}

impl StopResult {
    /// With what is below it; it is stuck where one of them is.
    fn with(mut self, below: Link<Account>) -> Self {
        if below.is_stuck() {
            self.departure = Departure::Stuck;
        }
        self.below = Some(below);
        self
    }
}

/// Enough for all that is below to be killed, at any depth, and to be found stuck.
const AT_ONCE: Duration = KILL_TIMEOUT.saturating_mul(3);
