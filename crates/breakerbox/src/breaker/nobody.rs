use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime};

use super::BreakerMessage;

/// Who is there for a breaker that has lost its owner: an actor that never starts.
///
/// The address of the last owner is not kept. A message that was sent as that ended may
/// lie in its mailbox for as long as there is an address, and a verdict in it holds the
/// breaker.
struct Nobody;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Nobody {
    type Msg = BreakerMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<BreakerMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Err("the breaker has lost its owner for good".into())
    }
}

/// An address that nobody answers at; to be made in the context of a runtime, which
/// may have ended.
pub(crate) fn address() -> ActorRef<BreakerMessage> {
    let spawned = ActorRuntime::<Nobody>::spawn_instant(None, Nobody, ());
    let (address, _start) = spawned.expect("an actor without a name is spawned");
    address.kill();
    address
}
