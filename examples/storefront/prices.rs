use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use breakerbox::{
    Backoff, BreakerBox, BreakerConfig, Endpoint, Failback, Pool, PoolConfig, PoolError,
    PoolEvents, PoolSnapshot, PoolStartError, Ramp, Ratio, Verdict,
};
use reqwest::{Client, StatusCode, Url};

use crate::processes::PriceServerProcess;

/// The prices, from whichever price server knows them.
pub(crate) struct Prices {
    pool: Pool<PriceServer>,
}

/// What an item costs, and how the shop came to know.
pub(crate) struct Price {
    /// How many servers were asked.
    pub(crate) attempts: u32,
    /// None if there is no such item.
    pub(crate) cents: Option<u64>,
    /// The server that answered.
    pub(crate) served_by: String,
}

impl Prices {
    /// Each of the servers stands in for those before it.
    pub(crate) async fn open(
        breakers: &BreakerBox,
        client: &Client,
        servers: [(&PriceServerProcess, Duration); 2],
    ) -> Result<Self, PoolStartError> {
        let endpoints = servers
            .into_iter()
            .zip(0..)
            .map(|((server, patience), tier)| {
                let reached = PriceServer {
                    client: client.clone(),
                    name: server.name().into(),
                    patience,
                    url: server.url().parse().expect("it is made of an address"),
                };
                Endpoint::new(server.name(), reached).tier(tier)
            });
        let pool = breakers.pool(PRICES, SHORT, endpoints).await?;
        Ok(Self { pool })
    }

    /// Asking for a price twice does no harm, so it may be asked of each server.
    pub(crate) async fn of(&self, item: &str) -> Result<Price, PoolError<reqwest::Error>> {
        let attempts = AtomicU32::new(0);
        let answer = self.pool.call_idempotent_with(classify, |server| {
            attempts.fetch_add(1, Ordering::Relaxed);
            server.ask(item)
        });
        let (cents, served_by) = answer.await?;
        Ok(Price {
            attempts: attempts.into_inner(),
            cents,
            served_by: served_by.to_string(),
        })
    }

    pub(crate) fn snapshot(&self) -> PoolSnapshot {
        self.pool.snapshot()
    }

    pub(crate) fn events(&self) -> PoolEvents {
        self.pool.events()
    }
}

/// A price server, and how to reach it.
#[derive(Clone)]
struct PriceServer {
    client: Client,
    name: Arc<str>,
    patience: Duration,
    url: Url,
}

impl PriceServer {
    /// "No such item" is an answer, so it is no error.
    async fn ask(self, item: &str) -> Result<(Option<u64>, Arc<str>), reqwest::Error> {
        let request = self.client.get(self.price_of(item));
        let response = request.timeout(self.patience).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok((None, self.name));
        }
        let cents = response.error_for_status()?.json().await?;
        Ok((Some(cents), self.name))
    }

    /// Whatever the item is called, it is one segment of the path.
    fn price_of(&self, item: &str) -> Url {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .expect("it is http, which has paths")
            .extend(["price", item]);
        url
    }
}

/// A server that cannot be reached was not asked, so the next one is at once. What
/// is wrong with a request is wrong everywhere, and no server's failure.
fn classify<R>(answer: &Result<R, reqwest::Error>) -> Verdict {
    match answer {
        Ok(_) => Verdict::Success,
        Err(error) if error.is_connect() => Verdict::NotSent,
        Err(error) if error.status().is_some_and(|it| it.is_client_error()) => Verdict::Final,
        Err(_) => Verdict::Sent,
    }
}

pub(crate) const PRICES: &str = "prices";

/// The defaults, but for openings and a failback that end while you watch.
const SHORT: PoolConfig = PoolConfig::new()
    .breaker(
        BreakerConfig::new().open_for(
            Backoff::exponential(Duration::from_secs(1), Duration::from_secs(2))
                .jitter(Ratio::percent(20)),
        ),
    )
    .failback(Failback::gradual(
        Duration::from_secs(1),
        Ramp::linear(Ratio::percent(20), Duration::from_secs(2)),
    ));
