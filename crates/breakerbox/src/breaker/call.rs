//! A call through a breaker, as a future that holds the user's one in place.
//!
//! An `async fn` would keep that future twice, once as its argument and once
//! pinned, and move every permit through memory. A call that is ready at once
//! would take half as long again.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::coop::{Unconstrained, poll_proceed, unconstrained};
use tokio::time::{Sleep, sleep};

use super::{Breaker, Decision, Permit, Shared};
use crate::{CallError, Failure, Judgement};

pin_project! {
    /// The future that [`Breaker::call_with`] returns.
    pub(super) struct Call<'a, T, E, F, C> {
        breaker: &'a Breaker,
        classify: Option<C>,
        // None once it has ended. Dropped before its permit.
        #[pin]
        future: Option<F>,
        // Whether it was admitted: it never is a second time.
        is_admitted: bool,
        limit: Option<Limit>,
        permit: Option<Permit<'a>>,
        undecided: Option<Box<Undecided<T, E>>>,
    }
}

/// The time that a call may take.
pub(super) struct Limit {
    /// Out of tokio's budget, or a call that uses it up would have no limit.
    over: Pin<Box<Unconstrained<Sleep>>>,
    span: Duration,
}

/// A call that has ended, while a custom policy judges it.
pub(super) struct Undecided<T, E> {
    pub(super) decision: Decision,
    pub(super) ended: Result<T, CallError<E>>,
}

impl<'a, T, E, F, C> Call<'a, T, E, F, C> {
    #[inline]
    pub(super) fn new(breaker: &'a Breaker, classify: C, future: F) -> Self {
        Self {
            breaker,
            classify: Some(classify),
            future: Some(future),
            is_admitted: false,
            limit: None,
            permit: None,
            undecided: None,
        }
    }
}

impl<T, E, F, C, J> Future for Call<'_, T, E, F, C>
where
    F: Future<Output = Result<T, E>>,
    C: FnOnce(&Result<T, E>) -> J,
    J: Into<Judgement>,
{
    type Output = Result<T, CallError<E>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.undecided.is_some() {
            return poll_undecided(this.undecided, context);
        }
        // Before a permit is taken, which a panic would make a failure.
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("a call that has ended is not polled");
        let permit = match this.permit.take() {
            Some(permit) => permit,
            None if *this.is_admitted => panic!("a call that has panicked is not polled"),
            None => match this.breaker.try_acquire() {
                Ok(permit) => match this.breaker.call_timeout() {
                    None => permit,
                    Some(span) => {
                        let shared = &this.breaker.shared;
                        let (limit, permit) = Limit::new(span, shared, permit, Permit::ignore);
                        *this.limit = Some(limit);
                        permit
                    }
                },
                Err(rejected) => {
                    // A loop of rejected calls lets other tasks run: when its turn is
                    // over, the call asks again in the next one.
                    ready!(poll_proceed(context)).made_progress();
                    return Poll::Ready(Err(rejected.into()));
                }
            },
        };
        *this.is_admitted = true;
        // The permit is in this frame while the future runs, so a panic drops it.
        let ended = match future.poll(context) {
            Poll::Ready(result) => Ok(result),
            Poll::Pending => match Limit::poll(this.limit, context) {
                Poll::Ready(span) => Err(span),
                Poll::Pending => {
                    *this.permit = Some(permit);
                    return Poll::Pending;
                }
            },
        };
        this.future.set(None);
        let classify = this.classify.take().expect("a call ends once");
        let decision = match &ended {
            Ok(result) => permit.settle_in_call(classify(result)),
            Err(span) => permit.settle_in_call(Failure::timed_out(*span)),
        };
        let ended = match ended {
            Ok(result) => result.map_err(CallError::Failed),
            Err(span) => Err(CallError::TimedOut(span)),
        };
        match decision {
            None => Poll::Ready(ended),
            Some(decision) => {
                *this.undecided = Some(Box::new(Undecided { decision, ended }));
                poll_undecided(this.undecided, context)
            }
        }
    }
}

#[cold]
pub(super) fn poll_undecided<T, E>(
    undecided: &mut Option<Box<Undecided<T, E>>>,
    context: &mut Context<'_>,
) -> Poll<Result<T, CallError<E>>> {
    let mut call = undecided.take().expect("it is undecided");
    if Pin::new(&mut call.decision).poll(context).is_pending() {
        *undecided = Some(call);
        return Poll::Pending;
    }
    Poll::Ready(call.ended)
}

impl Limit {
    /// A limit for the call of this permit. A runtime without timers is nobody's
    /// failure.
    #[cold]
    pub(super) fn new<P>(
        span: Duration,
        shared: &Shared,
        permit: P,
        ignore: impl FnOnce(P),
    ) -> (Self, P) {
        match shared.timer(|| sleep(span)) {
            Ok(over) => {
                let over = Box::pin(unconstrained(over));
                (Self { over, span }, permit)
            }
            Err(panic) => {
                ignore(permit);
                resume_unwind(panic)
            }
        }
    }

    /// Returns the limit, if there is one and it is over.
    pub(super) fn poll(limit: &mut Option<Self>, context: &mut Context<'_>) -> Poll<Duration> {
        let Some(limit) = limit else {
            return Poll::Pending;
        };
        limit.over.as_mut().poll(context).map(|()| limit.span)
    }
}
