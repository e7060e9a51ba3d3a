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
    /// How many price servers were asked, the one that knew it included.
    pub(crate) attempts: u32,
}
