use std::sync::LazyLock;

use ::http::{Request, Response};
use breakerbox_tower::{BreakerLayer, Http, Origin, PoolService, ReplayBody};
use bytes::Bytes;
use http_body::Body;
use http_body_util::Empty;
use tower::{Layer, Service};

use super::Row;
use crate::guards::{AtOnce, HttpServer, Requests, Shape, Shop, client};
use crate::machine;
use crate::stopwatch;
use crate::work::Works;

pub(super) fn add(rows: &mut Vec<Row>) {
    let layer = |shop: &Shop| BreakerLayer::new(shop.breaker(Shape::HalfOfTwenty), Http);
    let pool_of_ten = |shop: &Shop| PoolService::new(shop.pool_of([AtOnce; 10]), Http);
    rows.push(row(AT_ONCE, "bare service", |_| AtOnce));
    rows.push(row(AT_ONCE, "breakerbox, `BreakerLayer`", move |shop| {
        layer(shop).layer(AtOnce)
    }));
    rows.push(row(AT_ONCE, "breakerbox, `PoolService` of 10", pool_of_ten));
    rows.push(row(LOOPBACK, "bare hyper client", |_| client()));
    rows.push(row(LOOPBACK, "breakerbox, `BreakerLayer`", move |shop| {
        layer(shop).layer(client())
    }));
    rows.push(row(LOOPBACK, "breakerbox, `PoolService` of 10", |shop| {
        let client = client::<ReplayBody<Empty<Bytes>>>();
        let origin = Origin::new(client, &SERVER.uri()).expect("the server has a root");
        PoolService::new(shop.pool_of(std::iter::repeat_n(origin, 10)), Http)
    }));
}

fn row<S, B>(group: &'static str, name: &str, make: impl Fn(&Shop) -> S + 'static) -> Row
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Send,
    S::Future: Send,
    B: Body<Data: Send> + Send,
{
    Row::one(group, name, move |shop, span| {
        let mut requests = Requests {
            service: make(shop),
            uri: SERVER.uri(),
        };
        stopwatch::awaited::<Works>(&machine::one_worker(), span, &mut requests)
    })
}

/// One for all rows: what it costs, it costs everybody.
static SERVER: LazyLock<HttpServer> = LazyLock::new(HttpServer::start);

const AT_ONCE: &str = "Middleware, a service that answers at once";
const LOOPBACK: &str = "Middleware, a request over loopback";
