use std::error::Error;
use std::fmt;
use std::time::Duration;

use breakerbox_core::ConfigError;

use crate::Rejected;

/// A guarded call gave no value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// It was made and returned this error.
    Failed(E),
    /// It was not made.
    Rejected(Rejected),
    /// It was made and given up after this time.
    TimedOut(Duration),
}

impl<E> CallError<E> {
    /// The call's own error, if it was made.
    #[must_use]
    pub fn into_failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Rejected(_) | Self::TimedOut(_) => None,
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Rejected(rejected) => Some(rejected),
            Self::TimedOut(_) => None,
        }
    }
}

impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_) => f.write_str("the call failed"),
            Self::Rejected(_) => f.write_str("the call was not made"),
            Self::TimedOut(limit) => write!(f, "the call took longer than {limit:?}"),
        }
    }
}

impl<E> From<Rejected> for CallError<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

/// A breaker did not do as it was told.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CommandError {
    /// The configuration contradicts itself.
    Config(ConfigError),
    /// The breaker has no owner any more: its box has ended, it was removed, or
    /// its owner kept crashing.
    Stopped,
    /// The breaker's owner has not carried it out within a second: most likely a trip
    /// policy keeps it busy.
    ///
    /// It is carried out when the owner comes back, unless a later command of its kind
    /// has replaced it.
    Stuck,
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Stopped | Self::Stuck => None,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config(_) => "the breaker's configuration contradicts itself",
            Self::Stopped => "the breaker has no owner any more",
            Self::Stuck => "the breaker's owner is stuck, and does it when it comes back",
        })
    }
}
