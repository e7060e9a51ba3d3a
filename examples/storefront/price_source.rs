use std::time::Duration;

use breakerbox::{Backoff, Breaker, BreakerBox, BreakerConfig, BreakerError, CallError, Ratio};
use reqwest::{Client, StatusCode};

use crate::processes::PriceServerProcess;
use crate::quote::{PassedOver, PassedOverBy};
use crate::root;

/// A price server as the shop sees it: behind its breaker.
pub(crate) struct PriceSource {
    breaker: Breaker,
    client: Client,
    patience: Duration,
    url: String,
}

impl PriceSource {
    pub(crate) async fn new(
        breakers: &BreakerBox,
        client: &Client,
        server: &PriceServerProcess,
        patience: Duration,
    ) -> Result<Self, BreakerError> {
        let breaker = breakers.breaker(server.name(), PRICES).await?;
        Ok(Self {
            breaker,
            client: client.clone(),
            patience,
            url: server.url(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.breaker.name()
    }

    /// What an item costs in cents; None if there is no such item.
    pub(crate) async fn price(&self, item: &str) -> Result<Option<u64>, PassedOver> {
        let asked = self.breaker.call(self.ask(item)).await;
        asked.map_err(|error| self.passed_over(&error))
    }

    /// "No such item" is an answer, so it is no failure to the breaker.
    async fn ask(&self, item: &str) -> Result<Option<u64>, reqwest::Error> {
        let request = self.client.get(format!("{}/price/{item}", self.url));
        let response = request.timeout(self.patience).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        response.error_for_status()?.json().await.map(Some)
    }

    fn passed_over(&self, error: &CallError<reqwest::Error>) -> PassedOver {
        let by = match error {
            CallError::Rejected(_) => PassedOverBy::Breaker,
            _ => PassedOverBy::Server,
        };
        PassedOver {
            server: self.name().to_owned(),
            by,
            why: root(error).to_string(),
        }
    }
}

/// The defaults, but for openings that end while you watch.
const PRICES: BreakerConfig = BreakerConfig::new().open_for(
    Backoff::exponential(Duration::from_secs(1), Duration::from_secs(2)).jitter(Ratio::percent(20)),
);
