//! One call to a pool, with all its attempts.
//!
//! An attempt is a future that holds its flight, so whatever drops it ends the
//! flight. A round is an attempt, and perhaps a hedge beside it; rounds follow
//! one another until one has an answer or there may be no other.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Dice, Repeat, Verdict, Wish};
use tokio::time::{sleep, timeout_at};
use tracing::Instrument;

use super::extras::Extra;
use super::flight::Flight;
use super::round::{Contender, Round};
use super::shared::Shared;
use super::tried::Tried;
use super::{PoolError, PoolPermit, Progress};
use crate::clock;

/// What does not change from one attempt of a call to the next.
///
/// `C` judges an answer, and says None of one that is still coming in; `P` says
/// how far the call is with what it sends.
pub(super) struct Calling<'a, T, C, P> {
    pub(super) began: Instant,
    pub(super) classify: C,
    pub(super) key: Option<u64>,
    pub(super) progress: P,
    pub(super) shared: &'a Shared<T>,
}

/// What a call came to; with its permit, if the answer is still coming in.
pub(super) type Called<A, E> = Result<(A, Option<PoolPermit>), PoolError<E>>;

impl<T, C, P> Calling<'_, T, C, P>
where
    T: Clone + Send + Sync + 'static,
    P: Fn() -> Progress,
{
    /// One attempt at whoever admits it.
    pub(super) async fn once<A, E, F>(self, make: impl FnOnce(T) -> F) -> Called<A, E>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
        F: Future<Output = Result<A, E>>,
    {
        let flight = self.shared.board(self.wish(&Tried::default()), &[]);
        let (flight, value) = flight.map_err(PoolError::Rejected)?;
        let _active = self.shared.extras.enter(flight.since());
        let round = Round::new(&flight);
        let ended = self
            .fly(round.enter(&self.progress, flight), 1, make(value))
            .await;
        ended.called
    }

    /// As many attempts as it takes and as there may be.
    pub(super) async fn repeatedly<A, E, F>(self, make: impl Fn(T) -> F) -> Called<A, E>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
        F: Future<Output = Result<A, E>>,
    {
        let mut tried = Tried::default();
        let flight = self.shared.board(self.wish(&tried), &[]);
        let mut flight = flight.map_err(PoolError::Rejected)?;
        let mut extra = None;
        loop {
            let ended = self.play(flight, &mut tried, &make).await;
            drop(extra.take());
            let Some((place, next)) = self.try_again(ended.verdict, &tried).await else {
                return ended.called;
            };
            (extra, flight) = (Some(place), next);
        }
    }

    /// An attempt, and a hedge beside it if it takes long.
    async fn play<A, E, F>(
        &self,
        (flight, value): (Flight, T),
        tried: &mut Tried,
        make: &impl Fn(T) -> F,
    ) -> Ended<A, E>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
        F: Future<Output = Result<A, E>>,
    {
        tried.note(&flight);
        let _active = self.shared.extras.enter(flight.since());
        let round = Round::new(&flight);
        let first = self.fly(
            round.enter(&self.progress, flight),
            tried.count(),
            make(value),
        );
        let Some(delay) = self.hedge_after(tried) else {
            return first.await;
        };
        let mut first = Box::pin(first);
        tokio::select! {
            biased;
            ended = &mut first => return ended,
            () = sleep(delay) => {}
        }
        let Some((_place, (hedge, value))) = self.hedge(tried) else {
            return first.await;
        };
        tried.note(&hedge);
        let second = Box::pin(self.fly(
            round.enter(&self.progress, hedge),
            tried.count(),
            make(value),
        ));
        better(first, second, &round.decided, self.repeat()).await
    }

    /// One attempt: the call, its limit, its verdict.
    async fn fly<A, E, F>(
        &self,
        mut contender: Contender<'_, P>,
        attempt: usize,
        future: F,
    ) -> Ended<A, E>
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
        let ending = self.in_time(since, attempt, future.instrument(span));
        let ended = self.as_probe(contender.flight(), ending).await;
        let mut flight = contender.back();
        flight.counts_from((self.progress)().upload.sent_by(since));
        match ended {
            Ok(result) => self.land(flight, round, result).await,
            Err(limit) => give_up(flight, limit).await,
        }
    }

    /// What the attempt comes to. A probe that has taken something of an upload in
    /// the third quarter of its time, or still waits for more, is none any more: what
    /// is left would be too little for its endpoint.
    async fn as_probe<R>(&self, flight: &mut Flight, ending: impl Future<Output = R>) -> R {
        let Some((since, limit)) = flight.probe() else {
            return ending.await;
        };
        let mut ending = pin!(ending);
        let late = since + limit / 4 * 3;
        if let Ok(ended) = timeout_at(late.into(), ending.as_mut()).await {
            return ended;
        }
        if self.counted_from(since) > since + limit / 2 {
            flight.is_no_probe();
        }
        ending.await
    }

    /// What a future comes to, or the limit that it exceeded.
    async fn in_time<F: Future>(
        &self,
        since: Instant,
        attempt: usize,
        future: F,
    ) -> Result<F::Output, Limit> {
        let mut future = pin!(future);
        while let Some(limit) = self.limit(since, attempt) {
            match timeout_at(limit.at.into(), future.as_mut()).await {
                Ok(output) => return Ok(output),
                // An upload that went on has put the limit off.
                Err(_)
                    if self
                        .limit(since, attempt)
                        .is_some_and(|it| it.at > limit.at) => {}
                Err(_) => return Err(limit),
            }
        }
        Ok(future.await)
    }

    /// The call has ended, or its answer has begun.
    async fn land<A, E>(
        &self,
        mut flight: Flight,
        round: &Round,
        result: Result<A, E>,
    ) -> Ended<A, E>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
    {
        // If a hedge were timed by itself, the calls that are slow would count as
        // fast, and more and more would be hedged.
        let took =
            clock::now().saturating_duration_since((self.progress)().upload.sent_by(round.began));
        match ((self.classify)(&result), result) {
            (None, Ok(answer)) => {
                self.note_latency(Verdict::Success, took);
                flight.answered();
                Ended {
                    called: Ok((answer, Some(PoolPermit::new(flight)))),
                    verdict: Verdict::Success,
                }
            }
            (verdict, result) => {
                let verdict = verdict.unwrap_or(Verdict::Sent);
                self.note_latency(verdict, took);
                flight.settle(verdict).await;
                Ended {
                    called: result
                        .map(|answer| (answer, None))
                        .map_err(PoolError::Failed),
                    verdict,
                }
            }
        }
    }

    fn wish(&self, tried: &Tried) -> Wish {
        Wish {
            attempt: tried.attempt(),
            bits: fastrand::u64(..),
            key: self.key,
            repeat: self.repeat(),
        }
    }

    /// When an attempt is given up, and whether that is the endpoint's fault. It
    /// is not where the call had spent its time elsewhere.
    fn limit(&self, since: Instant, attempt: usize) -> Option<Limit> {
        let config = self.shared.config();
        let own = config.of_breakers().limit_of_calls().map(|limit| Limit {
            at: self.counted_from(since) + limit,
            blames_endpoint: true,
        });
        let all = self.deadline().map(|at| Limit {
            at,
            blames_endpoint: attempt == 1,
        });
        own.into_iter().chain(all).min_by_key(|limit| limit.at)
    }

    fn deadline(&self) -> Option<Instant> {
        let limit = self.shared.config().limit_of_calls()?;
        Some(self.counted_from(self.began) + limit)
    }

    /// From when on a limit counts that would count from `begun` on.
    fn counted_from(&self, begun: Instant) -> Instant {
        (self.progress)().upload.counted_from(begun)
    }

    fn repeat(&self) -> Repeat {
        (self.progress)().repeat
    }

    fn may_repeat(&self, verdict: Verdict, tried: &Tried) -> bool {
        let left = tried.count() < self.shared.config().most_attempts() as usize;
        let in_time = self.deadline().is_none_or(|at| clock::now() < at);
        self.repeat().allows(verdict) && left && in_time
    }

    /// The next attempt, with its place in the budget, if there may be one and the
    /// deadline leaves time for both.
    async fn try_again(&self, verdict: Verdict, tried: &Tried) -> Option<(Extra<'_>, (Flight, T))> {
        if !self.may_repeat(verdict, tried) {
            return None;
        }
        let again = async {
            sleep(self.pause(verdict, tried)).await;
            let budget = self.shared.config().extra_budget();
            let taken = clock::now().saturating_duration_since(self.began);
            let place = self.shared.extras.take(budget, budget.patience(taken));
            let place = place.await?;
            // What it sends may have been used up meanwhile.
            if !self.repeat().allows(verdict) {
                return None;
            }
            let flight = self.shared.board(self.wish(tried), &tried.endpoints).ok()?;
            Some((place, flight))
        };
        match self.deadline() {
            None => again.await,
            Some(at) => timeout_at(at.into(), again).await.ok().flatten(),
        }
    }

    /// How long to wait before the next attempt. What never reached an endpoint,
    /// and what one handed back, goes on to another one at once.
    fn pause(&self, verdict: Verdict, tried: &Tried) -> Duration {
        let has_another = || self.shared.has_another(self.wish(tried), &tried.endpoints);
        if verdict != Verdict::Sent && has_another() {
            return Duration::ZERO;
        }
        let nth = u32::try_from(tried.count()).unwrap_or(u32::MAX);
        let backoff = self.shared.config().backoff_of_retries();
        backoff.wait(nth, &mut Dice::seeded(fastrand::u64(..)))
    }

    /// How long to wait for the first answer before a hedge is sent, if at all.
    fn hedge_after(&self, tried: &Tried) -> Option<Duration> {
        let config = self.shared.config();
        let hedge = config.hedging()?;
        let left = tried.count() < config.most_attempts() as usize;
        let latency = self.shared.quantile.current()?;
        (left && self.repeat() == Repeat::Idempotent).then(|| hedge.delay(latency))
    }

    /// A second attempt at another endpoint, if there is one and the budget has
    /// room now.
    fn hedge(&self, tried: &Tried) -> Option<(Extra<'_>, (Flight, T))> {
        // What it sends may have been used up meanwhile.
        if self.repeat() != Repeat::Idempotent {
            return None;
        }
        let budget = self.shared.config().extra_budget();
        let place = self.shared.extras.try_take(budget)?;
        let flight = self
            .shared
            .board_another(self.wish(tried), &tried.endpoints)?;
        Some((place, flight))
    }

    fn note_latency(&self, verdict: Verdict, took: Duration) {
        if let (Some(hedge), Verdict::Success) = (self.shared.config().hedging(), verdict) {
            self.shared.quantile.record(took, hedge.quantile());
        }
    }
}

