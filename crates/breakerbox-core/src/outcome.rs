use std::time::Duration;

use crate::FailureKind;

/// The verdict on one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The other side did not do its job.
    Failure {
        /// What sort of failure it is, if anybody said.
        kind: Option<FailureKind>,
        /// When the other side asked to be called again, if it did
        /// (`Retry-After`). It lengthens the next opening, up to
        /// [`retry_after_cap`](crate::BreakerConfig::retry_after_cap).
        retry_after: Option<Duration>,
    },
    /// Says nothing about the other side: the caller's own mistake, say.
    Ignored,
    /// The other side did its job, which may be to answer "not found".
    Success,
}

impl Outcome {
    /// A failure that came without advice when to retry.
    #[must_use]
    pub const fn failure() -> Self {
        Self::Failure {
            kind: None,
            retry_after: None,
        }
    }

    /// A failure of this kind.
    #[must_use]
    pub const fn failure_of(kind: FailureKind) -> Self {
        Self::Failure {
            kind: Some(kind),
            retry_after: None,
        }
    }

    /// A failure whose sender asked not to be called for `retry_after`.
    #[must_use]
    pub const fn failure_after(retry_after: Duration) -> Self {
        Self::Failure {
            kind: None,
            retry_after: Some(retry_after),
        }
    }

    /// Whether it is a failure, with or without advice.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failure { .. })
    }
}

/// How long a call took, beside how it ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Pace {
    /// Less than [`slow_after`](crate::BreakerConfig::slow_after), or not timed.
    #[default]
    Fast,
    /// That long or longer. What is ignored is not slow either.
    Slow,
}

/// What a permit counts as that was dropped unsettled.
///
/// A future is dropped when its caller loses interest: a timeout further up,
/// a client that hung up, the losing arm of a `select!`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Abandoned {
    /// As a failure.
    Failure,
    /// As a failure if the call had run at least this long, else as ignored. Of an
    /// answer that is streamed the beginning counts.
    FailureAfter(Duration),
    /// As ignored: who hangs up says nothing about the other side.
    Ignored,
}

impl Abandoned {
    /// The verdict on a call that ran for `ran` and was dropped.
    #[must_use]
    pub fn outcome(self, ran: Duration) -> Outcome {
        match self {
            Self::Failure => Outcome::failure(),
            Self::FailureAfter(limit) if ran >= limit => Outcome::failure(),
            Self::FailureAfter(_) | Self::Ignored => Outcome::Ignored,
        }
    }
}
