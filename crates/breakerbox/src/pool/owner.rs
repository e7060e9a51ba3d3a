//! The actor that owns a pool's roster.
//!
//! It hears of what changes: endpoints that come and go, breakers, health
//! checks, deadlines. It never takes part in a call. What it knows is in the
//! shared roster, so a crash loses nothing; a new incarnation begins by looking
//! at everything.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::{Check, Duty, EndpointId, EndpointSpec, PoolConfig};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::shared::{Joins, Shared};
use super::slot::Slot;
use crate::abort_on_drop::AbortOnDrop;
use crate::{Event, Events};

/// What a pool's owner understands.
pub(super) enum PoolMessage<T> {
    /// This endpoint has this tier and weight from now on.
    Adjust(EndpointId, EndpointSpec, RpcReplyPort<()>),
    /// This endpoint belongs to it from now on.
    Admit(Box<Slot<T>>, EndpointSpec, Joins, RpcReplyPort<EndpointId>),
    /// The operator wants this of an endpoint.
    Assign(EndpointId, Duty, RpcReplyPort<()>),
    /// The state of this breaker may have changed.
    BreakerChanged(Arc<str>),
    /// A check of an endpoint ended; when is the next one?
    Checked(EndpointId, Check, RpcReplyPort<Option<Duration>>),
    /// Something is due.
    Deadline,
    /// This endpoint no longer belongs to it.
    Forget(EndpointId, RpcReplyPort<()>),
    /// The state of any breaker may have changed.
    LookAtBreakers,
    /// It goes by this configuration from now on.
    Reconfigure(Box<PoolConfig>, RpcReplyPort<()>),
}

// Never sent to another node, but with this feature ractor asks for it.
#[cfg(feature = "cluster")]
impl<T: Send + Sync + 'static> ractor::Message for PoolMessage<T> {}

/// The behaviour of a pool's actor.
pub(super) struct Owner<T>(PhantomData<fn(T)>);

impl<T> Owner<T> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// What an owner has in its hands while it lives.
pub(super) struct Watch<T> {
    _breakers: AbortOnDrop,
    shared: Arc<Shared<T>>,
    timer: Option<(Instant, AbortOnDrop)>,
}

/// What an owner begins with: the pool, and the events of the box's breakers.
pub(super) type Begin<T> = (Arc<Shared<T>>, Events);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<T: Send + Sync + 'static> Actor for Owner<T> {
    type Msg = PoolMessage<T>;
    type State = Watch<T>;
    type Arguments = Begin<T>;

    async fn pre_start(
        &self,
        myself: ActorRef<PoolMessage<T>>,
        (shared, events): Begin<T>,
    ) -> Result<Watch<T>, ActorProcessingErr> {
        shared.set_actor(myself.clone());
        shared.look_at_breakers();
        let forward = forward(events, Arc::clone(&shared.name), myself.clone());
        let mut watch = Watch {
            _breakers: AbortOnDrop::spawn(forward),
            shared,
            timer: None,
        };
        watch.set_timer(&myself);
        Ok(watch)
    }

    async fn handle(
        &self,
        myself: ActorRef<PoolMessage<T>>,
        message: PoolMessage<T>,
        watch: &mut Watch<T>,
    ) -> Result<(), ActorProcessingErr> {
        watch.obey(message);
        watch.set_timer(&myself);
        Ok(())
    }
}

impl<T: Send + Sync + 'static> Watch<T> {
    fn obey(&self, message: PoolMessage<T>) {
        let shared = &self.shared;
        match message {
            PoolMessage::Adjust(id, spec, reply) => {
                shared.adjust(id, spec);
                answer(reply, ());
            }
            PoolMessage::Admit(slot, spec, joins, reply) => {
                answer(reply, shared.admit(*slot, spec, joins));
            }
            PoolMessage::Assign(id, duty, reply) => {
                shared.assign(id, duty);
                answer(reply, ());
            }
            PoolMessage::BreakerChanged(breaker) => shared.breaker_changed(&breaker),
            PoolMessage::Checked(id, check, reply) => answer(reply, shared.checked(id, check)),
            PoolMessage::Deadline => shared.handle_deadline(),
            PoolMessage::Forget(id, reply) => {
                shared.forget(id);
                answer(reply, ());
            }
            PoolMessage::LookAtBreakers => shared.look_at_breakers(),
            PoolMessage::Reconfigure(config, reply) => {
                shared.reconfigure(*config);
                answer(reply, ());
            }
        }
    }

    /// Sees to it that the next deadline is met without traffic.
    fn set_timer(&mut self, myself: &ActorRef<PoolMessage<T>>) {
        let due = self.shared.next_deadline();
        if self.timer.as_ref().map(|(at, _)| *at) == due {
            return;
        }
        self.timer = due.map(|due| {
            let myself = myself.clone();
            let wait = async move {
                tokio::time::sleep_until(due.into()).await;
                // An owner that is gone needs no reminder.
                let _gone = myself.cast(PoolMessage::Deadline);
            };
            (due, AbortOnDrop::spawn(wait))
        });
    }
}

/// Tells the owner of each breaker of the pool to which something happens.
async fn forward<T: Send + Sync + 'static>(
    mut events: Events,
    pool: Arc<str>,
    owner: ActorRef<PoolMessage<T>>,
) {
    while let Some(event) = events.next().await {
        let message = match event {
            Event::Missed { .. } => PoolMessage::LookAtBreakers,
            Event::Changed { breaker, .. }
            | Event::Orphaned { breaker, .. }
            | Event::Overridden { breaker, .. }
                if is_of(&pool, &breaker) =>
            {
                PoolMessage::BreakerChanged(breaker)
            }
            _ => continue,
        };
        if owner.cast(message).is_err() {
            return;
        }
    }
}

fn is_of(pool: &str, breaker: &str) -> bool {
    let rest = breaker.strip_prefix(pool);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Replies to whoever asked, who may have stopped waiting.
fn answer<R: Send + 'static>(reply: RpcReplyPort<R>, value: R) {
    let _nobody_waits = reply.send(value);
}
