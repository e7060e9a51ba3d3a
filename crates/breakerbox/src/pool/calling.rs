//! One call to a pool, with all its attempts.
//!
//! An attempt is a future that holds its flight, so whatever drops it ends the
//! flight. A round is an attempt, and perhaps a hedge beside it; rounds follow
//! one another until one has an answer or there may be no other.

mod attempt;
mod limits;

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Dice, Repeat, Verdict, Wish};
use tokio::time::{sleep, timeout_at};

use super::extras::Extra;
use super::flight::Flight;
use super::round::Round;
use super::shared::Shared;
use super::tried::Tried;
use super::{PoolError, PoolPermit, Progress, Unavailable};
use crate::clock;
use attempt::Ended;
pub(super) use limits::CallLimits;

/// The parts of a call that stay the same from one attempt to the next.
///
/// `C` judges an answer, and says None of one that is still coming in; `P` says
/// how far the call is with what it sends.
pub(super) struct Calling<'a, T, C, P> {
    pub(super) began: Instant,
    pub(super) classify: C,
    pub(super) client: Option<u64>,
    pub(super) key: Option<u64>,
    pub(super) limits: CallLimits,
    pub(super) progress: P,
    pub(super) shared: &'a Shared<T>,
}

/// The result of a call, with its permit if the answer is still coming in.
pub(super) type Called<A, E> = Result<(A, Option<PoolPermit>), PoolError<E>>;

/// Makes one attempt, at an endpoint that admits the call.
///
/// The call begins when the future is first polled. Functions here that take a future, or
/// a closure that makes one, are not `async fn`s: those would keep their argument twice,
/// and move it as often.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps its arguments twice"
)]
pub(super) fn once<'a, T, C, P, A, E, F>(
    begin: impl FnOnce() -> Calling<'a, T, C, P>,
    make: impl FnOnce(T) -> F,
) -> impl Future<Output = Called<A, E>>
where
    T: Clone + Send + Sync + 'static,
    C: Fn(&Result<A, E>) -> Option<Verdict>,
    P: Fn() -> Progress,
    F: Future<Output = Result<A, E>>,
{
    async move {
        let calling = begin();
        calling.limits.refuse_runtime_without_timers();
        let first = calling.board(&Tried::default(), calling.began);
        let (flight, value) = first.map_err(PoolError::Rejected)?;
        let _active = calling.shared.extras.enter(flight.since());
        let round = Round::new(&flight);
        let contender = round.enter(&calling.progress, flight);
        let mut call = pin!(Some(make(value)));
        calling.fly(contender, 1, call.as_mut()).await.called
    }
}

/// Makes attempts until one succeeds or no other is allowed.
///
/// The call begins when the future is first polled.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn keeps its arguments twice"
)]
pub(super) fn repeatedly<'a, T, C, P, A, E, F>(
    begin: impl FnOnce() -> Calling<'a, T, C, P>,
    make: impl Fn(T) -> F,
) -> impl Future<Output = Called<A, E>>
where
    T: Clone + Send + Sync + 'static,
    C: Fn(&Result<A, E>) -> Option<Verdict>,
    P: Fn() -> Progress,
    F: Future<Output = Result<A, E>>,
{
    async move {
        let mut calling = begin();
        calling.limits.refuse_runtime_without_timers();
        let mut tried = Tried::default();
        let first = calling.board(&tried, calling.began);
        let (mut flight, mut value) = first.map_err(PoolError::Rejected)?;
        let mut extra = None;
        loop {
            let ended = {
                tried.note(&flight);
                let _active = calling.shared.extras.enter(flight.since());
                let round = Round::new(&flight);
                let contender = round.enter(&calling.progress, flight);
                let mut call = pin!(Some(make(value)));
                let first = pin!(calling.fly(contender, tried.count(), call.as_mut()));
                match calling.hedge_after(&tried) {
                    None => first.await,
                    // Most calls are not hedged, and need no room for it.
                    Some(delay) => {
                        let hedged = calling.hedged(first, delay, &round, &mut tried, &make);
                        Box::pin(hedged).await
                    }
                }
            };
            drop(extra.take());
            let Some((place, next)) = calling.try_again(ended.verdict, &tried).await else {
                return ended.called;
            };
            (extra, (flight, value)) = (Some(place), next);
            calling.limits = calling.shared.limits();
        }
    }
}

