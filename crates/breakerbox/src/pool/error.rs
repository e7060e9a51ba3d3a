use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::ConfigError;

use crate::supervisor::NotAdded;
use crate::{BreakerError, clock};

/// A call to a pool gave no value.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PoolError<E> {
    /// The last attempt returned this error.
    Failed(E),
    /// No endpoint may be used now, and none was asked.
    Rejected(Unavailable),
    /// The last attempt was given up after this time.
    TimedOut(Duration),
}

impl<E> PoolError<E> {
    /// The error of the last attempt, if that returned one.
    #[must_use]
    pub fn into_failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Rejected(_) | Self::TimedOut(_) => None,
        }
    }
}

impl<E: Error + 'static> Error for PoolError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Rejected(unavailable) => Some(unavailable),
            Self::TimedOut(_) => None,
        }
    }
}

impl<E> fmt::Display for PoolError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_) => f.write_str("the call failed at the last endpoint it was sent to"),
            Self::Rejected(_) => f.write_str("the call was not made"),
            Self::TimedOut(limit) => write!(f, "the last endpoint took longer than {limit:?}"),
        }
    }
}

/// No endpoint of a pool may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unavailable {
    pub(super) pool: Arc<str>,
    pub(super) retry_at: Option<Instant>,
}

impl Unavailable {
    /// The pool's name.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// How long until the first endpoint is worth another try, from now; None
    /// where nobody knows.
    ///
    /// It is at least a nanosecond.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        Some(breakerbox_core::retry_after(self.retry_at?, clock::now()))
    }
}

impl Error for Unavailable {}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no endpoint of the pool {:?} may be used", self.pool)
    }
}

/// A pool was not made, or an endpoint not added to it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PoolStartError {
    /// An endpoint's breaker cannot be made.
    Breaker(BreakerError),
    /// The configuration contradicts itself.
    Config(ConfigError),
    /// The pool has an endpoint of this name.
    Duplicate(Arc<str>),
    /// The update has no endpoint, which is more likely a mistake than a wish.
    Empty,
    /// A child of the pool was stopped or removed meanwhile, by the box's supervisor or
    /// because the pool was closed; nothing is left of what was asked for.
    Interrupted(Arc<str>),
    /// The box has ended.
    Stopped,
    /// The box's supervisor has a child of this name.
    Taken(Arc<str>),
}

impl PoolStartError {
    /// The error for a child of the pool that was not added.
    pub(super) fn of_child(why: NotAdded, child: &str) -> Self {
        match why {
            NotAdded::Ended => Self::Stopped,
            NotAdded::Interrupted => Self::Interrupted(child.into()),
            NotAdded::Taken => Self::Taken(child.into()),
        }
    }
}

impl Error for PoolStartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Breaker(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Duplicate(_)
            | Self::Empty
            | Self::Interrupted(_)
            | Self::Stopped
            | Self::Taken(_) => None,
        }
    }
}

impl fmt::Display for PoolStartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breaker(_) => f.write_str("an endpoint's breaker cannot be made"),
            Self::Config(_) => f.write_str("the pool's configuration contradicts itself"),
            Self::Duplicate(name) => write!(
                f,
                "the pool has an endpoint {name:?} already: give each a name of its own"
            ),
            Self::Empty => {
                f.write_str("the update has no endpoint: remove them by name if you mean it")
            }
            Self::Interrupted(name) => write!(
                f,
                "the child {name:?} of the pool has been stopped or removed"
            ),
            Self::Stopped => f.write_str("the box has ended"),
            Self::Taken(name) => write!(
                f,
                "the box's supervisor has a child {name:?} already: \
                 give the pool or its endpoint another name"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r24_a_pool_never_says_to_come_back_after_no_time() {
        let over = Unavailable {
            pool: "pool".into(),
            retry_at: Some(clock::now()),
        };
        assert_eq!(over.retry_after(), Some(Duration::from_nanos(1)));
    }
}
