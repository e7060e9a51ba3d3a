use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::{BodyExt, Collected, Either};
use tower_layer::Layer;
use tower_service::Service;

/// Reads small bodies to their end before it hands on the response.
///
/// Once the head of a response has been handed on, the request cannot be sent
/// again elsewhere. With this around the endpoints of a pool, a body of known
/// length that breaks in the middle is an error of the call, and is repeated as
/// any other. Larger bodies, and those of which nobody knows the length, are
/// streamed as they come.
#[derive(Clone, Copy, Debug)]
#[must_use = "a layer does nothing until it is applied"]
pub struct Gather {
    up_to: u64,
}

impl Gather {
    /// Reads bodies of up to so many bytes.
    pub const fn up_to(bytes: u64) -> Self {
        Self { up_to: bytes }
    }
}

impl<S> Layer<S> for Gather {
    type Service = GatherService<S>;

    fn layer(&self, service: S) -> GatherService<S> {
        GatherService {
            service,
            up_to: self.up_to,
        }
    }
}

/// A service whose small bodies are there at once, from a [`Gather`].
#[derive(Clone, Debug)]
pub struct GatherService<S> {
    service: S,
    up_to: u64,
}

/// What a service answers whose bodies may have been read.
type Gathered<B> = Response<Either<Collected<Bytes>, B>>;

impl<S, B, Request> Service<Request> for GatherService<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Gathered<B>;
    type Error = GatherError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Gathered<B>, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service
            .poll_ready(context)
            .map_err(GatherError::Failed)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (future, up_to) = (self.service.call(request), self.up_to);
        Box::pin(async move {
            let (head, body) = future.await.map_err(GatherError::Failed)?.into_parts();
            let is_small = body.size_hint().exact().is_some_and(|size| size <= up_to);
            let body = match is_small {
                true => Either::Left(body.collect().await.map_err(broken)?),
                false => Either::Right(body),
            };
            Ok(Response::from_parts(head, body))
        })
    }
}

fn broken<E>(error: impl Into<Box<dyn Error + Send + Sync>>) -> GatherError<E> {
    GatherError::Body(BrokenBody {
        source: error.into(),
    })
}

/// There is no response, or not all of it.
#[derive(Debug)]
#[non_exhaustive]
pub enum GatherError<E> {
    /// The response has begun, but its body broke.
    Body(BrokenBody),
    /// The service failed.
    Failed(E),
}

impl<E: Error + 'static> Error for GatherError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            Self::Failed(error) => Some(error),
        }
    }
}

impl<E> fmt::Display for GatherError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body(_) => "there is only a part of the response",
            Self::Failed(_) => "the service failed",
        })
    }
}

/// The body of a response broke.
///
/// Its request was sent, whatever the cause: [`error_verdict`](crate::error_verdict)
/// looks no deeper.
#[derive(Debug)]
pub struct BrokenBody {
    source: Box<dyn Error + Send + Sync>,
}

impl Error for BrokenBody {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

impl fmt::Display for BrokenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the response broke")
    }
}
