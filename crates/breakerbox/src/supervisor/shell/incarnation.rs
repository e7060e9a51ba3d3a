use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorRef, SupervisionEvent};

use super::super::catch;

/// One incarnation of a child: the user's actor and its state.
///
/// Its callbacks are the user's; an error or a panic there is an [`Exit`].
/// Dropping it drops the user's values, and catches their panics.
pub(crate) struct ActorIncarnation<A: Actor> {
    number: Incarnation,
    parts: Option<(A, A::State)>,
}

impl<A: Actor> ActorIncarnation<A> {
    /// Runs the actor's `pre_start`, which may link actors to `shell`.
    pub(crate) async fn start(
        actor: A,
        arguments: A::Arguments,
        number: Incarnation,
        shell: &ActorRef<A::Msg>,
    ) -> Result<Self, Exit> {
        let state = catch::hook(async { actor.pre_start(shell.clone(), arguments).await })
            .await
            .map_err(|exit| match exit {
                Exit::Error(text) | Exit::Panicked(text) => Exit::InitFailed(text),
                other => other,
            })?;
        Ok(Self {
            number,
            parts: Some((actor, state)),
        })
    }

    pub(crate) const fn number(&self) -> Incarnation {
        self.number
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
        if let Some((actor, state)) = self.parts.take() {
            catch::drop_of(state);
            catch::drop_of(actor);
        }
    }
}
