//! One attempt of a call: at one endpoint, within its limit, with its verdict.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use breakerbox_core::{ProbeTime, Verdict};
use tokio::time::timeout_at;
use tracing::Span;

use super::super::flight::Flight;
use super::super::round::{Contender, Round};
use super::super::{PoolError, PoolPermit, Progress};
use super::{Called, Calling};
use crate::{Decision, clock};

impl<T, C, P> Calling<'_, T, C, P>
where
    T: Clone + Send + Sync + 'static,
    P: Fn() -> Progress,
{
    /// One attempt: the call, its limit, its verdict. The call is dropped before it is
    /// judged, and held by the caller, so that it is moved no more.
    pub(super) fn fly<A, E, F>(
        &self,
        mut contender: Contender<'_, P>,
        attempt: usize,
        call: Pin<&mut Option<F>>,
    ) -> impl Future<Output = Ended<A, E>>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
        F: Future<Output = Result<A, E>>,
    {
        let span = tracing::debug_span!(
            "pool.attempt",
            pool.name = &*self.shared.name,
            endpoint.name = contender.flight().endpoint(),
            attempt
        );
        let (round, since) = (contender.round, contender.flight().since());
        let mut call = InSpan { call, span };
        async move {
            let (decision, ended) = {
                let ending = pin!(self.in_time(since, attempt, &mut call));
                let ended = match contender.flight().probe_time() {
                    None => ending.await,
                    // Most attempts are no probes, and need no room for it.
                    Some(time) => Box::pin(self.as_probe(contender.flight(), time, ending)).await,
                };
                let mut flight = contender.back();
                flight.counts_from((self.progress)().upload.sent_by(since));
                match ended {
                    Ok(result) => self.land(flight, round, result),
                    Err(limit) => give_up(flight, limit),
                }
            };
            decision.await;
            ended
        }
    }

    /// What the attempt comes to. A probe whose upload takes too long gives its
    /// place back.
    async fn as_probe<R>(
        &self,
        flight: &mut Flight,
        time: ProbeTime,
        mut ending: Pin<&mut impl Future<Output = R>>,
    ) -> R {
        let due = time.upload_due_at();
        let in_time = flight.without_blame(|| timeout_at(due.into(), ending.as_mut()));
        if let Ok(ended) = in_time.await {
            return ended;
        }
        if time.is_spent_by(self.counted_from(flight.since())) {
            flight.give_place_back();
        }
        ending.await
    }

    /// What a call comes to, or the limit that it exceeded; it is gone by then.
    async fn in_time<F: Future>(
        &self,
        since: Instant,
        attempt: usize,
        call: &mut InSpan<'_, F>,
    ) -> Result<F::Output, Limit> {
        while let Some(limit) = self.limit(since, attempt) {
            match timeout_at(limit.at.into(), &mut *call).await {
                Ok(output) => return Ok(output),
                // An upload that went on has put the limit off.
                Err(_)
                    if self
                        .limit(since, attempt)
                        .is_some_and(|it| it.at > limit.at) => {}
                Err(_) => {
                    call.end();
                    return Err(limit);
                }
            }
        }
        Ok(call.await)
    }

    /// The call has ended, or its answer has begun.
    fn land<A, E>(
        &self,
        mut flight: Flight,
        round: &Round,
        result: Result<A, E>,
    ) -> (Decision, Ended<A, E>)
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
    {
        let now = clock::now();
        match ((self.classify)(&result), result) {
            (None, Ok(answer)) => {
                self.note_latency(Verdict::Success, round, now);
                flight.answered(now);
                let ended = Ended {
                    called: Ok((answer, Some(PoolPermit::new(flight)))),
                    verdict: Verdict::Success,
                };
                (Decision::made(), ended)
            }
            (verdict, result) => {
                let verdict = verdict.unwrap_or(Verdict::Sent);
                self.note_latency(verdict, round, now);
                let ended = Ended {
                    called: result
                        .map(|answer| (answer, None))
                        .map_err(PoolError::Failed),
                    verdict,
                };
                (flight.settle(verdict, now), ended)
            }
        }
    }

    /// When an attempt is given up, and whether that is the endpoint's fault. It
    /// is not where the call had spent its time elsewhere.
    fn limit(&self, since: Instant, attempt: usize) -> Option<Limit> {
        let own = self.limits.attempt.map(|limit| Limit {
            at: self.counted_from(since) + limit,
            blames_endpoint: true,
        });
        let all = self.deadline().map(|at| Limit {
            at,
            blames_endpoint: attempt == 1,
        });
        own.into_iter().chain(all).min_by_key(|limit| limit.at)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = self.limits.call?;
        Some(self.counted_from(self.began) + limit)
    }

    /// From when on a limit counts that would count from `begun` on.
    fn counted_from(&self, begun: Instant) -> Instant {
        (self.progress)().upload.counted_from(begun)
    }

    /// If a hedge were timed by itself, the calls that are slow would count as fast, and
    /// more and more would be hedged.
    fn note_latency(&self, verdict: Verdict, round: &Round, now: Instant) {
        if let (Some(hedge), Verdict::Success) = (self.limits.hedge, verdict) {
            let began = (self.progress)().upload.sent_by(round.began);
            let took = now.saturating_duration_since(began);
            self.shared.quantile.record(took, hedge.quantile());
        }
    }
}

/// How an attempt ended.
pub(super) struct Ended<A, E> {
    pub(super) called: Called<A, E>,
    pub(super) verdict: Verdict,
}

/// The attempt had no time left, which may be its endpoint's fault.
fn give_up<A, E>(flight: Flight, limit: Limit) -> (Decision, Ended<A, E>) {
    let now = clock::now();
    let took = now.saturating_duration_since(flight.since());
    let ended = Ended {
        called: Err(PoolError::TimedOut(took)),
        verdict: Verdict::Sent,
    };
    if limit.blames_endpoint {
        return (flight.settle_timed_out(took, now), ended);
    }
    flight.give_up();
    (Decision::made(), ended)
}

/// A call that runs in the span of its attempt, and is dropped in it when it has ended.
struct InSpan<'a, F> {
    /// None once it is gone.
    call: Pin<&'a mut Option<F>>,
    span: Span,
}

impl<F> InSpan<'_, F> {
    fn end(&mut self) {
        let _in_span = self.span.enter();
        self.call.set(None);
    }
}

impl<F: Future> Future for InSpan<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _in_span = this.span.enter();
        let call = this.call.as_mut().as_pin_mut();
        let output = ready!(call.expect("it has not ended").poll(context));
        this.call.set(None);
        Poll::Ready(output)
    }
}

impl<F> Drop for InSpan<'_, F> {
    fn drop(&mut self) {
        self.end();
    }
}

/// When an attempt is given up.
#[derive(Clone, Copy, Debug)]
struct Limit {
    at: Instant,
    blames_endpoint: bool,
}
