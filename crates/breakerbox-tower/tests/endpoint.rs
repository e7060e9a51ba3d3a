//! Services as endpoints of a pool: what they say before a request is sent to them.

#![cfg(test)]

use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use breakerbox::{BreakerBox, Endpoint, PoolConfig};
use breakerbox_tower::{Http, PoolService, ReplayBody};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tower::{Service, ServiceExt};

#[tokio::test(start_paused = true)]
async fn r53_to_an_endpoint_that_is_not_ready_nothing_was_sent() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoints = [
        Endpoint::new("north", Peer::Lost),
        Endpoint::new("south", Peer::Well).tier(1),
    ];
    let pool = breakers.pool("shop", PoolConfig::new(), endpoints).await;
    let pool = pool.unwrap();
    let post = Request::post("/").body(Empty::<Bytes>::new()).unwrap();
    let shop = PoolService::new(pool.clone(), Http);
    assert_eq!(shop.oneshot(post).await.unwrap().status(), 200);
    let north = pool.breaker("north").unwrap().snapshot().await;
    assert_eq!(north.counts.failures, 1);
}

/// It says of itself whether it is ready, with an error that by itself may have
/// been sent.
#[derive(Clone, Copy)]
enum Peer {
    Lost,
    Well,
}

impl Service<Request<ReplayBody<Empty<Bytes>>>> for Peer {
    type Response = Response<Empty<Bytes>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self {
            Self::Lost => Err(io::ErrorKind::NotConnected.into()),
            Self::Well => Ok(()),
        })
    }

    fn call(&mut self, _request: Request<ReplayBody<Empty<Bytes>>>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}
