//! Changes of a pool that meet each other, its owner's end, or nobody's patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use breakerbox::{CheckPlan, CommandError, Endpoint, PoolStartError};
use futures_util::{FutureExt, stream};
use tokio::time::sleep;

use crate::upstream::Upstream;
use crate::{CONFIG, QUICK, alone, breakers, settle};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn r58_of_two_that_add_one_name_at_once_one_is_refused() {
    let (_, pool) = alone().await;
    let add = || pool.add(Upstream::new("south").endpoint());
    let (first, second) = tokio::join!(add(), add());
    assert_eq!(first, Ok(()));
    assert_eq!(second, Err(PoolStartError::Duplicate("south".into())));
    assert_eq!(*pool.endpoints(), ["north".into(), "south".into()]);
}

#[tokio::test(start_paused = true)]
async fn r58_a_change_is_made_to_its_end_also_if_nobody_waits_for_it() {
    let breakers = breakers().await;
    let passes = |_: Upstream| async { Ok::<(), &str>(()) };
    let north = Upstream::new("north").endpoint().check(passes);
    let pool = breakers.pool("prices", CONFIG, [north]).await.unwrap();
    assert_eq!(pool.remove("north").now_or_never(), None);
    settle().await;
    assert!(pool.endpoints().is_empty());
    assert!(breakers.find("prices/north").is_none());
    let children = breakers.supervisor().snapshot().children;
    let names: Vec<_> = children.iter().map(|child| &*child.name).collect();
    assert_eq!(names, ["prices"]);
}

#[tokio::test(start_paused = true)]
async fn r58_without_an_owner_a_change_is_refused_whole() {
    let breakers = breakers().await;
    let (north, south) = (Upstream::new("north"), Upstream::new("south"));
    let pool = breakers
        .pool("prices", CONFIG, [north.endpoint()])
        .await
        .unwrap();
    breakers.supervisor().remove("prices").await.unwrap();
    assert!(!pool.remove("north").await);
    assert!(breakers.find("prices/north").is_some(), "it still serves");
    let stopped = Err(PoolStartError::Interrupted("prices".into()));
    assert_eq!(pool.add(south.endpoint()).await, stopped);
    assert_eq!(pool.update([south.endpoint()]).await, stopped);
    assert!(breakers.find("prices/south").is_none());
    assert_eq!(pool.reconfigure(CONFIG).await, Err(CommandError::Stopped));
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
}

