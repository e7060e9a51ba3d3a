use std::sync::Arc;

use breakerbox_core::Exit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorId, SpawnErr};

use super::recipe::Recipe;
use super::runnable::{Runnable, StartRequest, StopResult};
use super::shell::{CurrentShell, FirstIncarnation, Shell, Slot, StartFailed, start_timed_out};
use super::{ChildKind, Departure, Shutdown, catch};

/// A child that is a ractor actor, made anew for each incarnation.
pub(super) struct ActorChild<A: Actor, F> {
    current: Arc<CurrentShell<A>>,
    make: Recipe<F>,
}

impl<A, F> ActorChild<A, F>
where
    A: Actor,
    F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
{
    pub(super) fn new(make: F) -> Self {
        Self {
            current: Arc::new(CurrentShell::none()),
            make: Recipe::new(Arc::new(make)),
        }
    }

    /// Starts an incarnation: in the current shell, or in a new one if that ended.
    async fn start_incarnation(&self, request: StartRequest) -> Result<(), Exit> {
        let (running, ended) = match self.current.get() {
            Some(shell) if shell.can_restart() => (Some(shell), None),
            ended => (None, ended),
        };
        if let Some(shell) = ended {
            request.after(shell.wait_ended()).await?;
        }
        let make = self.make.get().ok_or(Exit::Killed)?;
        let (actor, arguments) = catch::call(|| make()).map_err(Exit::init_failed)?;
        match running {
            Some(shell) => shell.restart(actor, arguments, request).await,
            None => self.spawn_shell(actor, arguments, request).await,
        }
    }

    /// Spawns a shell, which starts the incarnation.
    async fn spawn_shell(
        &self,
        actor: A,
        arguments: A::Arguments,
        request: StartRequest,
    ) -> Result<(), Exit> {
        let first = FirstIncarnation {
            actor,
            arguments,
            incarnation: request.incarnation,
        };
        let supervisor = request.notifier.supervisor();
        let shell = Shell {
            current: Arc::clone(&self.current),
            notifier: request.notifier,
            slot: Arc::new(Slot::new()),
            stop_timeout: request.stop_timeout,
        };
        // Unnamed: ractor's names are global to the process.
        let spawned = Actor::spawn_linked(None, shell, first, supervisor);
        match catch::within(request.start_timeout, spawned).await {
            Some(Ok(_shell)) => Ok(()),
            Some(Err(error)) => Err(exit_of(error)),
            None => Err(start_timed_out(request.start_timeout)),
        }
    }
}

impl<A, F> Runnable for ActorChild<A, F>
where
    A: Actor,
    F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn start(self: Arc<Self>, request: StartRequest) -> BoxFuture<'static, Result<(), Exit>> {
        async move { self.start_incarnation(request).await }.boxed()
    }

    fn end_incarnation(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, Exit> {
        async move {
            match self.current.get() {
                Some(shell) if shell.can_restart() => shell.end_incarnation(shutdown).await,
                Some(shell) => shell.stop(shutdown).await.exit,
                None => Exit::Normal,
            }
        }
        .boxed()
    }

    fn stop(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, StopResult> {
        async move {
            match self.current.get() {
                None => StopResult::new(Departure::Stopped, Exit::Normal),
                Some(shell) => shell.stop(shutdown).await,
            }
        }
        .boxed()
    }

    fn abandon(&self) {
        if let Some(shell) = self.current.get() {
            shell.kill();
        }
    }

    fn gone(self: Arc<Self>) -> BoxFuture<'static, ()> {
        async move {
            let Some(shell) = self.current.get() else {
                return;
            };
            // What is dropped with it is the user's, so that has a task of its own.
            let ended = tokio::spawn(async move { shell.wait_ended().await });
            // An error means that the runtime ends.
            let _ended = ended.await;
        }
        .boxed()
    }

    fn discard_recipe(&self) {
        self.make.discard();
    }

    /// ractor kills the shells that are linked to a supervisor's actor, but
    /// spares those that drain.
    fn kill(&self) {
        self.abandon();
    }

    fn kind(&self) -> ChildKind {
        ChildKind::Actor
    }

    fn shell(&self) -> Option<ActorCell> {
        self.current.get().map(|shell| shell.cell())
    }

    fn shell_exit(&self, shell: ActorId) -> Option<Exit> {
        let current = self.current.get()?;
        (current.cell().get_id() == shell).then(|| current.exit())
    }
}

fn exit_of(error: SpawnErr) -> Exit {
    match error {
        SpawnErr::StartupFailed(error) => match error.downcast::<StartFailed>() {
            Ok(failed) => failed.0,
            Err(other) => Exit::init_failed(other.to_string()),
        },
        other => Exit::init_failed(other.to_string()),
    }
}
