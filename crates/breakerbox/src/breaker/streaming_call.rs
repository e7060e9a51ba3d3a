//! A call whose answer goes on after it has begun, as a future that holds the user's
//! one in place, as [`call`](super::call) does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::OwnedPermit;
use super::call::{Limit, Undecided, poll_undecided};
use crate::{CallError, Failure, Judgement, Outcome};

pin_project! {
    /// The future that [`OwnedPermit::call_streaming`] returns.
    pub(super) struct StreamingCall<T, E, F, C> {
        classify: Option<C>,
        // None after it has ended. Dropped before its permit.
        #[pin]
        future: Option<F>,
        has_begun: bool,
        limit: Option<Limit>,
        permit: Option<OwnedPermit>,
        undecided: Option<Box<Undecided<Begun<T>, E>>>,
    }
}

/// An answer, with the permit if the answer goes on: its end settles the permit.
pub(super) type Begun<T> = (T, Option<OwnedPermit>);

impl<T, E, F, C> StreamingCall<T, E, F, C> {
    pub(super) const fn new(permit: OwnedPermit, classify: C, future: F) -> Self {
        Self {
            classify: Some(classify),
            future: Some(future),
            has_begun: false,
            limit: None,
            permit: Some(permit),
            undecided: None,
        }
    }
}

impl<T, E, F, C> Future for StreamingCall<T, E, F, C>
where
    F: Future<Output = Result<T, E>>,
    C: FnOnce(&Result<T, E>) -> Option<Outcome>,
{
    type Output = Result<Begun<T>, CallError<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.undecided.is_some() {
            return poll_undecided(this.undecided, context);
        }
        // The permit is in this frame while the future runs, so a panic drops it.
        let permit = this.permit.take();
        let mut permit = permit.expect("a call that has ended or panicked is not polled");
        if !*this.has_begun {
            *this.has_begun = true;
            permit.arrive();
            if let Some(span) = permit.call_timeout() {
                let shared = Arc::clone(permit.shared());
                let (limit, begun) = Limit::new(span, &shared, permit, OwnedPermit::ignore);
                (*this.limit, permit) = (Some(limit), begun);
            }
        }
        let future = this.future.as_mut().as_pin_mut();
        let future = future.expect("it is there as long as the permit");
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
        let judgement = match &ended {
            Ok(result) => classify(result).map(Judgement::from),
            Err(span) => Some(Failure::timed_out(*span).into()),
        };
        let (judgement, ended) = match (judgement, ended) {
            (None, Ok(Ok(answer))) => {
                permit.note_answer();
                return Poll::Ready(Ok((answer, Some(permit))));
            }
            (None, ended) => (Outcome::failure().into(), ended),
            (Some(judgement), ended) => (judgement, ended),
        };
        let ended = match ended {
            Ok(result) => result
                .map(|answer| (answer, None))
                .map_err(CallError::Failed),
            Err(span) => Err(CallError::TimedOut(span)),
        };
        let mut decision = permit.settle(judgement);
        if Pin::new(&mut decision).poll(context).is_ready() {
            return Poll::Ready(ended);
        }
        *this.undecided = Some(Box::new(Undecided { decision, ended }));
        Poll::Pending
    }
}