/// How an attempt ended.
struct Ended<A, E> {
    called: Called<A, E>,
    verdict: Verdict,
}

/// The attempt had no time left, which may be its endpoint's fault.
async fn give_up<A, E>(flight: Flight, limit: Limit) -> Ended<A, E> {
    let took = clock::now().saturating_duration_since(flight.since());
    if limit.blames_endpoint {
        flight.settle(Verdict::Sent).await;
    } else {
        flight.give_up();
    }
    Ended {
        called: Err(PoolError::TimedOut(took)),
        verdict: Verdict::Sent,
    }
}

/// The first of two attempts that has an answer, or else the last one's end.
async fn better<A, E>(
    first: impl Future<Output = Ended<A, E>> + Unpin,
    second: impl Future<Output = Ended<A, E>> + Unpin,
    decided: &AtomicBool,
    repeat: Repeat,
) -> Ended<A, E> {
    use futures_util::future::{Either, select};
    let (ended, other) = match select(first, second).await {
        Either::Left((ended, other)) => (ended, Either::Left(other)),
        Either::Right((ended, other)) => (ended, Either::Right(other)),
    };
    if repeat.allows(ended.verdict) {
        return other.await;
    }
    // Before the other one is dropped.
    decided.store(true, Ordering::Relaxed);
    ended
}

/// When an attempt is given up.
#[derive(Clone, Copy, Debug)]
struct Limit {
    at: Instant,
    blames_endpoint: bool,
}
