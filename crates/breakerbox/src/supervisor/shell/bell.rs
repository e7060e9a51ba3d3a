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
    /// It may come twice, and is known by its number.
    ///
    /// False if the shell drains or stops. Then nothing is linked to it any more.
    pub(crate) fn mark(&self, shell: &ActorCell, number: u64) -> bool {
        self.ring(shell, |bell| {
            SupervisionEvent::ActorTerminated(bell, None, Some(number.to_string()))
        })
    }

    fn ring(&self, shell: &ActorCell, event: impl Fn(ActorCell) -> SupervisionEvent) -> bool {
        lock::with(&self.actor, |actor| {
            let is_rung = |bell: &ActorCell| rings(bell, shell, &event);
            let Some(bell) = running(actor) else {
                return false;
            };
            // If it has ended just now, a new one is linked to nobody who is killed.
            is_rung(&bell) || (!is_running(&bell) && running(actor).is_some_and(|it| is_rung(&it)))
        })
    }

    /// Returns whether this is the actor of a bell.
    pub(crate) fn is(actor: &ActorCell) -> bool {
        actor.is_message_type_of::<Ring>() == Some(true)
    }
}

/// Links a bell to a shell for one event, and returns whether it was sent for certain.
fn rings(
    bell: &ActorCell,
    shell: &ActorCell,
    event: impl Fn(ActorCell) -> SupervisionEvent,
) -> bool {
    bell.link(shell.clone());
    bell.notify_supervisor(event(bell.clone()));
    // Asked afterwards: others only unlink it, so then it was linked all the time.
    let was_linked = bell.try_get_supervisor().is_some_and(|it| it == *shell);
    bell.unlink(shell.clone());
    was_linked
}

/// The actor, which is made anew if it was linked to a shell just when that was killed.
fn running(actor: &mut Option<ActorCell>) -> Option<ActorCell> {
    if let Some(bell) = actor
        && is_running(bell)
    {
        return Some(bell.clone());
    }
    let (bell, _task) = ActorRuntime::spawn_instant(None, Clapper, ()).ok()?;
    *actor = Some(bell.get_cell());
    actor.clone()
}

fn is_running(bell: &ActorCell) -> bool {
    bell.get_status() < ActorStatus::Draining
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
    /// Nothing follows of what was linked before the mark with this number.
    Mark(u64),
    /// Something that its incarnation set going.
    User,
}

impl Origin {
    pub(crate) fn of(event: &SupervisionEvent) -> Self {
        match event {
            SupervisionEvent::ActorStarted(actor) if Bell::is(actor) => Self::Bell,
            SupervisionEvent::ActorTerminated(actor, _, number) if Bell::is(actor) => {
                // Otherwise it was killed, and is not rung any more.
                let number = number.as_deref().and_then(|it| it.parse().ok());
                number.map_or(Self::Bell, Self::Mark)
            }
            _ => Self::User,
        }
    }
}

#[cfg(test)]
mod tests;
