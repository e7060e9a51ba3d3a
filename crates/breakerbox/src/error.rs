use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use breakerbox_core::{ConfigError, RejectReason};

use crate::clock;

/// A call was not admitted.
///
/// It is made in less time than an instant is computed in, so it only keeps what
/// the instant is computed from.
#[derive(Clone, Copy, Debug)]
pub struct Rejected {
    epoch: Instant,
    reason: RejectReason,
    /// In nanoseconds since `epoch`; 0 where nobody knows.
    retry_at: u64,
}

impl Rejected {
    #[inline]
    pub(crate) const fn new(reason: RejectReason, epoch: Instant, retry_at: u64) -> Self {
        Self {
            epoch,
            reason,
            retry_at,
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RejectReason {
        self.reason
    }

    /// How long until another try is worth it, from now; None where nobody knows.
    ///
    /// This reads the clock; the rejection itself did not.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.told().retry_after(clock::now())
    }

    /// From when on another try is worth it; None where nobody knows.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        (self.retry_at > 0).then(|| self.epoch + Duration::from_nanos(self.retry_at))
    }

    /// The same, as the core tells it.
    fn told(&self) -> breakerbox_core::Rejected {
        breakerbox_core::Rejected::new(self.reason, self.retry_at())
    }
}

impl Eq for Rejected {}

impl PartialEq for Rejected {
    fn eq(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

impl Error for Rejected {}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

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
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Stopped => None,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Config(_) => "the breaker's configuration contradicts itself",
            Self::Stopped => "the breaker has no owner any more",
        })
    }
}
