use std::error::Error;
use std::time::SystemTime;

use ::http::header::CONTENT_LENGTH;
use ::http::{HeaderMap, Response, StatusCode};
use breakerbox::Verdict;
use http_body::Body;

use crate::body::{Kind, WatchedBody};
use crate::{Unsettled, error_verdict, grpc, http};

/// Says what the answer of a service means.
///
/// [`Http`], [`Grpc`], [`ByResult`], or any closure from the result of a call to
/// a [`Verdict`].
pub trait Classify<T, E>: Clone + Send + Sync + 'static {
    /// An answer as it is handed on.
    type Watched;

    /// The verdict; None if only the end of the answer can say.
    fn verdict(&self, result: &Result<T, E>) -> Option<Verdict>;

    /// Hands an answer on. Where it had no verdict, `unsettled` is to be settled
    /// at its end.
    fn watch(&self, answer: T, unsettled: Option<Unsettled>) -> Self::Watched;
}

/// Judges nothing but whether there is an error, which counts as sent.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ByResult;

impl<T, E> Classify<T, E> for ByResult {
    type Watched = T;

    fn verdict(&self, result: &Result<T, E>) -> Option<Verdict> {
        Some(match result {
            Ok(_) => Verdict::Success,
            Err(_) => Verdict::Sent,
        })
    }

    fn watch(&self, answer: T, _unsettled: Option<Unsettled>) -> T {
        answer
    }
}

impl<T, E, F> Classify<T, E> for F
where
    F: Fn(&Result<T, E>) -> Verdict + Clone + Send + Sync + 'static,
{
    type Watched = T;

    fn verdict(&self, result: &Result<T, E>) -> Option<Verdict> {
        Some(self(result))
    }

    fn watch(&self, answer: T, _unsettled: Option<Unsettled>) -> T {
        answer
    }
}

/// Judges HTTP: by [`http::verdict`], [`error_verdict`], and the end of the body.
///
/// A body that breaks is a failure, unless its reader had stalled (see
/// [`WatchedBody`]), and one that its reader drops is abandoned.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Http;

impl<B: Body, E: Error + 'static> Classify<Response<B>, E> for Http {
    type Watched = Response<WatchedBody<B>>;

    fn verdict(&self, result: &Result<Response<B>, E>) -> Option<Verdict> {
        match result {
            Ok(response) => match of_head(response) {
                Verdict::Success => at_end(response, Kind::Http),
                verdict => Some(verdict),
            },
            Err(error) => Some(error_verdict(error)),
        }
    }

    fn watch(&self, response: Response<B>, unsettled: Option<Unsettled>) -> Self::Watched {
        watched(response, Kind::Http, unsettled)
    }
}

/// Judges gRPC: by [`grpc::verdict`] of headers or trailers, and by
/// [`error_verdict`].
///
/// A response that is not 200 and has no status comes from something before the
/// server and is judged as HTTP, by its head alone. One that is 200 and ends
/// without a status has failed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Grpc;

impl<B: Body, E: Error + 'static> Classify<Response<B>, E> for Grpc {
    type Watched = Response<WatchedBody<B>>;

    fn verdict(&self, result: &Result<Response<B>, E>) -> Option<Verdict> {
        match result {
            Ok(response) => of_grpc(response, grpc::verdict, Kind::Grpc),
            Err(error) => Some(error_verdict(error)),
        }
    }

    fn watch(&self, response: Response<B>, unsettled: Option<Unsettled>) -> Self::Watched {
        watched(response, Kind::Grpc, unsettled)
    }
}

/// Judges as [`Http`] or [`Grpc`] within, for servers that limit this process as a
/// whole, as an API provider does by its key.
///
/// 429 and gRPC's `RESOURCE_EXHAUSTED` are [`Verdict::Limited`] then: a pool does not
/// ask the endpoint again before the time that it says, on behalf of the key of the
/// call, or at all where it has none.
///
/// # Examples
///
/// ```
/// # use breakerbox::Pool;
/// use breakerbox_tower::{Http, Limited, PoolService};
///
/// # fn example<S>(pool: Pool<S>) -> PoolService<S, Limited<Http>> {
/// PoolService::new(pool, Limited(Http))
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Limited<C>(pub C);

impl<B: Body, E: Error + 'static> Classify<Response<B>, E> for Limited<Http> {
    type Watched = Response<WatchedBody<B>>;

    fn verdict(&self, result: &Result<Response<B>, E>) -> Option<Verdict> {
        match result {
            Ok(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => Some(
                http::limited_verdict(response.status(), response.headers(), SystemTime::now()),
            ),
            result => self.0.verdict(result),
        }
    }

    fn watch(&self, response: Response<B>, unsettled: Option<Unsettled>) -> Self::Watched {
        Classify::<_, E>::watch(&self.0, response, unsettled)
    }
}

impl<B: Body, E: Error + 'static> Classify<Response<B>, E> for Limited<Grpc> {
    type Watched = Response<WatchedBody<B>>;

    fn verdict(&self, result: &Result<Response<B>, E>) -> Option<Verdict> {
        match result {
            Ok(response) => of_grpc(response, grpc::limited_verdict, Kind::LimitedGrpc),
            Err(error) => Some(error_verdict(error)),
        }
    }

    fn watch(&self, response: Response<B>, unsettled: Option<Unsettled>) -> Self::Watched {
        watched(response, Kind::LimitedGrpc, unsettled)
    }
}

/// The verdict on a response of gRPC, whose status may be in its head.
fn of_grpc<B: Body>(
    response: &Response<B>,
    of_status: fn(&HeaderMap) -> Option<Verdict>,
    kind: Kind,
) -> Option<Verdict> {
    of_status(response.headers()).or_else(|| match response.status() {
        StatusCode::OK => at_end(response, kind),
        _ => Some(of_head(response)),
    })
}

fn of_head<B>(response: &Response<B>) -> Verdict {
    http::verdict_by(response.status(), response.headers(), SystemTime::now)
}

/// The verdict on a response that has no body.
fn at_end<B: Body>(response: &Response<B>, kind: Kind) -> Option<Verdict> {
    let is_over = kind.is_over(response.body(), promised(response));
    is_over.then(|| kind.of_end())
}

fn watched<B: Body>(
    response: Response<B>,
    kind: Kind,
    unsettled: Option<Unsettled>,
) -> Response<WatchedBody<B>> {
    let promised = promised(&response);
    response.map(|body| WatchedBody::new(body, kind, promised, unsettled))
}

/// How many bytes its body has, where that is known.
fn promised<B: Body>(response: &Response<B>) -> Option<u64> {
    let known = response.body().size_hint().exact();
    known.or_else(|| {
        let length = response.headers().get(CONTENT_LENGTH)?;
        length.to_str().ok()?.parse().ok()
    })
}
