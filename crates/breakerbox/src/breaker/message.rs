use breakerbox_core::{BreakerConfig, ConfigError, Outcome, Override};
use ractor::RpcReplyPort;

use super::{OwnedPermit, Snapshot};
use crate::Rejected;

/// A message that a breaker's actor understands.
///
/// [`Breaker`](super::Breaker) is the comfortable way to say all this; the
/// messages are for actors that would rather talk to an actor.
#[derive(Debug)]
#[non_exhaustive]
pub enum BreakerMessage {
    /// Asks for leave to make one call.
    ///
    /// Nobody can tell whether a permit has reached the caller that asked. So a
    /// permit that came by message judges nothing when it is dropped as it came,
    /// whatever [`BreakerConfig::abandoned`] says; where it matters that a call was
    /// given up, use
    /// [`Breaker::try_acquire_owned`](super::Breaker::try_acquire_owned).
    Acquire(RpcReplyPort<Result<OwnedPermit, Rejected>>),
    /// Makes the actor report news, look at the clock, and put open questions to a
    /// custom trip policy.
    ///
    /// The message is harmless at any time, and may be lost or repeated: what there
    /// is to do is kept elsewhere.
    Decide,
    /// Asks for a snapshot.
    Inspect(RpcReplyPort<Snapshot>),
    /// Puts this override in force, or ends the one in force.
    Override(Option<Override>, RpcReplyPort<()>),
    /// Changes the configuration to this one.
    Reconfigure(Box<BreakerConfig>, RpcReplyPort<Result<(), ConfigError>>),
    /// Takes the breaker back to Closed and makes it forget.
    Reset(RpcReplyPort<()>),
    /// Settles a call that ended like this.
    ///
    /// The outcome is recorded when the message is handled or dropped, whichever is
    /// first, so it counts even if the actor is killed meanwhile. A message that is
    /// sent at the very instant at which the actor ends may lie in its mailbox until
    /// the last copy of its address is dropped.
    Settle(OwnedPermit, Outcome),
}

impl Drop for BreakerMessage {
    fn drop(&mut self) {
        if let Self::Settle(permit, outcome) = self {
            permit.record(*outcome);
        }
    }
}

// The message is never sent to another node, but with this feature ractor asks for it.
#[cfg(feature = "cluster")]
impl ractor::Message for BreakerMessage {}
