use breakerbox_core::{Exit, Incarnation};
use ractor::{Actor, ActorCell, ActorId, ActorRef};

use super::super::catch;

/// One incarnation of a child: the user's actor and its state.
///
/// Dropping it drops the user's values, and catches their panics.
pub(crate) struct ActorIncarnation<A: Actor> {
    /// The actors that were linked to it when it had started.
    linked: Vec<ActorId>,
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
            linked: Vec::new(),
            number,
            parts: Some((actor, state)),
        })
    }

    pub(crate) const fn number(&self) -> Incarnation {
        self.number
    }

    /// The user's actor and its state.
    pub(crate) fn parts(&mut self) -> (&A, &mut A::State) {
        let (actor, state) = self
            .parts
            .as_mut()
            .expect("only drop takes the actor and its state");
        (actor, state)
    }

    /// Notes which actors are linked to it through `shell`.
    pub(crate) fn record_linked(&mut self, shell: &ActorCell) {
        let linked = shell.get_children();
        self.linked.extend(linked.iter().map(ActorCell::get_id));
    }

    pub(crate) fn has_linked(&self, actor: ActorId) -> bool {
        self.linked.contains(&actor)
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
