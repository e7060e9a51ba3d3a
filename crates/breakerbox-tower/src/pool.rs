use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use breakerbox::{Pool, PoolError, Repeat, Verdict};
use bytes::Bytes;
use http::Request;
use http::request::Parts;
use http_body::Body;
use tower_service::Service;

use crate::replay::{Attempt, Delivery, Replay};
use crate::{Classify, ReplayBody, Unsettled, http as rules};

/// A pool of HTTP services as one: requests go to one that works.
///
/// Its endpoints are services for requests with a [`ReplayBody`]: hyper-util's
/// client in an [`Origin`](crate::Origin), a tonic channel, or anything else that
/// is cheap to clone. A client must not follow redirects, or a POST may be sent
/// twice: [`error_verdict`](crate::error_verdict) says why.
///
/// It is always ready. An endpoint that is not ready is waited for within the
/// limit of an attempt; one that says by an error that it will not be ready was
/// not sent anything, whatever the classifier makes of the error.
///
/// [`http::repeat`](crate::http::repeat) says what may be sent twice. Of a body,
/// up to 64 KiB are kept for that; a request of which more was read is not sent
/// again, and one with a body is not hedged. The verdict comes from the end of
/// the response's body, but what is repeated is decided by its head: by then a
/// part of it has been handed on.
///
/// Limits of time are for endpoints: they count from when one has taken what there
/// was to send. While it waits for the caller to send more, as in a stream that the
/// caller holds open, there is no limit, and a caller that wants one sets it
/// around the call.
///
/// An exchange that breaks while the upload is still being sent has two who can have
/// broken it, and so it judges no endpoint: an error that would be
/// [`Verdict::Sent`](breakerbox::Verdict::Sent) is
/// [`Verdict::Ambiguous`](breakerbox::Verdict::Ambiguous). Where
/// [`client_by`](Self::client_by) says whose a request is, the pool can tell a client
/// that breaks off from an endpoint that does.
///
/// gRPC is POST, and so its calls are repeated only if nothing was sent. That
/// leaves out `UNAVAILABLE` and pushback, which are answers. To repeat methods
/// that may run twice, name them in [`repeat_by`](Self::repeat_by).
///
/// # Errors
///
/// A call fails with [`PoolError::Rejected`] where no endpoint may be used,
/// [`PoolError::TimedOut`] where the last attempt did not begin to answer in time,
/// and [`PoolError::Failed`] with the error of the last endpoint otherwise. A
/// response is an answer, whatever its status.
///
/// # Cancel safety
///
/// Dropping the future of a call drops its attempt, whose permit is abandoned. A
/// request that was sent may still be carried out. Dropping the body of a
/// response before its end abandons the permit as well.
pub struct PoolService<S, C> {
    classify: C,
    client: Option<ClientBy<S>>,
    pool: Pool<S>,
    repeat: RepeatBy,
    replay_up_to: usize,
}

/// The pool for the client of a request, if that is known.
type ClientBy<S> = Arc<dyn Fn(&Pool<S>, &Parts) -> Option<Pool<S>> + Send + Sync>;
type RepeatBy = Arc<dyn Fn(&Parts) -> Repeat + Send + Sync>;

impl<S, C> PoolService<S, C> {
    /// The services of this pool as one; `classify` judges their answers.
    pub fn new(pool: Pool<S>, classify: C) -> Self {
        Self {
            classify,
            client: None,
            pool,
            repeat: Arc::new(|head| rules::repeat(&head.method, &head.headers)),
            replay_up_to: REPLAY_UP_TO,
        }
    }

    /// What may be sent twice, by the head of a request, instead of
    /// [`http::repeat`](crate::http::repeat).
    #[must_use]
    pub fn repeat_by(mut self, repeat: impl Fn(&Parts) -> Repeat + Send + Sync + 'static) -> Self {
        self.repeat = Arc::new(repeat);
        self
    }

    /// How many bytes of a request's body are kept, to send them again; 64 KiB
    /// unless set.
    ///
    /// A piece of a body counts as 64 bytes at least, so this limits the memory
    /// also of one that comes byte by byte. A header in its trailers counts as 32
    /// bytes more than its text.
    #[must_use]
    pub const fn replay_up_to(mut self, bytes: usize) -> Self {
        self.replay_up_to = bytes;
        self
    }

