//! Servers that say "too many requests", to one client or to this process as a whole.

#![cfg(test)]

use std::convert::Infallible;

use breakerbox::{BreakerBox, Endpoint, Pool, PoolConfig, PoolError};
use breakerbox_tower::{Classify, Grpc, Http, Limited, PoolService, ReplayBody};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, StreamBody};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

type Body = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;
type Answer = Response<Body>;
type Server = BoxCloneSyncService<Request<ReplayBody<Empty<Bytes>>>, Answer, Infallible>;

/// Where a server says that it was asked too often, and for how long.
#[derive(Clone, Copy, Debug)]
enum Says {
    ByHttp,
    InHead,
    InTrailers,
}

impl Says {
    fn answer(self) -> Answer {
        let name = HeaderName::from_static;
        let status = [
            (name("grpc-status"), HeaderValue::from_static("8")),
            (
                name("grpc-retry-pushback-ms"),
                HeaderValue::from_static("60000"),
            ),
        ];
        let status: HeaderMap = status.into_iter().collect();
        match self {
            Self::ByHttp => {
                let mut answer = Response::new(body(Vec::new()));
                *answer.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
                let minute = HeaderValue::from_static("60");
                answer.headers_mut().insert("retry-after", minute);
                answer
            }
            Self::InHead => {
                let mut answer = Response::new(body(Vec::new()));
                *answer.headers_mut() = status;
                answer
            }
            Self::InTrailers => Response::new(body(vec![
                Ok(Frame::data(Bytes::from_static(b"half"))),
                Ok(Frame::trailers(status)),
            ])),
        }
    }
}

fn body(frames: Vec<Result<Frame<Bytes>, Infallible>>) -> Body {
    StreamBody::new(stream::iter(frames))
}

async fn pool(says: Says) -> Pool<Server> {
    let server = service_fn(move |_| async move { Ok(says.answer()) });
    let endpoint = Endpoint::new("only", BoxCloneSyncService::new(server));
    let breakers = BreakerBox::start("test").await.unwrap();
    let pool = breakers.pool("api", PoolConfig::new(), [endpoint]).await;
    pool.unwrap()
}

/// Asks, and reads the answer to its end.
async fn ask<C>(pool: &Pool<Server>, classify: C) -> Result<(), PoolError<Infallible>>
where
    C: Classify<Answer, Infallible, Watched = Response<breakerbox_tower::WatchedBody<Body>>>,
{
    let service = PoolService::new(pool.clone(), classify);
    let answer = service.oneshot(Request::new(Empty::new())).await?;
    answer.into_body().collect().await.unwrap();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn r60_too_many_requests_of_one_client_are_that_clients_alone() {
    for says in [Says::ByHttp, Says::InHead, Says::InTrailers] {
        let pool = pool(says).await;
        for _ in 0..20 {
            let answered = match says {
                Says::ByHttp => ask(&pool, Http).await,
                Says::InHead | Says::InTrailers => ask(&pool, Grpc).await,
            };
            assert_eq!(answered, Ok(()), "{says:?}");
        }
        let counts = pool.breaker("only").unwrap().snapshot().await.counts;
        assert_eq!((counts.failures, counts.successes), (0, 0), "{says:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r60_where_this_process_is_limited_the_endpoint_is_left_alone_as_long_as_it_says() {
    for says in [Says::ByHttp, Says::InHead, Says::InTrailers] {
        let pool = pool(says).await;
        let greedy = pool.for_key("greedy");
        for pool in [&greedy, &pool] {
            let answered = async || match says {
                Says::ByHttp => ask(pool, Limited(Http)).await,
                Says::InHead | Says::InTrailers => ask(pool, Limited(Grpc)).await,
            };
            assert_eq!(answered().await, Ok(()), "{says:?}");
            let Err(PoolError::Rejected(unavailable)) = answered().await else {
                panic!("{says:?}: it asked for a minute");
            };
            // Less what the pool waited for another endpoint.
            let wait = unavailable.retry_after().unwrap().as_secs();
            assert!((59..=60).contains(&wait), "{says:?}: {wait} s");
        }
    }
}
