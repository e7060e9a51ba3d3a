use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime};

use super::BreakerMessage;

/// The stand-in for the owner that a breaker has lost: an actor that never starts.
///
/// The address of the last owner is not kept. A message that was sent as that owner
/// ended may lie in its mailbox for as long as there is an address, and a verdict in
/// the message holds the breaker.
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

/// Makes an address at which nobody answers; needs the context of a runtime, which
/// may have ended.
pub(crate) fn address() -> ActorRef<BreakerMessage> {
    let spawned = ActorRuntime::<Nobody>::spawn_instant(None, Nobody, ());
    let (address, _start) = spawned.expect("an actor without a name can be spawned");
    address.kill();
    address
}
