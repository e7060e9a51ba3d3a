//! Pools as their users see them: who is asked, how often, and what comes back.

#![cfg(test)]

mod balance;
mod calls;
mod changes;
mod failure_table;
mod fair;
mod hedges;
mod last_resort;
mod membership;
mod outage;
mod renewal;
mod streaming;
mod upstream;

use std::time::Duration;

use breakerbox::{Backoff, BreakerBox, BreakerConfig, Pool, PoolConfig, Ratio, TripPolicy};

use upstream::{Answer, Upstream};

/// Opens on the third failure in a row, for ten seconds; one probe.
const QUICK: BreakerConfig = BreakerConfig::new()
    .open_for(Backoff::fixed(Duration::from_secs(10)))
    .probes(1)
    .trip_on(TripPolicy::consecutive_failures(3));

/// Without jitter in what is repeated, so that times are known.
const CONFIG: PoolConfig = PoolConfig::new()
    .breaker(QUICK)
    .retry_backoff(Backoff::fixed(Duration::from_millis(25)).jitter(Ratio::percent(0)));

async fn breakers() -> BreakerBox {
    BreakerBox::start("test").await.unwrap()
}

/// North, and a pool of nobody else.
async fn alone() -> (Upstream, Pool<Upstream>) {
    let north = Upstream::new("north");
    let breakers = breakers().await;
    let pool = breakers.pool("prices", CONFIG, [north.endpoint()]).await;
    (north, pool.unwrap())
}

/// Opens the breaker of the one that is asked first.
async fn open(first: &Upstream, pool: &Pool<Upstream>) {
    first.set(Answer::Fails);
    for _ in 0..3 {
        let _failed = pool.call(Upstream::ask).await;
    }
    settle().await;
}

/// Lets everybody do what they have to.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
