use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use breakerbox_core::{Exit, Incarnation};
use futures_util::FutureExt;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef};

/// One life of a child: the user's actor and its state.
///
/// Dropping it drops the user's values, and contains their panics.
pub(super) struct Living<A: Actor> {
    /// The actors that were linked to it when it began.
    family: Vec<ActorId>,
    incarnation: Incarnation,
    soul: Option<(A, A::State)>,
}

impl<A: Actor> Living<A> {
    /// Runs the actor's `pre_start`, which may link children to `shell`.
    pub(super) async fn begin(
        actor: A,
        arguments: A::Arguments,
        incarnation: Incarnation,
        shell: &ActorRef<A::Msg>,
    ) -> Result<Self, Exit> {
        let state = contained(async { actor.pre_start(shell.clone(), arguments).await })
            .await
            .map_err(|exit| match exit {
                Exit::Error(text) | Exit::Panicked(text) => Exit::InitFailed(text),
                other => other,
            })?;
        Ok(Self {
            family: Vec::new(),
            incarnation,
            soul: Some((actor, state)),
        })
    }

    pub(super) const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The user's actor and its state.
    pub(super) fn soul(&mut self) -> (&A, &mut A::State) {
        let (actor, state) = self
            .soul
            .as_mut()
            .expect("only drop takes the actor and its state");
        (actor, state)
    }

    /// Takes note of who is linked to it through `shell`.
    pub(super) fn meet_family(&mut self, shell: &ActorCell) {
        let linked = shell.get_children();
        self.family.extend(linked.iter().map(ActorCell::get_id));
    }

    pub(super) fn is_family(&self, actor: ActorId) -> bool {
        self.family.contains(&actor)
    }
}

impl<A: Actor> Drop for Living<A> {
    fn drop(&mut self) {
        if let Some((actor, state)) = self.soul.take() {
            drop_contained(state);
            drop_contained(actor);
        }
    }
}

/// Runs a hook of the user's actor; an error or a panic becomes an exit.
pub(super) async fn contained<T>(
    hook: impl Future<Output = Result<T, ActorProcessingErr>>,
) -> Result<T, Exit> {
    let told = async { hook.await.map_err(|error| error.to_string()) };
    match AssertUnwindSafe(told).catch_unwind().await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Exit::Error(error)),
        Err(panic) => Err(Exit::Panicked(text_of(panic))),
    }
}

/// Calls the user's code; a panic becomes its text.
pub(super) fn contained_call<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(text_of)
}

fn drop_contained<T>(value: T) {
    if let Err(panic) = contained_call(|| drop(value)) {
        tracing::warn!(panic, "dropping a child's state panicked");
    }
}

fn text_of(panic: Box<dyn Any + Send>) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            // What was thrown may throw again when it is dropped.
            std::mem::forget(other);
            "a panic without a text".to_owned()
        }
    }
}
