//! Connections that died in silence, by a stand-in for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use breakerbox::{
    BreakerConfig, CheckPlan, Endpoint, EndpointStatus, Override, Pool, PoolError, State,
};
use futures_util::future::join_all;
use tokio::time::advance;

use super::{CONFIG, QUICK, breakers, settle};

/// A client with one connection, which is made again once it was let go of.
#[derive(Clone, Default)]
struct Client {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The connections up to this one are dead.
    dead: AtomicU32,
    panics: AtomicBool,
    /// How often it was let go of its connection, whose number this is.
    renewals: AtomicU32,
}

impl Client {
    /// The connection that is there dies.
    fn die(&self) {
        self.inner.dead.store(self.renewals() + 1, Ordering::SeqCst);
    }

    fn renewals(&self) -> u32 {
        self.inner.renewals.load(Ordering::SeqCst)
    }

    fn renew(&self) {
        assert!(!self.inner.panics.load(Ordering::SeqCst), "as it was told");
        self.inner.renewals.fetch_add(1, Ordering::SeqCst);
    }

    fn endpoint(&self) -> Endpoint<Self> {
        Endpoint::new("north", self.clone()).renew(Self::renew)
    }

    /// The number of the connection that it went by, or no answer.
    async fn ask(self) -> Result<u32, ()> {
        let connection = self.renewals() + 1;
        // Others may be in between.
        tokio::task::yield_now().await;
        match connection <= self.inner.dead.load(Ordering::SeqCst) {
            true => Err(()),
            false => Ok(connection),
        }
    }
}

async fn pool_of(endpoint: Endpoint<Client>, breaker: BreakerConfig) -> Pool<Client> {
    let config = CONFIG.breaker(breaker);
    let breakers = breakers().await;
    breakers.pool("prices", config, [endpoint]).await.unwrap()
}

/// Makes calls until the breaker opens.
async fn open(pool: &Pool<Client>) {
    for _ in 0..3 {
        let called = pool.call(Client::ask).await;
        assert_eq!(called, Err(PoolError::Failed(())));
    }
    settle().await;
    assert_eq!(state(pool), State::Open);
}

/// Until the breaker may be probed.
async fn wait(pool: &Pool<Client>) {
    advance(Duration::from_secs(10)).await;
    settle().await;
    assert_eq!(state(pool), State::HalfOpen);
}

fn state(pool: &Pool<Client>) -> State {
    pool.breaker("north").unwrap().state()
}

fn in_flight(pool: &Pool<Client>) -> u32 {
    pool.snapshot().endpoints[0].in_flight
}

#[tokio::test(start_paused = true)]
async fn r64_after_each_opening_the_probe_uses_a_new_connection() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK).await;
    assert_eq!(pool.call(Client::ask).await, Ok(1));
    for opening in 1..=3 {
        north.die();
        open(&pool).await;
        assert_eq!(north.renewals(), opening - 1, "not before there is a probe");
        wait(&pool).await;
        assert_eq!(pool.call(Client::ask).await, Ok(opening + 1));
        assert_eq!(state(&pool), State::Closed);
        for _ in 0..3 {
            assert_eq!(pool.call(Client::ask).await, Ok(opening + 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r64_after_each_probe_that_failed_the_next_uses_a_new_connection() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK).await;
    north.inner.dead.store(3, Ordering::SeqCst);
    open(&pool).await;
    for _ in 0..2 {
        wait(&pool).await;
        assert!(pool.call(Client::ask).await.is_err());
        assert_eq!(state(&pool), State::Open);
    }
    wait(&pool).await;
    assert_eq!(pool.call(Client::ask).await, Ok(4));
    assert_eq!(state(&pool), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn r64_without_a_word_on_it_the_probe_uses_the_old_connection() {
    let north = Client::default();
    let endpoint = Endpoint::new("north", north.clone());
    let pool = pool_of(endpoint, QUICK).await;
    north.die();
    open(&pool).await;
    for _ in 0..3 {
        wait(&pool).await;
        assert!(pool.call(Client::ask).await.is_err());
        assert_eq!(state(&pool), State::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn r64_the_probes_of_one_opening_share_the_new_connection() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK.probes(3)).await;
    north.die();
    open(&pool).await;
    wait(&pool).await;
    let probes = join_all((0..3).map(|_| pool.call(Client::ask))).await;
    assert_eq!(probes, [Ok(2), Ok(2), Ok(2)]);
    assert_eq!((north.renewals(), state(&pool)), (1, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn r64_calls_that_are_no_probes_keep_their_connection() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK).await;
    let breaker = pool.breaker("north").unwrap();
    north.die();
    open(&pool).await;
    let forced = Override::forced_closed("to see what it does");
    breaker.force(forced).await.unwrap();
    assert!(pool.call(Client::ask).await.is_err());
    breaker.release().await.unwrap();
    breaker.reset().await.unwrap();
    assert!(pool.call(Client::ask).await.is_err());
    assert_eq!(north.renewals(), 0);
}

#[tokio::test(start_paused = true)]
async fn r64_a_panic_in_it_is_a_failure_of_the_probe_and_leaves_nothing_behind() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK).await;
    north.die();
    open(&pool).await;
    wait(&pool).await;
    north.inner.panics.store(true, Ordering::SeqCst);
    let probing = pool.clone();
    let probe = tokio::spawn(async move { probing.call(Client::ask).await });
    assert!(probe.await.unwrap_err().is_panic());
    assert_eq!((in_flight(&pool), state(&pool)), (0, State::Open));
    north.inner.panics.store(false, Ordering::SeqCst);
    wait(&pool).await;
    assert_eq!(pool.call(Client::ask).await, Ok(2));
    assert_eq!((in_flight(&pool), state(&pool)), (0, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn r64_a_call_under_way_keeps_the_connection_that_it_has() {
    let north = Client::default();
    let pool = pool_of(north.endpoint(), QUICK).await;
    let (held, ended) = tokio::sync::oneshot::channel();
    let ask_later = |client: Client| async move {
        let connection = client.renewals() + 1;
        ended.await.map(|()| connection)
    };
    let under_way = {
        let pool = pool.clone();
        tokio::spawn(async move { pool.call(ask_later).await })
    };
    settle().await;
    north.die();
    open(&pool).await;
    wait(&pool).await;
    assert_eq!(pool.call(Client::ask).await, Ok(2));
    held.send(()).unwrap();
    assert_eq!(under_way.await.unwrap(), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn r64_health_checks_leave_a_dead_connection_without_any_call() {
    for renews in [true, false] {
        let north = Client::default();
        let check = |client: Client| async move {
            let answered = client.ask().await;
            answered.map(drop).map_err(|()| "no answer")
        };
        let endpoint = match renews {
            true => north.endpoint(),
            false => Endpoint::new("north", north.clone()),
        };
        let often = CheckPlan::every(Duration::from_secs(5));
        let config = CONFIG.checks(often);
        let breakers = breakers().await;
        let pool = breakers.pool("prices", config, [endpoint.check(check)]);
        let pool = pool.await.unwrap();
        north.die();
        let mut statuses = Vec::new();
        for _ in 0..60 {
            advance(Duration::from_secs(1)).await;
            settle().await;
            statuses.push(pool.snapshot().endpoints[0].status);
        }
        assert!(statuses.contains(&EndpointStatus::Unhealthy));
        let is_back = statuses.last() != Some(&EndpointStatus::Unhealthy);
        assert_eq!(is_back, renews, "{statuses:?}");
        assert_eq!(north.renewals(), u32::from(renews), "once was enough");
    }
}
