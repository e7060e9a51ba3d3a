use serde::{Deserialize, Serialize};

/// The shop's answer to an order.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Quote {
    pub(crate) item: String,
    pub(crate) quantity: u64,
    /// With the discount taken off.
    pub(crate) total_cents: u64,
    /// None if the worker could not tell; the order is worth more than it.
    pub(crate) discount_percent: Option<u64>,
    /// The price server that knew the price.
    pub(crate) served_by: String,
    /// The servers that should have served, but did not.
    pub(crate) passed_over: Vec<PassedOver>,
}

/// A price server that did not serve an order, and why.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct PassedOver {
    pub(crate) server: String,
    pub(crate) by: PassedOverBy,
    pub(crate) why: String,
}

/// Who saw to it that a server did not serve.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PassedOverBy {
    /// Its breaker rejected the call, which was not made.
    Breaker,
    /// It was asked in vain.
    Server,
}
