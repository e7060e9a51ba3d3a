use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread::panicking;
use std::time::Duration;

use breakerbox_core::{Generation, Outcome, ProbeTime};

use super::Shared;
use super::answers::Answer;
use super::packed_ticket::PackedTicket;
use super::streaming_call::StreamingCall;
use super::streaming_probe::StreamingProbe;
use crate::{CallError, Judgement, Rejected};

/// Permission for one call, to be settled once.
///
/// Each way to settle it consumes it. Dropped unsettled, it counts as
/// [`BreakerConfig::abandoned`](crate::BreakerConfig::abandoned) says; dropped
/// by a panic, as a failure. Either works outside a runtime too.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once abandons its call"]
pub struct Permit<'a> {
    /// None once it is settled.
    ticket: Option<PackedTicket>,
    shared: &'a Shared,
}

impl<'a> Permit<'a> {
    #[inline]
    pub(super) fn new(shared: &'a Shared, packed: PackedTicket) -> Self {
        Self {
            ticket: Some(packed),
            shared,
        }
    }

    /// The call worked.
    #[inline(always)]
    pub fn success(mut self) {
        self.record(Outcome::Success);
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
        self.record(Outcome::Ignored);
    }

    /// The call ended like this: an [`Outcome`], or a [`Failure`](crate::Failure) with
    /// its kind and text. It is recorded at once.
    #[inline]
    pub fn settle(mut self, judgement: impl Into<Judgement>) -> Decision {
        let number = self.record(judgement);
        Decision::of(self.shared, number)
    }

    /// Settles, and says what to wait for: a custom policy, if it must judge.
    #[inline(always)]
    pub(super) fn settle_in_call(mut self, judgement: impl Into<Judgement>) -> Option<Decision> {
        let question = self.record(judgement)?;
        Some(Decision::of(self.shared, Some(question)))
    }

    /// Settles where nobody can wait.
    #[inline(always)]
    pub(super) fn settle_detached(mut self, outcome: Outcome) {
        self.record(outcome);
    }

    #[inline(always)]
    fn record(&mut self, judgement: impl Into<Judgement>) -> Option<u64> {
        // Converted first: the conversion may be the user's, and panic.
        let judgement = judgement.into();
        self.shared.settle(self.ticket.take()?, judgement)
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(packed) = self.ticket.take() {
            self.shared.settle_dropped(packed);
        }
    }
}

/// A [`Permit`] that borrows nothing.
///
/// It keeps its breaker alive, as a clone of the [`Breaker`](super::Breaker)
/// would. Everything else is the same.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once abandons its call"]
pub struct OwnedPermit {
    /// It was sent in a message, and has not been used since.
    is_on_its_way: bool,
    ticket: Held,
    shared: Arc<Shared>,
}

/// Who settles a ticket.
#[derive(Debug)]
enum Held {
    /// The permit; None once it has.
    Alone(Option<PackedTicket>),
    /// The permit or time, whoever is first.
    Streaming(StreamingProbe),
}

impl OwnedPermit {
    pub(crate) fn try_acquire(shared: &Arc<Shared>) -> Result<Self, Rejected> {
        let packed = Some(shared.admit()?);
        Ok(Self {
            is_on_its_way: false,
            ticket: Held::Alone(packed),
            shared: Arc::clone(shared),
        })
    }

    /// One for the reply to a message, which may not reach who asked.
    pub(super) fn try_acquire_by_message(shared: &Arc<Shared>) -> Result<Self, Rejected> {
        let mut permit = Self::try_acquire(shared)?;
        permit.is_on_its_way = true;
        Ok(permit)
    }

    /// The call worked.
    #[inline]
    pub fn success(mut self) {
        self.record(Outcome::Success);
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
        self.record(Outcome::Ignored);
    }

    /// The call ended like this: an [`Outcome`], or a [`Failure`](crate::Failure) with
    /// its kind and text. It is recorded at once.
    #[inline]
    pub fn settle(mut self, judgement: impl Into<Judgement>) -> Decision {
        let number = self.record(judgement);
        Decision::of(&self.shared, number)
    }

