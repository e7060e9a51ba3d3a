use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::Mutex;
use tower_service::Service;

use crate::ready::ready;

/// A service that a make-service makes when it is first called, and again when it
/// is lost.
///
/// For endpoints of a pool that are connections rather than clients: an HTTP/2
/// connection, say, of which all calls share one. Whoever calls first makes it,
/// the others wait for it. Each call has a clone of its own and waits until that
/// is ready; if it is not ready any more, the service is made anew, once in a call.
/// A service that cannot be made, or is not ready even so, is an endpoint to which
/// nothing was sent.
///
/// It is always ready: making is a part of the call, and so within its limit.
///
/// # Cancel safety
///
/// A call that is dropped while it waits until the service is ready leaves the
/// service to the others. One that is dropped while it makes the service leaves
/// the making to the next.
pub struct Lazy<M, T, S> {
    make: M,
    made: Arc<Mutex<Made<S>>>,
    target: T,
}

impl<M, T, S> Lazy<M, T, S> {
    /// What `make` makes of `target`; nothing is made yet.
    #[must_use]
    pub fn new(make: M, target: T) -> Self {
        let nothing = Made {
            generation: 0,
            service: None,
        };
        Self {
            make,
            made: Arc::new(Mutex::new(nothing)),
            target,
        }
    }
}

impl<M, T, S, Request> Service<Request> for Lazy<M, T, S>
where
    M: Service<T, Response = S> + Clone + Send + 'static,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
    M::Future: Send,
    T: Clone + Send + 'static,
    S: Service<Request> + Clone + Send + 'static,
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
        let (make, target) = (self.make.clone(), self.target.clone());
        let made = Arc::clone(&self.made);
        Box::pin(async move {
            let obtained = obtain(&made, make, target).await;
            let mut service = obtained.map_err(LazyError::NotMade)?;
            service.call(request).await.map_err(LazyError::Failed)
        })
    }
}

/// A clone of the service that is ready for a request.
async fn obtain<M, T, S, Request>(made: &Mutex<Made<S>>, make: M, target: T) -> Result<S, NotMade>
where
    M: Service<T, Response = S> + Clone,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
    T: Clone,
    S: Service<Request> + Clone,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let found = find(made, make.clone(), target.clone()).await?;
    match (found.age, readied(made, found).await) {
        // It was lost since.
        (Age::Kept, Err(_)) => readied(made, find(made, make, target).await?).await,
        (_, readied) => readied,
    }
}

/// What all clones share.
struct Made<S> {
    /// How many services there were. Who finds one that is lost must not throw away
    /// the next one.
    generation: u64,
    service: Option<S>,
}

/// A clone of the service that is there.
struct Found<S> {
    age: Age,
    generation: u64,
    service: S,
}

#[derive(Clone, Copy)]
enum Age {
    /// It was there before.
    Kept,
    /// It was made for this call.
    New,
}

/// The service; made, if there is none, while all others wait for it.
async fn find<M, T, S>(made: &Mutex<Made<S>>, make: M, target: T) -> Result<Found<S>, NotMade>
where
    M: Service<T, Response = S>,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
    S: Clone,
{
    let mut made = made.lock().await;
    let (age, service) = match &made.service {
        Some(service) => (Age::Kept, service.clone()),
        None => (Age::New, self::make(make, target).await?),
    };
    if let Age::New = age {
        made.generation += 1;
        made.service = Some(service.clone());
    }
    Ok(Found {
        age,
        generation: made.generation,
        service,
    })
}

async fn make<M, T>(make: M, target: T) -> Result<M::Response, NotMade>
where
    M: Service<T>,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut make = ready(make).await.map_err(NotMade::new)?;
    make.call(target).await.map_err(NotMade::new)
}

/// The service once it is ready. If it is lost, it is not there for others either.
async fn readied<S, Request>(made: &Mutex<Made<S>>, found: Found<S>) -> Result<S, NotMade>
where
    S: Service<Request>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    match ready(found.service).await {
        Ok(service) => Ok(service),
        Err(error) => {
            let mut made = made.lock().await;
            if made.generation == found.generation {
                made.service = None;
            }
            Err(NotMade::new(error))
        }
    }
}

impl<M: Clone, T: Clone, S> Clone for Lazy<M, T, S> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
            made: Arc::clone(&self.made),
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