#[tokio::test(start_paused = true)]
async fn r58_changes_are_whole_while_the_owner_is_restarted() {
    let breakers = breakers().await;
    let pool = breakers.pool("prices", CONFIG, []).await.unwrap();
    let south = Upstream::new("south");
    for _ in 0..20 {
        let restart = breakers.supervisor().restart("prices");
        let (added, restarted) = tokio::join!(pool.add(south.endpoint()), restart);
        restarted.unwrap();
        let breaker = breakers.find("prices/south");
        assert_eq!(breaker.is_some(), added.is_ok());
        assert_eq!(pool.endpoints().len(), usize::from(added.is_ok()));
        let (removed, restarted) = tokio::join!(
            pool.remove("south"),
            breakers.supervisor().restart("prices")
        );
        restarted.unwrap();
        assert_eq!(removed, added.is_ok());
        assert!(breakers.find("prices/south").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn r58_who_joins_during_a_reconfiguration_goes_by_the_new_one() {
    let (_, pool) = alone().await;
    let config = CONFIG.breaker(QUICK.probes(2));
    let south = Upstream::new("south");
    let (reconfigured, added) = tokio::join!(pool.reconfigure(config), pool.add(south.endpoint()));
    assert_eq!((reconfigured, added), (Ok(()), Ok(())));
    for endpoint in ["north", "south"] {
        let breaker = pool.breaker(endpoint).unwrap();
        assert_eq!(breaker.snapshot().await.config, config.of_breakers());
    }
}

#[tokio::test(start_paused = true)]
async fn r58_two_pools_never_share_a_breaker() {
    let breakers = breakers().await;
    let endpoint = |name: &'static str| Upstream::new(name).endpoint();
    let _pool = breakers.pool("a", CONFIG, [endpoint("b/c")]).await.unwrap();
    let taken = breakers.pool("a/b", CONFIG, [endpoint("c")]).await;
    assert_eq!(taken.unwrap_err(), PoolStartError::Taken("a/b/c".into()));
    assert!(breakers.find("a/b/c").is_some());
}

#[tokio::test(start_paused = true)]
async fn r58_a_pool_without_an_owner_is_closed_whole() {
    let breakers = breakers().await;
    let passes = |_: Upstream| async { Ok::<(), &str>(()) };
    let north = Upstream::new("north").endpoint().check(passes);
    let pool = breakers.pool("prices", CONFIG, [north]).await.unwrap();
    breakers.supervisor().remove("prices").await.unwrap();
    pool.close().await;
    assert!(pool.call(Upstream::ask).await.is_err());
    assert!(breakers.supervisor().snapshot().children.is_empty());
    let again = [Upstream::new("north").endpoint()];
    assert!(breakers.pool("prices", CONFIG, again).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn r58_whoever_leaves_takes_no_child_along_that_is_not_its_own() {
    let breakers = breakers().await;
    let endpoint = |name: &'static str| Upstream::new(name).endpoint();
    let passes = |_: Upstream| async { Ok::<(), &str>(()) };
    let names = [endpoint("b/check"), endpoint("b/discovery")];
    let pool = breakers.pool("a", CONFIG, names).await.unwrap();
    let refused = pool.add(endpoint("b").check(passes)).await;
    assert_eq!(refused, Err(PoolStartError::Taken("a/b/check".into())));
    assert!(breakers.find("a/b").is_none());
    let other = breakers.pool("a/b", CONFIG, []).await.unwrap();
    let other: breakerbox::Pool<Upstream> = other;
    other.close().await;
    let children = breakers.supervisor().snapshot().children;
    let names: Vec<_> = children.iter().map(|child| &*child.name).collect();
    assert_eq!(names, ["a", "a/b/check", "a/b/discovery"]);
}

#[tokio::test(start_paused = true)]
async fn r58_a_source_that_fails_at_once_is_not_asked_again_at_once() {
    let (_, pool) = alone().await;
    let asked = Arc::new(AtomicU32::new(0));
    let asking = Arc::clone(&asked);
    pool.follow(move || {
        let asking = Arc::clone(&asking);
        stream::repeat_with(move || {
            asking.fetch_add(1, Ordering::Relaxed);
            Err::<Vec<Endpoint<Upstream>>, _>("the registry is down")
        })
    })
    .await
    .unwrap();
    sleep(10 * SECOND).await;
    let asked = asked.load(Ordering::Relaxed);
    assert!((9..=11).contains(&asked), "{asked} times in ten seconds");
    assert_eq!(pool.call(Upstream::ask).await, Ok("north"));
}

#[tokio::test(start_paused = true)]
async fn r57_a_new_plan_of_checks_holds_at_once() {
    let breakers = breakers().await;
    let checked = Arc::new(AtomicU32::new(0));
    let checking = Arc::clone(&checked);
    let check = move |_: Upstream| {
        checking.fetch_add(1, Ordering::Relaxed);
        async { Ok::<(), &str>(()) }
    };
    let north = Upstream::new("north").endpoint().check(check);
    let seldom = CONFIG.checks(CheckPlan::every(3_600 * SECOND).on_edge(SECOND));
    let pool = breakers.pool("prices", seldom, [north]).await.unwrap();
    sleep(10 * SECOND).await;
    assert_eq!(checked.load(Ordering::Relaxed), 1);
    let often = CONFIG.checks(CheckPlan::every(SECOND));
    pool.reconfigure(often).await.unwrap();
    sleep(10 * SECOND).await;
    assert!(checked.load(Ordering::Relaxed) >= 10);
}

/// An endpoint's value that may not be cloned any more.
struct Broken(Arc<AtomicU32>);

impl Clone for Broken {
    fn clone(&self) -> Self {
        assert_eq!(self.0.load(Ordering::Relaxed), 0, "as it was told");
        Self(Arc::clone(&self.0))
    }
}

#[tokio::test(start_paused = true)]
async fn r51_an_endpoint_that_cannot_be_cloned_is_in_flight_no_longer() {
    let breakers = breakers().await;
    let broken = Arc::new(AtomicU32::new(0));
    let endpoint = Endpoint::new("north", Broken(Arc::clone(&broken)));
    let pool = breakers.pool("prices", CONFIG, [endpoint]).await.unwrap();
    broken.store(1, Ordering::Relaxed);
    let call = pool.call(|_| async { Ok::<(), ()>(()) });
    let panicked = std::panic::AssertUnwindSafe(call).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!(pool.snapshot().endpoints[0].in_flight, 0);
    let counts = pool.breaker("north").unwrap().snapshot().await.counts;
    assert_eq!(counts.failures, 1);
}
