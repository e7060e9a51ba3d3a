use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tower_service::Service;

use crate::kept::{Kept, Made, Place};
use crate::ready::ready;

/// A service that a make-service makes when it is first called, and again when it
/// is lost.
///
/// For endpoints of a pool that are connections rather than clients: an HTTP/2
/// connection, say, of which all calls share one. Whoever calls first makes it,
/// the others wait for it. Each call has a clone of its own and waits until that
/// is ready; if it is not ready any more, the service is made again, once in a call.
/// A service that cannot be made, or is not ready even so, is an endpoint to which
/// nothing was sent.
///
/// It is always ready: making is a part of the call, and so within its limit.
///
/// A connection that dies in silence is not lost: packets vanish, and nobody says
/// so. [`renew`](Self::renew) lets go of it; give it to
/// [`Endpoint::renew`](breakerbox::Endpoint::renew), and it is called when the
/// endpoint's breaker has opened. Keep-alive pings notice the same without any call:
/// hyper's and tonic's `http2_keep_alive_interval` bounds how long a dead connection
/// is taken for a good one. Not less than 10 s, or servers answer with a `GOAWAY` of
/// `ENHANCE_YOUR_CALM`.
///
/// # Cancel safety
///
/// A call that is dropped while it waits until the service is ready leaves the
/// service to the others. One that is dropped while it makes the service leaves
/// the making to the next.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use breakerbox::Endpoint;
/// # use breakerbox_tower::Lazy;
/// # use tower::service_fn;
/// # #[derive(Clone)] struct Connection;
/// # let connect = service_fn(|_host: &'static str| async { Ok::<_, std::io::Error>(Connection) });
/// let north: Lazy<_, _, Connection> = Lazy::new(connect, "north.internal:8080");
/// let north = north.max_age(Duration::from_secs(300));
/// let north = Endpoint::new("north", north).renew(Lazy::renew);
/// # drop(north);
/// ```
pub struct Lazy<M, T, S> {
    kept: Arc<Kept<S>>,
    make: M,
    max_age: Option<Duration>,
    target: T,
}

impl<M, T, S> Lazy<M, T, S> {
    /// What `make` makes of `target`; nothing is made yet.
    #[must_use]
    pub fn new(make: M, target: T) -> Self {
        Self {
            kept: Arc::new(Kept::new()),
            make,
            max_age: None,
            target,
        }
    }

    /// How old a service becomes, give or take a tenth at random; any age unless set.
    ///
    /// A connection that is always busy never looks its host name up again, so it
    /// stays where the name pointed once. With a maximum age it follows. The first
    /// call after that has another service made beside it; until that is ready, and
    /// if it cannot be made, calls go on with the old one. Then another is made ten
    /// seconds later at the soonest. Calls under way are not disturbed.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Lets go of the service, for all clones: the next call makes another one.
    ///
    /// Calls under way keep the clones that they have. A call that waits for a
    /// service that is being made goes on waiting for that; the next call does not.
    pub fn renew(&self) {
        self.kept.clear();
    }
}

impl<M, T, S, Request> Service<Request> for Lazy<M, T, S>
where
    M: Service<T, Response = S> + Clone + Send + 'static,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
    M::Future: Send,
    T: Clone + Send + 'static,
    S: Service<Request> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
    S::Future: Send,
    Request: Send + 'static,
{
    type Response = S::Response;
    type Error = LazyError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, LazyError<S::Error>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let lazy = self.clone();
        Box::pin(async move {
            let mut service = lazy.obtain().await.map_err(LazyError::NotMade)?;
            service.call(request).await.map_err(LazyError::Failed)
        })
    }
}

