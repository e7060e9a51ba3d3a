#[cfg(feature = "monitors")]
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Weak;

#[cfg(feature = "monitors")]
use ractor::ActorId;
use ractor::pg;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};

use super::shared::{Shared, Turn};

/// What a scope monitors, and the actor that receives the events for it.
///
/// The events of a monitor of the shell itself could not be told from those of a former
/// incarnation. Dropping it ends all of its monitors.
pub(super) struct Listening {
    #[cfg(feature = "monitors")]
    actors: HashMap<ActorId, ActorCell>,
    groups: HashSet<String>,
    listener: ActorCell,
}

impl Listening {
    /// Spawns the actor that listens for a scope; a runtime must have been entered.
    pub(super) fn begin<M: ractor::Message>(scope: Weak<Shared<M>>) -> Option<Self> {
        let (listener, _task) = ActorRuntime::spawn_instant(None, Listener { scope }, ()).ok()?;
        Some(Self {
            #[cfg(feature = "monitors")]
            actors: HashMap::new(),
            groups: HashSet::new(),
            listener: listener.get_cell(),
        })
    }

    pub(super) fn monitor_group(&mut self, group: String) {
        if self.groups.insert(group.clone()) {
            pg::monitor(group, self.listener.clone());
        }
    }

    pub(super) fn demonitor_group(&mut self, group: &str) {
        if self.groups.remove(group) {
            pg::demonitor(group.to_owned(), self.listener.get_id());
        }
    }

    #[cfg(feature = "monitors")]
    pub(super) fn monitor(&mut self, actor: &ActorCell) {
        self.actors.insert(actor.get_id(), actor.clone());
        self.listener.monitor(actor.clone());
    }

    #[cfg(feature = "monitors")]
    pub(super) fn unmonitor(&mut self, actor: &ActorCell) {
        self.actors.remove(&actor.get_id());
        self.listener.unmonitor(actor.clone());
    }

    /// Forgets an actor that has ended.
    #[cfg(feature = "monitors")]
    pub(super) fn forget(&mut self, event: &SupervisionEvent) {
        if let SupervisionEvent::ActorFailed(actor, _)
        | SupervisionEvent::ActorTerminated(actor, ..) = event
        {
            self.actors.remove(&actor.get_id());
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        #[cfg(feature = "monitors")]
        for (_, actor) in self.actors.drain() {
            self.listener.unmonitor(actor);
        }
        // ractor then ends its monitors of groups itself.
        self.listener.stop(None);
    }
}

/// The actor that passes events on to a scope.
struct Listener<M> {
    scope: Weak<Shared<M>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: ractor::Message> Actor for Listener<M> {
    type Msg = NoMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<NoMessage>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<NoMessage>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let Some(scope) = self.scope.upgrade() {
            #[cfg(feature = "monitors")]
            scope.forget_monitored(&event);
            let _has_ended = scope.send(Turn::Event(event));
        }
        Ok(())
    }
}

struct NoMessage;

#[cfg(feature = "cluster")]
impl ractor::Message for NoMessage {}
