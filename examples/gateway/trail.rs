//! Where a request went.
//!
//! A pool decides that, and says nothing of it in the response. So the request takes
//! its trail along, in its extensions, and each server writes its name into it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

/// The attempts that were made for a request.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    attempts: AtomicU32,
    last: Mutex<Option<Arc<str>>>,
    pool: OnceLock<String>,
}

impl Trail {
    /// Returns the trail of a request that has one.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<&Arc<Self>> {
        request.extensions().get()
    }

    /// Notes the pool of the request's route.
    pub(crate) fn enter_pool(&self, name: &str) {
        self.pool.get_or_init(|| name.to_owned());
    }

    pub(crate) fn pool(&self) -> Option<&str> {
        self.pool.get().map(String::as_str)
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// Returns the endpoint that was sent the request last.
    pub(crate) fn last(&self) -> Option<Arc<str>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    fn record_attempt(&self, endpoint: &Arc<str>) {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Arc::clone(endpoint));
    }
}

/// The name of the endpoint that a response is from, among its extensions.
#[derive(Clone, Debug)]
pub(crate) struct ServedBy(pub(crate) Arc<str>);

/// A server that writes its name into the trails of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Traced<S> {
    name: Arc<str>,
    service: S,
}

impl<S> Traced<S> {
    pub(crate) fn new(name: &str, service: S) -> Self {
        Self {
            name: name.into(),
            service,
        }
    }
}

impl<S, B, A> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response<A>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let name = Trail::of(&request).map(|trail| {
            trail.record_attempt(&self.name);
            Arc::clone(&self.name)
        });
        TracedFuture {
            future: self.service.call(request),
            name,
        }
    }
}

pin_project! {
    /// The response of a [`Traced`] server, which says by whom it is.
    pub(crate) struct TracedFuture<F> {
        #[pin]
        future: F,
        // None where the request has no trail.
        name: Option<Arc<str>>,
    }
}

impl<F, A, E> Future for TracedFuture<F>
where
    F: Future<Output = Result<Response<A>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answered = ready!(this.future.poll(context));
        if let (Ok(response), Some(name)) = (&mut answered, this.name.take()) {
            response.extensions_mut().insert(ServedBy(name));
        }
        Poll::Ready(answered)
    }
}