impl<'a, T, C, P> Calling<'a, T, C, P>
where
    T: Clone + Send + Sync + 'static,
    P: Fn() -> Progress,
{
    /// The first attempt, and another one beside it once it has taken so long.
    async fn hedged<A, E, F>(
        &self,
        mut first: Pin<&mut impl Future<Output = Ended<A, E>>>,
        delay: Duration,
        round: &Round,
        tried: &mut Tried,
        make: &impl Fn(T) -> F,
    ) -> Ended<A, E>
    where
        C: Fn(&Result<A, E>) -> Option<Verdict>,
        F: Future<Output = Result<A, E>>,
    {
        tokio::select! {
            biased;
            ended = &mut first => return ended,
            () = sleep(delay) => {}
        }
        let Some((_place, (hedge, value))) = self.hedge(tried) else {
            return first.await;
        };
        tried.note(&hedge);
        let contender = round.enter(&self.progress, hedge);
        let mut call = pin!(Some(make(value)));
        let second = pin!(self.fly(contender, tried.count(), call.as_mut()));
        better(first, second, &round.decided, self.repeat()).await
    }

    fn wish(&self, tried: &Tried) -> Wish {
        Wish {
            attempt: tried.attempt(),
            bits: fastrand::u64(..),
            key: self.key,
            repeat: self.repeat(),
        }
    }

    fn repeat(&self) -> Repeat {
        (self.progress)().repeat
    }

    fn may_repeat(&self, verdict: Verdict, tried: &Tried) -> bool {
        let left = tried.allows_another(self.shared.config().most_attempts());
        let in_time = self.deadline().is_none_or(|at| clock::now() < at);
        self.repeat().allows(verdict) && left && in_time
    }

    /// The next attempt, with its place in the budget, if there may be one and the
    /// deadline leaves time for both.
    async fn try_again(&self, verdict: Verdict, tried: &Tried) -> Option<(Extra<'a>, (Flight, T))> {
        if !self.may_repeat(verdict, tried) {
            return None;
        }
        let again = async {
            sleep(self.pause(verdict, tried)).await;
            let shared = self.shared;
            let budget = shared.config().extra_budget();
            let taken = clock::now().saturating_duration_since(self.began);
            let place = shared.extras.take(budget, budget.patience(taken));
            let place = place.await?;
            // What it sends may have been used up meanwhile.
            if !self.repeat().allows(verdict) {
                return None;
            }
            Some((place, self.board(tried, clock::now()).ok()?))
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
        let may_be_done = matches!(
            verdict,
            Verdict::Ambiguous | Verdict::Sent | Verdict::ServerError(_)
        );
        if !may_be_done && has_another() {
            return Duration::ZERO;
        }
        let nth = u32::try_from(tried.count()).unwrap_or(u32::MAX);
        let backoff = self.shared.config().backoff_of_retries();
        backoff.wait(nth, &mut Dice::seeded(fastrand::u64(..)))
    }

    /// How long to wait for the first answer before a hedge is sent, if at all.
    fn hedge_after(&self, tried: &Tried) -> Option<Duration> {
        let hedge = self.limits.hedge?;
        let left = tried.allows_another(self.shared.config().most_attempts());
        let latency = self.shared.quantile.current()?;
        (left && self.repeat() == Repeat::Idempotent).then(|| hedge.delay(latency))
    }

    /// A second attempt at another endpoint, if there is one and the budget has
    /// room now.
    fn hedge(&self, tried: &Tried) -> Option<(Extra<'a>, (Flight, T))> {
        // What it sends may have been used up meanwhile.
        if self.repeat() != Repeat::Idempotent {
            return None;
        }
        let shared = self.shared;
        let place = shared.extras.try_take(shared.config().extra_budget())?;
        let (mut flight, value) = shared.board_another(self.wish(tried), &tried.endpoints)?;
        flight.client = self.client;
        Some((place, (flight, value)))
    }

    fn board(&self, tried: &Tried, now: Instant) -> Result<(Flight, T), Unavailable> {
        let wish = self.wish(tried);
        let (mut flight, value) = self.shared.board(wish, &tried.endpoints, now)?;
        flight.client = self.client;
        Ok((flight, value))
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
