//! One call to a pool, with all its attempts.
//!
//! An attempt is a future that holds its flight, so whatever drops it ends the
//! flight. A round is an attempt, and perhaps a hedge beside it; rounds follow
//! one another until one has an answer or there may be no other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Attempt, Dice, EndpointId, Repeat, Verdict, Wish};
use tokio::time::{sleep, timeout_at};
use tracing::Instrument;

use super::PoolError;
use super::extras::Extra;
use super::flight::Flight;
use super::shared::Shared;
use crate::clock;

/// What does not change from one attempt of a call to the next.
pub(super) struct Calling<'a, T, C> {
    began: Instant,
    classify: C,
    key: Option<u64>,
    repeat: Repeat,
    shared: &'a Shared<T>,
}

/// How an attempt ended.
type Ended<R, E> = (Verdict, Result<R, PoolError<E>>);

impl<'a, T: Clone, C> Calling<'a, T, C> {
    pub(super) fn new(
        shared: &'a Shared<T>,
        key: Option<u64>,
        repeat: Repeat,
        classify: C,
    ) -> Self {
        Self {
            began: clock::now(),
            classify,
            key,
            repeat,
            shared,
        }
    }

    /// One attempt at whoever admits it.
    pub(super) async fn once<R, E, F>(self, make: impl FnOnce(T) -> F) -> Result<R, PoolError<E>>
    where
        C: Fn(&Result<R, E>) -> Verdict,
        F: Future<Output = Result<R, E>>,
    {
        let _active = self.shared.extras.enter();
        let flight = self.shared.board(self.wish(&Tried::default()), &[]);
        let flight = flight.map_err(PoolError::Rejected)?;
        let future = make(flight.value());
        self.fly(flight, 1, &AtomicBool::new(false), future).await.1
    }

    /// As many attempts as it takes and as there may be.
    pub(super) async fn repeatedly<R, E, F>(self, make: impl Fn(T) -> F) -> Result<R, PoolError<E>>
    where
        C: Fn(&Result<R, E>) -> Verdict,
        F: Future<Output = Result<R, E>>,
    {
        let _active = self.shared.extras.enter();
        let mut tried = Tried::default();
        let flight = self.shared.board(self.wish(&tried), &[]);
        let mut flight = flight.map_err(PoolError::Rejected)?;
        let mut extra = None;
        loop {
            let (verdict, result) = self.round(flight, &mut tried, &make).await;
            drop(extra.take());
            if !self.may_repeat(verdict, &tried) {
                return result;
            }
            let Some((place, next)) = self.try_again(verdict, &tried).await else {
                return result;
            };
            (extra, flight) = (Some(place), next);
        }
    }

    /// An attempt, and a hedge beside it if it takes long.
    async fn round<R, E, F>(
        &self,
        flight: Flight<T>,
        tried: &mut Tried,
        make: &impl Fn(T) -> F,
    ) -> Ended<R, E>
    where
        C: Fn(&Result<R, E>) -> Verdict,
        F: Future<Output = Result<R, E>>,
    {
        tried.note(&flight);
        let decided = AtomicBool::new(false);
        let future = make(flight.value());
        let first = self.fly(flight, tried.count(), &decided, future);
        let Some(delay) = self.hedge_after(tried) else {
            return first.await;
        };
        let mut first = Box::pin(first);
        tokio::select! {
            biased;
            ended = &mut first => return ended,
            () = sleep(delay) => {}
        }
        let Some((_place, hedge)) = self.hedge(tried) else {
            return first.await;
        };
        tried.note(&hedge);
        let future = make(hedge.value());
        let second = Box::pin(self.fly(hedge, tried.count(), &decided, future));
        better(first, second, &decided, self.repeat).await
    }

    /// One attempt: the call, its limit, its verdict.
    async fn fly<R, E, F>(
        &self,
        flight: Flight<T>,
        attempt: usize,
        decided: &AtomicBool,
        future: F,
    ) -> Ended<R, E>
    where
        C: Fn(&Result<R, E>) -> Verdict,
        F: Future<Output = Result<R, E>>,
    {
        let span = tracing::debug_span!(
            "pool.attempt",
            pool.name = &*self.shared.name,
            endpoint.name = flight.endpoint(),
            attempt
        );
        let limit = self.limit(&flight, attempt);
        let flight = Loser {
            decided,
            flight: Some(flight),
        };
        let ended = match limit {
            None => Ok(future.instrument(span).await),
            Some(limit) => timeout_at(limit.at.into(), future.instrument(span))
                .await
                .map_err(|_| limit),
        };
        let flight = flight.back();
        let took = clock::now().saturating_duration_since(flight.since());
        match ended {
            Ok(result) => {
                let verdict = (self.classify)(&result);
                self.note_latency(verdict, took);
                flight.settle(verdict).await;
                (verdict, result.map_err(PoolError::Failed))
            }
            Err(limit) => {
                if limit.blames_endpoint {
                    flight.settle(Verdict::Sent).await;
                } else {
                    flight.give_up();
                }
                (Verdict::Sent, Err(PoolError::TimedOut(took)))
            }
        }
    }

    fn wish(&self, tried: &Tried) -> Wish {
        Wish {
            attempt: tried.attempt(),
            bits: fastrand::u64(..),
            key: self.key,
            repeat: self.repeat,
        }
    }