    /// The pool.
    pub const fn pool(&self) -> &Pool<S> {
        &self.pool
    }
}

impl<S: Clone + Send + Sync + 'static, C> PoolService<S, C> {
    /// Whose a request is, by its head: an address, an account, or whatever tells one
    /// client from another. None if that is not known.
    ///
    /// Unless set, no request is known to be anybody's.
    #[must_use]
    pub fn client_by<K: Hash>(
        mut self,
        client: impl Fn(&Parts) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        let pool_for = move |pool: &Pool<S>, head: &Parts| Some(pool.for_client(client(head)?));
        self.client = Some(Arc::new(pool_for));
        self
    }

    /// The pool, for this request.
    fn pool_for(&self, head: &Parts) -> Pool<S> {
        let client_by = self.client.as_ref();
        let of_client = client_by.and_then(|client_by| client_by(&self.pool, head));
        of_client.unwrap_or_else(|| self.pool.clone())
    }
}

impl<S, C, B> Service<Request<B>> for PoolService<S, C>
where
    S: Service<Request<ReplayBody<B>>> + Clone + Send + Sync + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
    C: Classify<S::Response, S::Error>,
    C::Watched: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = C::Watched;
    type Error = PoolError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<C::Watched, PoolError<S::Error>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let replay = Replay::new(request, &*self.repeat, self.replay_up_to);
        let (classify, pool) = (self.classify.clone(), self.pool_for(replay.head()));
        Box::pin(async move {
            let send = |service: S| Called::of(service, replay.attempt());
            let judge = |called: &Result<Called<_, _>, _>| called.as_ref().ok()?.verdict(&classify);
            let (called, permit) = pool
                .call_streaming(|| replay.progress(), judge, send)
                .await?;
            let answer = called.result.map_err(PoolError::Failed)?;
            let unsettled = permit.map(|permit| match called.delivery {
                Some(delivery) => Unsettled::of_delivery(permit, delivery),
                None => permit.into(),
            });
            Ok(classify.watch(answer, unsettled))
        })
    }
}

/// What an attempt came to.
struct Called<T, E> {
    /// None if the service was not ready, and so was not sent anything.
    delivery: Option<Delivery>,
    result: Result<T, E>,
}

impl<T, E> Called<T, E> {
    /// Sends a request. What becomes of it is always `Ok`.
    ///
    /// No `async fn`, which would keep all that it is given twice.
    fn of<S, B>(mut service: S, attempt: Attempt<B>) -> impl Future<Output = Result<Self, E>>
    where
        S: Service<Request<ReplayBody<B>>, Response = T, Error = E>,
    {
        let Attempt {
            delivery,
            request,
            underway,
        } = attempt;
        async move {
            let _underway = underway;
            Ok(match poll_fn(|context| service.poll_ready(context)).await {
                Err(error) => Self {
                    delivery: None,
                    result: Err(error),
                },
                Ok(()) => Self {
                    result: service.call(request).await,
                    delivery: Some(delivery),
                },
            })
        }
    }

    fn verdict<C: Classify<T, E>>(&self, classify: &C) -> Option<Verdict> {
        let verdict = classify.verdict(&self.result);
        match &self.delivery {
            None => Some(match verdict {
                Some(Verdict::OutOfResources) => Verdict::OutOfResources,
                _ => Verdict::NotSent,
            }),
            // An error has no end that could say more.
            Some(delivery) if self.result.is_err() => {
                Some(delivery.judge(verdict.unwrap_or(Verdict::Sent)))
            }
            Some(_) => verdict,
        }
    }
}

impl<S, C: Clone> Clone for PoolService<S, C> {
    fn clone(&self) -> Self {
        Self {
            classify: self.classify.clone(),
            client: self.client.clone(),
            pool: self.pool.clone(),
            repeat: Arc::clone(&self.repeat),
            replay_up_to: self.replay_up_to,
        }
    }
}

impl<S, C> fmt::Debug for PoolService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolService")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// What linkerd keeps of a body to send it again.
const REPLAY_UP_TO: usize = 64 * 1_024;
