use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::{FailureKind, Outcome};

use crate::text::start_of;

/// A failure, and what is known about it.
///
/// The details of the last failure are in a breaker's [`Snapshot`](crate::Snapshot),
/// and in the event and the log line of the opening that it leads to. A plain
/// [`Outcome::failure`] costs a few nanoseconds while it cannot open the breaker; a
/// failure with details takes a lock and allocates.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::{BreakerBox, BreakerConfig, Failure, FailureKind, TripPolicy};
///
/// const DNS: FailureKind = FailureKind::named("dns");
/// const CONFIG: BreakerConfig =
///     BreakerConfig::new().trip_on(TripPolicy::consecutive_failures(1));
///
/// let breakers = BreakerBox::start("checkout").await?;
/// let payments = breakers.breaker("payments", CONFIG).await?;
/// let permit = payments.try_acquire()?;
/// permit.settle(Failure::of(DNS).text("no such host")).await;
/// let why = payments.snapshot().await.last_failure.expect("it has failed");
/// assert_eq!(why.to_string(), "dns: no such host");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "a failure counts when a permit is settled with it"]
pub struct Failure {
    kind: Option<FailureKind>,
    retry_after: Option<Duration>,
    text: Option<Arc<str>>,
}

impl Failure {
    /// Makes a failure about which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a failure of this kind.
    pub fn of(kind: FailureKind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::of(FailureKind::TIMEOUT).text(format_args!("it took longer than {limit:?}"))
    }

    /// Sets what happened, as the error says; the first 256 bytes are kept.
    pub fn text(mut self, text: impl fmt::Display) -> Self {
        self.text = Some(start_of(&text.to_string(), LONGEST_TEXT).into());
        self
    }

    /// Sets how long the other side asked not to be called, as
    /// [`Outcome::failure_after`] does.
    pub fn retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = Some(retry_after);
        self
    }
}

/// The verdict on one call, with what is known about a failure.
///
/// A judgement is made from an [`Outcome`] or a [`Failure`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judgement {
    pub(crate) outcome: Outcome,
    pub(crate) text: Option<Arc<str>>,
}

impl From<Outcome> for Judgement {
    #[inline]
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            text: None,
        }
    }
}

impl From<Failure> for Judgement {
    fn from(failure: Failure) -> Self {
        Self {
            outcome: Outcome::Failure {
                kind: failure.kind,
                retry_after: failure.retry_after,
            },
            text: failure.text,
        }
    }
}

/// The last failure of a breaker about which anything is known.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LastFailure {
    /// The instant at which the failure was settled.
    pub at: Instant,
    /// The kind of failure, if anybody said.
    pub kind: Option<FailureKind>,
    /// The text that says what happened, if anybody said.
    pub text: Option<Arc<str>>,
}

impl fmt::Display for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.text) {
            (Some(kind), Some(text)) => write!(f, "{kind}: {text}"),
            (Some(kind), None) => kind.fmt(f),
            (None, Some(text)) => f.write_str(text),
            (None, None) => f.write_str("a failure"),
        }
    }
}

/// The limit that keeps a breaker's memory independent of what a server says.
const LONGEST_TEXT: usize = 256;
