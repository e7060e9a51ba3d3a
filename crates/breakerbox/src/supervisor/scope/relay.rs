use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, Message};
use ractor::{OutputMessage, OutputPort};

use super::shared::{Shared, Turn};

/// The actor that stands between an output port and a scope.
///
/// A port knows its subscribers by their addresses, and drops a subscription when the
/// actor has ended. This one ends with the scope, or with the port.
struct Relay<T, M, F> {
    /// Kept by the scope, so that it is dropped when the scope ends.
    convert: Weak<F>,
    scope: Weak<Shared<M>>,
    subscription: u64,
    values: PhantomData<fn(T)>,
}

/// Spawns a relay and subscribes it to the port; a runtime must have been entered.
pub(super) fn subscribe<T: OutputMessage, M: Message, F>(
    scope: &Arc<Shared<M>>,
    subscription: u64,
    port: &OutputPort<T>,
    convert: &Arc<F>,
) -> Option<ActorCell>
where
    F: Fn(T) -> Option<M> + Send + Sync + 'static,
{
    let relay = Relay {
        convert: Arc::downgrade(convert),
        scope: Arc::downgrade(scope),
        subscription,
        values: PhantomData,
    };
    let (relay, _task) = ActorRuntime::spawn_instant(None, relay, ()).ok()?;
    let cell = relay.get_cell();
    let end = EndOfPort(cell.clone());
    port.subscribe(relay, move |value| {
        let _until_it_is_dropped = &end;
        Some(value)
    });
    Some(cell)
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<T: OutputMessage, M: Message, F> Actor for Relay<T, M, F>
where
    F: Fn(T) -> Option<M> + Send + Sync + 'static,
{
    type Msg = T;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<T>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<T>,
        value: T,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let (Some(convert), Some(scope)) = (self.convert.upgrade(), self.scope.upgrade()) {
            let make = move || convert(value);
            let _has_ended = scope.send(Turn::Made(Box::new(make)));
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<T>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        if let Some(scope) = self.scope.upgrade() {
            scope.unsubscribe(self.subscription);
        }
        Ok(())
    }
}

/// Ends a relay when the port drops what it holds of it, once it has passed on the rest.
struct EndOfPort(ActorCell);

impl Drop for EndOfPort {
    fn drop(&mut self) {
        let _has_ended = self.0.drain();
    }
}
