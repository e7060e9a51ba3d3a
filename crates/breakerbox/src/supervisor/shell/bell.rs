use std::sync::Mutex;

use ractor::SupervisionEvent;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, ActorStatus};

use crate::lock;

/// What wakes a shell that waits for messages.
///
/// Nobody but its user can make a message for a shell. What ractor lets every actor
/// do is to tell the one that it is linked to of itself. So there is an actor without
/// a purpose of its own, which is linked to a shell for the time of one event. It is
/// made when it is first needed, for all shells of a supervisor.
#[derive(Default)]
pub(crate) struct Bell {
    actor: Mutex<Option<ActorCell>>,
}

impl Bell {
    /// Rings for what a shell has been ordered; false if it drains or stops.
    pub(crate) fn wake(&self, shell: &ActorCell) -> bool {
        self.ring(shell, SupervisionEvent::ActorStarted)
    }

    /// Sends the event after which none is left of what was linked to the shell before.
    ///
    /// False if the shell drains or stops. Then nothing is linked to it any more.
    pub(crate) fn mark(&self, shell: &ActorCell) -> bool {
        self.ring(shell, |bell| {
            SupervisionEvent::ActorTerminated(bell, None, None)
        })
    }

    fn ring(&self, shell: &ActorCell, event: impl FnOnce(ActorCell) -> SupervisionEvent) -> bool {
        lock::with(&self.actor, |actor| {
            let Some(bell) = running(actor) else {
                return false;
            };
            bell.link(shell.clone());
            let is_linked = bell.try_get_supervisor().is_some_and(|it| it == *shell);
            if is_linked {
                bell.notify_supervisor(event(bell.clone()));
                bell.unlink(shell.clone());
            }
            is_linked
        })
    }

    /// Returns whether this is the actor of a bell.
    pub(crate) fn is(actor: &ActorCell) -> bool {
        actor.is_message_type_of::<Ring>() == Some(true)
    }
}

/// The actor, which is made anew if it was linked to a shell just when that was killed.
fn running(actor: &mut Option<ActorCell>) -> Option<ActorCell> {
    if let Some(bell) = actor
        && bell.get_status() < ActorStatus::Draining
    {
        return Some(bell.clone());
    }
    let (bell, _task) = ActorRuntime::spawn_instant(None, Clapper, ()).ok()?;
    *actor = Some(bell.get_cell());
    actor.clone()
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(bell) = lock::with(&self.actor, Option::take) {
            bell.stop(None);
        }
    }
}

struct Clapper;

/// What a bell would take, by which its events are known.
struct Ring;

#[cfg(feature = "cluster")]
impl ractor::Message for Ring {}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Clapper {
    type Msg = Ring;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ring>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// What a supervision event is to a shell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// The shell has been ordered something.
    Bell,
    /// Nothing follows of what was linked before.
    Mark,
    /// Something that its incarnation set going.
    User,
}

impl Origin {
    pub(crate) fn of(event: &SupervisionEvent) -> Self {
        match event {
            SupervisionEvent::ActorStarted(actor) if Bell::is(actor) => Self::Bell,
            SupervisionEvent::ActorTerminated(actor, ..) if Bell::is(actor) => Self::Mark,
            _ => Self::User,
        }
    }
}
