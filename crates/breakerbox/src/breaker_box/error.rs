use std::error::Error;
use std::fmt;
use std::sync::Arc;

use breakerbox_core::ConfigError;

/// The reason why a box does not give out a breaker.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BreakerError {
    /// The configuration contradicts itself.
    Config(ConfigError),
    /// There is a breaker of this name that was made with another configuration.
    Conflict(Arc<str>),
    /// The box holds this many breakers already, which is its maximum.
    Full(usize),
    /// The breaker's owner was stopped or removed by the box's supervisor while the
    /// breaker was being made; nothing is left of it.
    Interrupted(Arc<str>),
    /// The box has ended.
    Stopped,
    /// A child of the box's supervisor that is not a breaker has this name.
    Taken(Arc<str>),
    /// This thread drives the runtime that the box lives on, and must not block.
    WouldBlock,
}

impl Error for BreakerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Conflict(_)
            | Self::Full(_)
            | Self::Interrupted(_)
            | Self::Stopped
            | Self::Taken(_)
            | Self::WouldBlock => None,
        }
    }
}

impl fmt::Display for BreakerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(_) => f.write_str("the breaker's configuration contradicts itself"),
            Self::Conflict(name) => write!(
                f,
                "there is a breaker {name:?} with another configuration: \
                 use `reconfigure` to change it, or another name"
            ),
            Self::Full(maximum) => write!(
                f,
                "the box holds {maximum} breakers, its maximum, and each of them is in use \
                 or has verdicts to remember"
            ),
            Self::Interrupted(name) => write!(
                f,
                "the owner of the breaker {name:?} was stopped while it was made: ask again"
            ),
            Self::Stopped => f.write_str("the box has ended"),
            Self::Taken(name) => write!(
                f,
                "the box's supervisor has a child {name:?} that is no breaker"
            ),
            Self::WouldBlock => f.write_str(
                "this thread drives the runtime that the box lives on, and would wait for \
                 itself: await `breaker` here",
            ),
        }
    }
}
