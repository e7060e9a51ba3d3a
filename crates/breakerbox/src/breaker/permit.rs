use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use breakerbox_core::Outcome;
use tokio::time::timeout;

use super::Shared;
use super::answers::Answer;
use super::leave::Leave;
use crate::{CallError, Rejected};

/// Leave for one call, to be settled once.
///
/// Each way to settle it consumes it. Dropped unsettled, it counts as
/// [`BreakerConfig::abandoned`](crate::BreakerConfig::abandoned) says; dropped
/// by a panic, as a failure. Either works outside a runtime too.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once abandons its call"]
pub struct Permit<'a> {
    claim: Claim<&'a Shared>,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(shared: &'a Shared, leave: Leave) -> Self {
        Self {
            claim: Claim {
                leave: Some(leave),
                shared,
            },
        }
    }

    /// The call worked.
    #[inline]
    pub fn success(mut self) {
        self.claim.settle(Outcome::Success);
    }

    /// The call failed. It is recorded at once; await it to know it decided.
    #[inline]
    pub fn failure(self) -> Decision {
        self.settle(Outcome::failure())
    }

    /// The call failed, and the other side asked not to be called for a while.
    pub fn failure_after(self, retry_after: Duration) -> Decision {
        self.settle(Outcome::failure_after(retry_after))
    }

    /// The call says nothing about the other side.
    #[inline]
    pub fn ignore(mut self) {
        self.claim.settle(Outcome::Ignored);
    }

    /// The call ended like this. It is recorded at once.
    #[inline]
    pub fn settle(mut self, outcome: Outcome) -> Decision {
        let number = self.claim.settle(outcome);
        Decision::of(self.claim.shared, number)
    }

    /// Settles, and says what to wait for if somebody could tell the difference.
    ///
    /// A success in Closed, and an ignored call, change nothing that an
    /// admission depends on; a failure or a probe may.
    #[inline]
    pub(super) fn settle_in_call(mut self, outcome: Outcome) -> Option<Decision> {
        let number = self.claim.settle(outcome)?;
        Some(Decision::of(self.claim.shared, Some(number)))
    }

    /// Settles where nobody can wait.
    #[inline]
    pub(super) fn settle_unheard(mut self, outcome: Outcome) {
        self.claim.settle(outcome);
    }
}

/// A [`Permit`] that borrows nothing.
///
/// It keeps its breaker alive, as a clone of the [`Breaker`](super::Breaker)
/// would. Everything else is the same.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once abandons its call"]
pub struct OwnedPermit {
    claim: Claim<Arc<Shared>>,
}

impl OwnedPermit {
    pub(super) fn try_acquire(shared: &Arc<Shared>) -> Result<Self, Rejected> {
        let leave = Some(shared.admit()?);
        Ok(Self {
            claim: Claim {
                leave,
                shared: Arc::clone(shared),
            },
        })
    }

    /// The call worked.
    #[inline]
    pub fn success(mut self) {
        self.claim.settle(Outcome::Success);
    }

    /// The call failed. It is recorded at once; await it to know it decided.
    #[inline]
    pub fn failure(self) -> Decision {
        self.settle(Outcome::failure())
    }

    /// The call failed, and the other side asked not to be called for a while.
    pub fn failure_after(self, retry_after: Duration) -> Decision {
        self.settle(Outcome::failure_after(retry_after))
    }

    /// The call says nothing about the other side.
    #[inline]
    pub fn ignore(mut self) {
        self.claim.settle(Outcome::Ignored);
    }

    /// The call ended like this. It is recorded at once.
    #[inline]
    pub fn settle(mut self, outcome: Outcome) -> Decision {
        let number = self.claim.settle(outcome);
        Decision::of(&self.claim.shared, number)
    }

    /// Makes the call that it is leave for, whose answer may go on after it has
    /// begun: as [`Breaker::call_streaming`](super::Breaker::call_streaming).
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] and [`CallError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future` and the permit.
    pub async fn call_streaming<T, E, F, C>(
        self,
        classify: C,
        future: F,
    ) -> Result<(T, Option<Self>), CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&Result<T, E>) -> Option<Outcome>,
    {
        let ended = match self.claim.shared.terms().call_timeout() {
            None => Ok(future.await),
            Some(limit) => timeout(limit, future).await.map_err(|_| limit),
        };
        let outcome = match &ended {
            Ok(result) => classify(result),
            Err(_) => None,
        };
        match (outcome, ended) {
            (None, Ok(Ok(answer))) => Ok((answer, Some(self))),
            (outcome, ended) => {
                self.settle(outcome.unwrap_or(Outcome::failure())).await;
                match ended {
                    Ok(result) => result
                        .map(|answer| (answer, None))
                        .map_err(CallError::Failed),
                    Err(limit) => Err(CallError::TimedOut(limit)),
                }
            }
        }
    }
}

/// Ready when the breaker has decided on a verdict.
///
/// The verdict itself was recorded before this existed, so dropping it loses
/// nothing. Once it is ready, every admission that happens after sees the effect.
///
/// # Cancel safety
///
/// Dropping it has no effect.
pub struct Decision {
    /// None: it has decided.
    waiting: Option<Answer>,
}

impl Decision {
    /// Of the report with this number; of a verdict without one it has been.
    fn of(shared: &Shared, report: Option<u64>) -> Self {
        Self {
            waiting: report.and_then(|number| shared.reports().answer_to(number)),
        }
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("pending", &self.waiting.is_some())
            .finish()
    }
}

impl Future for Decision {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.waiting {
            ready!(Pin::new(waiting).poll(context));
            self.waiting = None;
        }
        Poll::Ready(())
    }
}

/// A ticket that settles itself when it is dropped.
#[derive(Debug)]
struct Claim<S: Deref<Target = Shared>> {
    leave: Option<Leave>,
    shared: S,
}

impl<S: Deref<Target = Shared>> Claim<S> {
    #[inline]
    fn settle(&mut self, outcome: Outcome) -> Option<u64> {
        let leave = self.leave.take().expect("settling consumes the permit");
        self.shared.settle(leave, outcome)
    }
}

impl<S: Deref<Target = Shared>> Drop for Claim<S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(leave) = self.leave.take() {
            self.shared.settle_dropped(leave);
        }
    }
}
