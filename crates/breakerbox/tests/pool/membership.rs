use std::time::Duration;

use breakerbox::{EndpointStatus, PoolError, PoolStartError};

use crate::upstream::Upstream;
use crate::{CONFIG, breakers, settle};

#[tokio::test(start_paused = true)]
async fn r58_endpoints_come_drain_and_go_at_run_time() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    pool.add(south.endpoint()).await.unwrap();
    assert_eq!(
        pool.snapshot().endpoints[1].share,
        10,
        "what joins later ramps"
    );
    north.takes(Duration::from_secs(1));
    let under_way = tokio::spawn({
        let pool = pool.clone();
        async move {
            let calls = (0..50).map(|_| pool.call(Upstream::ask));
            futures_util::future::join_all(calls).await
        }
    });
    settle().await;
    assert!(pool.drain("north").await);
    for _ in 0..10 {
        assert_eq!(pool.call(Upstream::ask).await, Ok("south"));
    }
    assert!(north.at_once() > 0, "calls under way go on");
    assert!(under_way.await.unwrap().iter().all(Result::is_ok));
    assert!(pool.remove("north").await);
    assert_eq!(*pool.endpoints(), ["south".into()]);
    assert!(breakers.find("prices/north").is_none());
    assert!(!pool.remove("north").await);
    pool.add(north.endpoint())
        .await
        .expect("its name is free again");
}

#[tokio::test(start_paused = true)]
async fn r58_a_disabled_endpoint_gets_nothing_until_it_is_enabled() {
    let breakers = breakers().await;
    let north = Upstream::new("north");
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    assert!(pool.disable("north").await);
    assert_eq!(
        pool.snapshot().endpoints[0].status,
        EndpointStatus::Disabled
    );
    let error = pool.call(Upstream::ask).await.unwrap_err();
    let PoolError::Rejected(unavailable) = error else {
        panic!("{error:?}");
    };
    assert_eq!(unavailable.retry_after(), None, "nobody knows");
    assert!(pool.enable("north").await);
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
    assert!(!pool.enable("west").await);
}

#[tokio::test(start_paused = true)]
async fn r58_names_are_unique_in_a_pool_and_pools_in_a_box() {
    let breakers = breakers().await;
    let (north, twin) = (Upstream::new("north"), Upstream::new("north"));
    let twins = [north.endpoint(), twin.endpoint()];
    let error = breakers.pool("prices", CONFIG, twins).await.unwrap_err();
    assert_eq!(error, PoolStartError::Duplicate("north".into()));
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    let error = pool.add(twin.endpoint()).await.unwrap_err();
    assert_eq!(error, PoolStartError::Duplicate("north".into()));
    let error = breakers
        .pool("prices", CONFIG, [twin.endpoint()])
        .await
        .unwrap_err();
    assert_eq!(error, PoolStartError::Taken("prices".into()));
    pool.close().await;
    assert!(
        breakers
            .pool("prices", CONFIG, [twin.endpoint()])
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn r58_an_endpoint_takes_no_more_calls_than_it_may() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    for upstream in [&north, &south] {
        upstream.takes(Duration::from_secs(1));
    }
    let endpoints = [north.endpoint().max_in_flight(3), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let calls = (0..10).map(|_| pool.call(Upstream::ask));
    let results = futures_util::future::join_all(calls).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((north.asked(), south.asked()), (3, 7));
}
