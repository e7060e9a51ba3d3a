use std::time::Duration;

use crate::Ratio;

/// How many retries and hedges a pool may have in flight.
///
/// A limit per call is no limit: with three attempts each, an outage triples
/// the load on whatever is left. So retries and hedges share a budget, which
/// grows with the calls in flight. Shape and defaults are Envoy's
/// (`retry_budget`), but a retry that finds it used up waits for its turn, for a
/// while, and it goes by the most calls in flight of late, which halve with each
/// second: when a server dies, those at it fail at once and are in flight no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a budget does nothing until a configuration has it"]
pub struct Budget {
    at_least: u32,
    share: Ratio,
}

impl Budget {
    /// A `share` of the calls in flight, those that wait for it left out, but
    /// `at_least` so many.
    pub const fn new(share: Ratio, at_least: u32) -> Self {
        Self { at_least, share }
    }

    /// How long a retry waits for its turn, where its call has taken so long: twice
    /// that, because those before it may take as long and no less, and at least a
    /// second.
    #[must_use]
    pub fn patience(self, taken: Duration) -> Duration {
        (2 * taken).max(Duration::from_secs(1))
    }

    /// How many may be in flight beside `active` calls.
    #[must_use]
    pub fn limit(self, active: u64) -> u64 {
        self.share.of(active).max(u64::from(self.at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r53_the_budget_is_a_share_of_the_calls_in_flight_and_never_less_than_its_minimum() {
        let budget = Budget::new(Ratio::percent(20), 3);
        for (active, limit) in [(0, 3), (1, 3), (15, 3), (19, 3), (20, 4), (1_000, 200)] {
            assert_eq!(budget.limit(active), limit, "{active} in flight");
        }
    }

    #[test]
    fn r53_who_has_taken_long_waits_longer_for_another_try() {
        let budget = Budget::new(Ratio::percent(20), 3);
        for (taken, patience) in [(0, 1_000), (499, 1_000), (2_300, 4_600)] {
            let taken = Duration::from_millis(taken);
            assert_eq!(budget.patience(taken), Duration::from_millis(patience));
        }
    }
}