impl<M, T, S> Lazy<M, T, S>
where
    M: Service<T, Response = S> + Clone + Send + 'static,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
    M::Future: Send,
    T: Clone + Send + 'static,
{
    /// Returns a clone of the service that is ready for a request.
    async fn obtain<Request>(self) -> Result<S, NotMade>
    where
        S: Service<Request> + Clone + Send + Sync + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
        Request: 'static,
    {
        let place = self.kept.place();
        let was_there = place.get().is_some();
        if place
            .get()
            .is_some_and(|made| made.age.is_mine_to_replace())
        {
            self.clone().replace::<Request>(&place);
        }
        match self.ready_at(place).await {
            // It was lost since.
            Err(_) if was_there => self.ready_at(self.kept.place()).await,
            readied => readied,
        }
    }

    /// Returns the service of a place once it is ready. If it is lost, it is not there
    /// for others either.
    fn ready_at<Request>(
        &self,
        place: Arc<Place<S>>,
    ) -> impl Future<Output = Result<S, NotMade>> + use<M, T, S, Request>
    where
        S: Service<Request> + Clone,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let kept = Arc::clone(&self.kept);
        let making = self.make_unless_there(&place);
        async move {
            let service = match making {
                None => place.get().map(|made| made.service.clone()),
                Some(making) => Some(place.get_or_make(making).await?.service.clone()),
            };
            let service = service.expect("what has been made stays at its place");
            ready(service).await.map_err(|error| {
                kept.let_go_of(&place);
                NotMade::new(error)
            })
        }
    }

    /// Returns the making of a service for a place that has none.
    fn make_unless_there(
        &self,
        place: &Place<S>,
    ) -> Option<impl Future<Output = Result<Made<S>, NotMade>> + use<M, T, S>> {
        place.get().is_none().then(|| self.clone().make())
    }

    async fn make(self) -> Result<Made<S>, NotMade> {
        let mut make = ready(self.make).await.map_err(NotMade::new)?;
        let service = make.call(self.target).await.map_err(NotMade::new)?;
        Ok(Made::new(service, self.max_age))
    }

    /// Makes another service beside the one that is old.
    fn replace<Request>(self, old: &Arc<Place<S>>)
    where
        S: Service<Request> + Clone + Send + Sync + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>> + Send,
        Request: 'static,
    {
        let Ok(runtime) = Handle::try_current() else {
            // Nothing can be done beside this call.
            return self.kept.let_go_of(old);
        };
        let (kept, replacing) = (Arc::clone(&self.kept), Replacing(Arc::clone(old)));
        runtime.spawn(async move {
            if let Ok(made) = self.make().await
                && ready(made.service.clone()).await.is_ok()
            {
                kept.replace(&replacing.0, Place::of(made));
            }
        });
    }
}

/// The making of another service. However it ends, the old one can be replaced again.
struct Replacing<S>(Arc<Place<S>>);

impl<S> Drop for Replacing<S> {
    fn drop(&mut self) {
        if let Some(made) = self.0.get() {
            made.age.put_off();
        }
    }
}

impl<M: Clone, T: Clone, S> Clone for Lazy<M, T, S> {
    fn clone(&self) -> Self {
        Self {
            kept: Arc::clone(&self.kept),
            make: self.make.clone(),
            max_age: self.max_age,
            target: self.target.clone(),
        }
    }
}

impl<M, T: fmt::Debug, S> fmt::Debug for Lazy<M, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// A call of a [`Lazy`] service failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum LazyError<E> {
    /// The service was called, and failed.
    Failed(E),
    /// There is no service to call.
    NotMade(NotMade),
}

impl<E: Error + 'static> Error for LazyError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NotMade(error) => Some(error),
        }
    }
}

impl<E> fmt::Display for LazyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(_) => "the service failed",
            Self::NotMade(_) => "the service was not called",
        })
    }
}

/// A service could not be made, or it was not ready even so.
#[derive(Debug)]
pub struct NotMade {
    source: Box<dyn Error + Send + Sync>,
}

impl NotMade {
    fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
        }
    }
}

impl Error for NotMade {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service could not be made")
    }
}
