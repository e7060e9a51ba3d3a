use std::error::Error;

use breakerbox_core::Exit;
use ractor::{Actor, ActorRef, SpawnErr, SupervisionEvent};

use super::super::catch;
use super::super::scope::{OpenScope, Turn};

/// One incarnation of a child: the user's actor and its state.
///
/// Its callbacks are the user's; an error or a panic there is an [`Exit`].
/// Dropping it drops the user's values, and catches their panics.
pub(crate) struct ActorIncarnation<A: Actor> {
    parts: Option<(A, A::State)>,
    scope: Option<OpenScope<A::Msg>>,
}

/// Why an incarnation did not come up.
#[derive(Debug)]
pub(crate) enum NotStarted {
    Failed(Exit),
    /// A name that it was to register is another actor's.
    NameTaken(Exit),
}

impl<A: Actor> ActorIncarnation<A> {
    /// Runs the actor's `pre_start`, which may link actors to `shell`.
    pub(crate) async fn start(
        actor: A,
        arguments: A::Arguments,
        scope: Option<OpenScope<A::Msg>>,
        shell: &ActorRef<A::Msg>,
    ) -> Result<Self, NotStarted> {
        let mut is_name_taken = false;
        let pre_start = async {
            let started = actor.pre_start(shell.clone(), arguments).await;
            started.inspect_err(|error| is_name_taken = is_of_a_taken_name(&**error))
        };
        match catch::hook(pre_start).await {
            Ok(state) => Ok(Self {
                parts: Some((actor, state)),
                scope,
            }),
            Err(exit) => {
                catch::drop_of(actor);
                let exit = as_failed_start(exit);
                Err(match is_name_taken {
                    true => NotStarted::NameTaken(exit),
                    false => NotStarted::Failed(exit),
                })
            }
        }
    }

    // Not `async fn`s: one more future around each cost 15 of the 715 ns that a
    // question takes.

    pub(crate) fn post_start(
        &mut self,
        shell: &ActorRef<A::Msg>,
    ) -> impl Future<Output = Result<(), Exit>> {
        let (actor, state) = self.parts();
        catch::hook(async move { actor.post_start(shell.clone(), state).await })
    }

    pub(crate) fn handle(
        &mut self,
        shell: &ActorRef<A::Msg>,
        message: A::Msg,
    ) -> impl Future<Output = Result<(), Exit>> {
        let (actor, state) = self.parts();
        catch::hook(async move { actor.handle(shell.clone(), message, state).await })
    }

    /// Runs what it has set going in its scope.
    pub(crate) async fn run_turn(
        &mut self,
        shell: &ActorRef<A::Msg>,
        turn: Turn<A::Msg>,
    ) -> Result<(), Exit> {
        match turn {
            Turn::Event(event) => self.handle_supervisor_evt(shell, event).await,
            Turn::Made(make) => self.handle_made(shell, make).await,
            Turn::Message(message) => self.handle(shell, message).await,
        }
    }

    fn handle_made(
        &mut self,
        shell: &ActorRef<A::Msg>,
        make: Box<dyn FnOnce() -> Option<A::Msg> + Send>,
    ) -> impl Future<Output = Result<(), Exit>> {
        let (actor, state) = self.parts();
        catch::hook(async move {
            match make() {
                None => Ok(()),
                Some(message) => actor.handle(shell.clone(), message, state).await,
            }
        })
    }

    pub(crate) fn handle_supervisor_evt(
        &mut self,
        shell: &ActorRef<A::Msg>,
        event: SupervisionEvent,
    ) -> impl Future<Output = Result<(), Exit>> {
        let (actor, state) = self.parts();
        let shell = shell.clone();
        catch::hook(async move { actor.handle_supervisor_evt(shell, event, state).await })
    }

    pub(crate) fn post_stop(
        &mut self,
        shell: &ActorRef<A::Msg>,
    ) -> impl Future<Output = Result<(), Exit>> {
        let (actor, state) = self.parts();
        catch::hook(async move { actor.post_stop(shell.clone(), state).await })
    }

    /// What it sets going, if it has a scope.
    pub(crate) const fn scope(&self) -> Option<&OpenScope<A::Msg>> {
        self.scope.as_ref()
    }

    fn parts(&mut self) -> (&A, &mut A::State) {
        let (actor, state) = self
            .parts
            .as_mut()
            .expect("only drop takes the actor and its state");
        (actor, state)
    }
}

impl<A: Actor> Drop for ActorIncarnation<A> {
    fn drop(&mut self) {
        drop(self.scope.take());
        if let Some((actor, state)) = self.parts.take() {
            catch::drop_of(state);
            catch::drop_of(actor);
        }
    }
}

fn as_failed_start(exit: Exit) -> Exit {
    match exit {
        Exit::Error(text) | Exit::Panicked(text) => Exit::InitFailed(text),
        other => other,
    }
}

/// Whether ractor refused a name, wherever in the error that is said.
fn is_of_a_taken_name(error: &(dyn Error + 'static)) -> bool {
    let refused = error.downcast_ref();
    matches!(refused, Some(SpawnErr::ActorAlreadyRegistered(_)))
        || error.source().is_some_and(is_of_a_taken_name)
}
