use std::net::SocketAddr;
use std::time::Duration;

use breakerbox::{
    CommandError, Endpoint, EndpointStatus, Hedge, PoolError, PoolEvent, PoolStartError, Ratio, dns,
};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::upstream::{Answer, Upstream};
use crate::{CONFIG, QUICK, alone, breakers, settle};

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
    let (_, pool) = alone().await;
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

#[tokio::test(start_paused = true)]
async fn r58_an_update_adds_removes_and_keeps() {
    let breakers = breakers().await;
    let [north, south, west] = ["north", "south", "west"].map(Upstream::new);
    let endpoints = [north.endpoint(), south.endpoint()];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    let kept = pool.breaker("south").unwrap();
    kept.call(async { Err::<(), ()>(()) }).await.unwrap_err();
    let update = [south.endpoint().tier(1).weight(3), west.endpoint()];
    pool.update(update).await.unwrap();
    assert_eq!(*pool.endpoints(), ["south".into(), "west".into()]);
    let south = &pool.snapshot().endpoints[0];
    assert_eq!((south.tier, south.weight, south.share), (1, 3, 100));
    assert_eq!(
        pool.breaker("south")
            .unwrap()
            .snapshot()
            .await
            .totals
            .failures,
        1
    );
    assert!(pool.call(Upstream::ask).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn r58_an_empty_or_contradictory_update_changes_nothing() {
    let (_, pool) = alone().await;
    assert_eq!(pool.update([]).await, Err(PoolStartError::Empty));
    let twins = ["west", "west"].map(|name| Upstream::new(name).endpoint());
    let refused = pool.update(twins).await;
    assert_eq!(refused, Err(PoolStartError::Duplicate("west".into())));
    assert_eq!(*pool.endpoints(), ["north".into()]);
}

#[tokio::test(start_paused = true)]
async fn r58_a_stream_that_fails_or_ends_keeps_the_last_good_set() {
    let breakers = breakers().await;
    let pool = breakers.pool("prices", CONFIG, []).await.unwrap();
    let mut events = pool.events();
    let (streams, followed) = mpsc::unbounded_channel();
    let streams_made = streams.clone();
    pool.follow(move || {
        let (updates, stream) = mpsc::unbounded_channel();
        streams_made.send(updates).unwrap();
        futures_util::stream::unfold(stream, async |mut stream| {
            let update: Result<Vec<&'static str>, &str> = stream.recv().await?;
            let update = update.map(|names| {
                let upstreams = names.into_iter().map(Upstream::new);
                upstreams
                    .map(|upstream| upstream.endpoint())
                    .collect::<Vec<_>>()
            });
            Some((update, stream))
        })
        .boxed()
    })
    .await
    .unwrap();
    let mut followed = followed;
    let mut first = followed.recv().await.unwrap();
    first.send(Ok(vec!["north", "south"])).unwrap();
    for name in ["north", "south"] {
        added(&mut events, name).await;
    }
    first.send(Err("the registry is down")).unwrap();
    first.send(Ok(vec![])).unwrap();
    drop(first);
    first = followed.recv().await.expect("another stream is made");
    assert_eq!(*pool.endpoints(), ["north".into(), "south".into()]);
    first.send(Ok(vec!["south", "west"])).unwrap();
    added(&mut events, "west").await;
    while events.next().await
        != Some(PoolEvent::Removed {
            endpoint: "north".into(),
        })
    {}
    assert!(pool.call(Upstream::ask).await.is_ok());
    let again = pool
        .follow(futures_util::stream::pending::<Result<Vec<_>, &str>>)
        .await;
    assert_eq!(again, Err(PoolStartError::Taken("prices/discovery".into())));
    pool.close().await;
    assert!(breakers.supervisor().snapshot().children.is_empty());
}

async fn added(events: &mut breakerbox::PoolEvents, name: &str) {
    while events.next().await
        != Some(PoolEvent::Added {
            endpoint: name.into(),
        })
    {}
}

#[tokio::test]
async fn r58_a_host_name_becomes_endpoints() {
    let make = |address: SocketAddr| Some(Endpoint::new(address.to_string(), address));
    let mut found = Box::pin(dns("127.0.0.1:80", Duration::from_secs(30), make));
    let endpoints = found.next().await.unwrap().unwrap();
    assert_eq!(endpoints.len(), 1);
    assert!(format!("{:?}", endpoints[0]).contains("127.0.0.1:80"));
    // Longer than a label may be, so that no server need be asked.
    let nobody = format!("{}.invalid:80", "n".repeat(64));
    let mut nobody = Box::pin(dns(&nobody, Duration::from_secs(30), make));
    assert!(nobody.next().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn r58_a_host_name_is_looked_up_once_a_second_at_most() {
    let make = |address: SocketAddr| Some(Endpoint::new(address.to_string(), address));
    let mut found = Box::pin(dns("127.0.0.1:80", Duration::ZERO, make));
    let begun = Instant::now();
    for _ in 0..4 {
        found.next().await.unwrap().unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn r58_reconfiguring_keeps_the_state_of_every_endpoint() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let endpoints = [north.endpoint(), south.endpoint().tier(1)];
    let pool = breakers.pool("prices", CONFIG, endpoints).await.unwrap();
    north.set(Answer::Fails);
    for _ in 0..3 {
        assert_eq!(pool.call_idempotent(Upstream::ask).await, Ok("south"));
    }
    settle().await;
    assert_eq!(pool.snapshot().endpoints[0].status, EndpointStatus::Open);
    let once = CONFIG.attempts(1).breaker(QUICK.probes(2));
    pool.reconfigure(once).await.unwrap();
    assert_eq!(pool.snapshot().endpoints[0].status, EndpointStatus::Open);
    south.set(Answer::Fails);
    let before = north.asked() + south.asked();
    assert!(pool.call_idempotent(Upstream::ask).await.is_err());
    assert_eq!(north.asked() + south.asked(), before + 1, "one attempt now");

    let contradiction = CONFIG
        .attempts(1)
        .hedge(Hedge::after_quantile(Ratio::percent(95)));
    let refused = pool.reconfigure(contradiction).await;
    assert!(
        matches!(refused, Err(CommandError::Config(_))),
        "{refused:?}"
    );
}
