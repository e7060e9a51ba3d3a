use breakerbox_core::{BreakerConfig, ConfigError, Outcome, Override};
use ractor::RpcReplyPort;

use super::{OwnedPermit, Snapshot};
use crate::Rejected;

/// What a breaker's actor understands.
///
/// [`Breaker`](super::Breaker) is the comfortable way to say all this; the
/// messages are for actors that would rather talk to an actor.
#[derive(Debug)]
#[non_exhaustive]
pub enum BreakerMessage {
    /// May I make one call?
    ///
    /// Nobody can tell whether a permit has reached who asked. So one that came by
    /// message judges nothing when it is dropped as it came, whatever
    /// [`BreakerConfig::abandoned`] says; where it matters that a call was given up,
    /// use [`Breaker::try_acquire_owned`](super::Breaker::try_acquire_owned).
    Acquire(RpcReplyPort<Result<OwnedPermit, Rejected>>),
    /// Tell the news, look at the clock, and ask a custom trip policy what is open.
    ///
    /// Harmless at any time, lost or repeated: what there is to do is elsewhere.
    Decide,
    /// Tell me all about you.
    Inspect(RpcReplyPort<Snapshot>),
    /// From now on this override is in force, or none.
    Override(Option<Override>, RpcReplyPort<()>),
    /// From now on this is your configuration.
    Reconfigure(Box<BreakerConfig>, RpcReplyPort<Result<(), ConfigError>>),
    /// Go back to Closed and forget.
    Reset(RpcReplyPort<()>),
    /// The call ended like this.
    ///
    /// It is recorded when the message is handled or dropped, whichever is first, so
    /// it counts also if the actor is killed meanwhile. One that is sent in the very
    /// instant in which the actor ends may lie in its mailbox until the last copy of
    /// that address is dropped.
    Settle(OwnedPermit, Outcome),
}

impl Drop for BreakerMessage {
    fn drop(&mut self) {
        if let Self::Settle(permit, outcome) = self {
            permit.record(*outcome);
        }
    }
}

// Never sent to another node, but with this feature ractor asks for it.
#[cfg(feature = "cluster")]
impl ractor::Message for BreakerMessage {}
