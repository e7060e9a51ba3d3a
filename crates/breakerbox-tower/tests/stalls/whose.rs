//! Whose a request is, as its pool learns it.

use breakerbox::{BreakerBox, Endpoint, PoolConfig, Verdict};
use breakerbox_tower::{PoolService, ReplayBody};
use http::{HeaderValue, Request};
use tower::{Service, ServiceExt, service_fn};

use crate::client::{Body, empty};

#[tokio::test]
async fn r60_exchanges_that_break_for_different_clients_judge_their_server() {
    for (clients, failures) in [
        (["a", "b", "c"], 1),
        (["a", "b", "a"], 0),
        (["a", "a", "a"], 0),
        // Nobody knows whose they are.
        (["", "", ""], 0),
    ] {
        let breakers = BreakerBox::start("test").await.unwrap();
        let endpoints = [
            Endpoint::new("north", server(Err("broken"))),
            Endpoint::new("south", server(Ok(()))).tier(1),
        ];
        let pool = breakers.pool("shop", PoolConfig::new(), endpoints).await;
        let pool = pool.unwrap();
        let by_result = |result: &Result<(), &str>| match result {
            Ok(()) => Verdict::Success,
            Err(_) => Verdict::Ambiguous,
        };
        let shop = PoolService::new(pool.clone(), by_result)
            .client_by(|head| head.headers.get("x-client").cloned());
        for client in clients {
            let mut request = Request::new(empty());
            if !client.is_empty() {
                let client = HeaderValue::from_static(client);
                request.headers_mut().insert("x-client", client);
            }
            // South answers what north has broken.
            shop.clone().oneshot(request).await.unwrap();
        }
        let counts = pool.breaker("north").unwrap().snapshot().await.counts;
        assert_eq!(counts.failures, failures, "{clients:?}");
    }
}

type Answer = Result<(), &'static str>;

fn server(
    answer: Answer,
) -> impl Service<Request<ReplayBody<Body>>, Response = (), Error = &'static str, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    service_fn(move |_: Request<ReplayBody<Body>>| async move { answer })
}