    /// Makes the call that it permits, whose answer may go on after it has
    /// begun: as [`Breaker::call_streaming`](super::Breaker::call_streaming).
    ///
    /// # Errors
    ///
    /// [`CallError::Failed`] and [`CallError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future` and the permit.
    pub fn call_streaming<T, E, F, C>(
        self,
        classify: C,
        future: F,
    ) -> impl Future<Output = Result<(T, Option<Self>), CallError<E>>>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&Result<T, E>) -> Option<Outcome>,
    {
        StreamingCall::new(self, classify, future)
    }

    /// It is used now.
    pub(super) const fn arrive(&mut self) {
        self.is_on_its_way = false;
    }

    pub(super) fn call_timeout(&self) -> Option<Duration> {
        self.shared.published_config().call_timeout()
    }

    pub(super) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The answer has begun, and its end is still to come.
    pub(crate) fn note_answer(&mut self) {
        let probe = self.probe_time();
        let Held::Alone(Some(packed)) = &mut self.ticket else {
            return;
        };
        if packed
            .since()
            .is_some_and(|at| self.shared.published_config().are_kept(at))
        {
            packed.note_in_time();
        }
        if let Some(time) = probe
            && let Some(packed) = self.take()
        {
            let due = time.answer_counts_at();
            self.ticket =
                Held::Streaming(StreamingProbe::until(due, packed, Arc::clone(&self.shared)));
        }
    }

    /// Whether its breaker waits for it, to know whether to close.
    pub(crate) fn is_probe(&self) -> bool {
        match &self.ticket {
            Held::Alone(packed) => packed.as_ref().is_some_and(|it| it.probe_since().is_some()),
            Held::Streaming(probe) => probe.is_undecided(),
        }
    }

    /// Returns the generation that it is a probe of, if it is one.
    pub(crate) fn probe_generation(&self) -> Option<Generation> {
        let Held::Alone(Some(packed)) = &self.ticket else {
            return None;
        };
        packed.is_probe().then(|| packed.generation())
    }

    /// The time that it has, if it is a probe's and that has a deadline.
    pub(crate) fn probe_time(&self) -> Option<ProbeTime> {
        let Held::Alone(Some(packed)) = &self.ticket else {
            return None;
        };
        ProbeTime::new(packed.probe_since()?, &self.shared.config())
    }

    /// The call is none that a breaker learns from, and goes on.
    pub(crate) fn hand_back(&mut self) {
        self.record(Outcome::Ignored);
    }

    #[inline]
    pub(super) fn record(&mut self, judgement: impl Into<Judgement>) -> Option<u64> {
        let judgement = judgement.into();
        let packed = self.take()?;
        self.shared.settle(packed, judgement)
    }

    #[inline]
    fn take(&mut self) -> Option<PackedTicket> {
        match &mut self.ticket {
            Held::Alone(packed) => packed.take(),
            Held::Streaming(probe) => probe.take(),
        }
    }
}

impl Drop for OwnedPermit {
    #[inline]
    fn drop(&mut self) {
        match self.take() {
            None => {}
            Some(packed) if self.is_on_its_way && !panicking() => {
                self.shared.settle(packed, Outcome::Ignored);
            }
            Some(packed) => self.shared.settle_dropped(packed),
        }
    }
}

/// Ready when the breaker has decided on a verdict.
///
/// The verdict itself was recorded before this existed, so dropping it loses
/// nothing. Most verdicts have been decided on by then; one that a custom trip
/// policy must judge has been once the breaker's actor has asked it. Once this is
/// ready, every admission that happens after sees the effect.
///
/// # Cancel safety
///
/// Dropping it has no effect.
pub struct Decision {
    /// None: it has decided.
    waiting: Option<Answer>,
}

impl Decision {
    /// A decision that is not waited for: no breaker has anything to decide.
    pub(crate) const fn made() -> Self {
        Self { waiting: None }
    }

    /// Resolves once the question with this number has an answer; resolves at once
    /// if the verdict left no question.
    fn of(shared: &Shared, question: Option<u64>) -> Self {
        Self {
            waiting: question.and_then(|number| shared.answers().of(number)),
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
