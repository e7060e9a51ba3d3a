use std::time::Duration;

use crate::{Ratio, span};

/// When a second endpoint is asked although the first may still answer.
///
/// Of a hundred calls the slowest few decide how a service feels. Asking again
/// once a call takes longer than most do cuts that tail for a few percent of
/// extra load (Dean and Barroso, "The Tail at Scale", 2013).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a hedge does nothing until a configuration has it"]
pub struct Hedge {
    pub(super) no_sooner_than: Duration,
    quantile: Ratio,
}

impl Hedge {
    /// After the latency that this share of recent calls stayed below.
    ///
    /// Until a hundred calls were timed there is no such latency, and no hedge;
    /// and there is none sooner than after 10 ms.
    ///
    /// # Panics
    ///
    /// Below 50 %, when hedges would be the rule.
    pub const fn after_quantile(quantile: Ratio) -> Self {
        assert!(
            quantile.of(100) >= 50,
            "a hedge comes after a quantile of at least 50 percent"
        );
        Self {
            no_sooner_than: Duration::from_millis(10),
            quantile,
        }
    }

    /// The soonest that a hedge is sent, however fast most calls are.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn no_sooner_than(mut self, span: Duration) -> Self {
        self.no_sooner_than = span::checked(span);
        self
    }

    /// Which latency to wait for.
    #[must_use]
    pub const fn quantile(&self) -> Ratio {
        self.quantile
    }

    /// How long to wait where the quantile's latency is `latency`.
    #[must_use]
    pub fn delay(&self, latency: Duration) -> Duration {
        latency.max(self.no_sooner_than)
    }
}