    /// When an attempt is given up, and whether that is the endpoint's fault. It
    /// is not where the call had spent its time elsewhere.
    fn limit(&self, flight: &Flight<T>, attempt: usize) -> Option<Limit> {
        let config = &self.shared.config;
        let own = config.of_breakers().limit_of_calls().map(|limit| Limit {
            at: flight.since() + limit,
            blames_endpoint: true,
        });
        let all = self.deadline().map(|at| Limit {
            at,
            blames_endpoint: attempt == 1,
        });
        own.into_iter().chain(all).min_by_key(|limit| limit.at)
    }

    fn deadline(&self) -> Option<Instant> {
        let limit = self.shared.config.limit_of_calls()?;
        Some(self.began + limit)
    }

    fn may_repeat(&self, verdict: Verdict, tried: &Tried) -> bool {
        let left = tried.count() < self.shared.config.most_attempts() as usize;
        let in_time = self.deadline().is_none_or(|at| clock::now() < at);
        self.repeat.allows(verdict) && left && in_time
    }

    /// The next attempt, with its place in the budget, if the deadline leaves
    /// time for both.
    async fn try_again(&self, verdict: Verdict, tried: &Tried) -> Option<(Extra<'a>, Flight<T>)> {
        let again = async {
            sleep(self.pause(verdict, tried)).await;
            let budget = self.shared.config.extra_budget();
            let place = self.shared.extras.take(budget).await?;
            let flight = self.shared.board(self.wish(tried), &tried.endpoints).ok()?;
            Some((place, flight))
        };
        match self.deadline() {
            None => again.await,
            Some(at) => timeout_at(at.into(), again).await.ok().flatten(),
        }
    }

    /// How long to wait before the next attempt. What never reached an endpoint,
    /// and what one handed back, goes on at once.
    fn pause(&self, verdict: Verdict, tried: &Tried) -> Duration {
        if verdict != Verdict::Sent {
            return Duration::ZERO;
        }
        let nth = u32::try_from(tried.count()).unwrap_or(u32::MAX);
        let backoff = self.shared.config.backoff_of_retries();
        backoff.wait(nth, &mut Dice::seeded(fastrand::u64(..)))
    }

    /// How long to wait for the first answer before a hedge is sent, if at all.
    fn hedge_after(&self, tried: &Tried) -> Option<Duration> {
        let config = &self.shared.config;
        let hedge = config.hedging()?;
        let left = tried.count() < config.most_attempts() as usize;
        let latency = self.shared.quantile.current()?;
        (left && self.repeat == Repeat::Idempotent).then(|| hedge.delay(latency))
    }

    /// A second attempt at another endpoint, if there is one and the budget has
    /// room now.
    fn hedge(&self, tried: &Tried) -> Option<(Extra<'a>, Flight<T>)> {
        let budget = self.shared.config.extra_budget();
        let place = self.shared.extras.try_take(budget)?;
        let flight = self
            .shared
            .board_another(self.wish(tried), &tried.endpoints)?;
        Some((place, flight))
    }

    fn note_latency(&self, verdict: Verdict, took: Duration) {
        if let (Some(hedge), Verdict::Success) = (self.shared.config.hedging(), verdict) {
            self.shared.quantile.record(took, hedge.quantile());
        }
    }
}

/// The first of two attempts that has an answer, or else the last one's end.
async fn better<R, E>(
    first: impl Future<Output = Ended<R, E>> + Unpin,
    second: impl Future<Output = Ended<R, E>> + Unpin,
    decided: &AtomicBool,
    repeat: Repeat,
) -> Ended<R, E> {
    use futures_util::future::{Either, select};
    let (ended, other) = match select(first, second).await {
        Either::Left((ended, other)) => (ended, Either::Left(other)),
        Either::Right((ended, other)) => (ended, Either::Right(other)),
    };
    if repeat.allows(ended.0) {
        return other.await;
    }
    // Before the other one is dropped.
    decided.store(true, Ordering::Relaxed);
    ended
}

/// The endpoints that a call was sent to, and their tiers.
#[derive(Debug, Default)]
struct Tried {
    endpoints: Vec<EndpointId>,
    tiers: Vec<u8>,
}

impl Tried {
    fn note<T>(&mut self, flight: &Flight<T>) {
        self.endpoints.push(flight.id());
        self.tiers.push(flight.tier());
    }

    const fn count(&self) -> usize {
        self.endpoints.len()
    }

    /// What the next attempt is. It shuns a tier that failed twice in a row: with
    /// a whole tier down, all attempts would be spent in it (Envoy's
    /// `previous_priorities` does the same).
    fn attempt(&self) -> Attempt {
        match self.tiers[..] {
            [] => Attempt::First,
            [.., before, last] if before == last => Attempt::Next { shun: Some(last) },
            _ => Attempt::Next { shun: None },
        }
    }
}

/// When an attempt is given up.
#[derive(Clone, Copy, Debug)]
struct Limit {
    at: Instant,
    blames_endpoint: bool,
}

/// A flight that is ignored, not abandoned, if it is dropped once another one
/// has won.
struct Loser<'a, T> {
    decided: &'a AtomicBool,
    /// None once it is back.
    flight: Option<Flight<T>>,
}

impl<T> Loser<'_, T> {
    fn back(mut self) -> Flight<T> {
        self.flight.take().expect("it is back only once")
    }
}

impl<T> Drop for Loser<'_, T> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take()
            && self.decided.load(Ordering::Relaxed)
        {
            flight.give_up();
        }
    }
}
