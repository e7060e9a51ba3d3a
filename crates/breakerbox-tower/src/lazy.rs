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
/// the others wait for it; one that is not ready any more is made anew. A service that cannot be made is an endpoint to
/// which nothing was sent.
///
/// It is always ready: making is a part of the call, and so within its limit.
pub struct Lazy<M, T, S> {
    make: M,
    made: Arc<Mutex<Option<S>>>,
    target: T,
}

impl<M, T, S> Lazy<M, T, S> {
    /// What `make` makes of `target`; nothing is made yet.
    #[must_use]
    pub fn new(make: M, target: T) -> Self {
        Self {
            make,
            made: Arc::new(Mutex::new(None)),
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
    S::Error: Send,
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
            let mut place = made.lock().await;
            let kept = match place.take() {
                Some(service) => ready(service).await.ok(),
                None => None,
            };
            let mut service = match kept {
                Some(service) => service,
                None => {
                    let service = self::make(make, target).await;
                    let service = service.map_err(LazyError::NotMade)?;
                    ready(service).await.map_err(LazyError::Failed)?
                }
            };
            *place = Some(service.clone());
            drop(place);
            service.call(request).await.map_err(LazyError::Failed)
        })
    }
}

async fn make<M, T>(make: M, target: T) -> Result<M::Response, NotMade>
where
    M: Service<T>,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let made = async {
        let mut make = ready(make).await?;
        make.call(target).await
    };
    made.await.map_err(|error: M::Error| NotMade {
        source: error.into(),
    })
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
pub enum LazyError<E> {
    /// The service was there, and failed.
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

/// A service could not be made.
#[derive(Debug)]
pub struct NotMade {
    source: Box<dyn Error + Send + Sync>,
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
