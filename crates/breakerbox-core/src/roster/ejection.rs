use std::time::Duration;

use crate::{Backoff, Ratio, span};

/// How an endpoint that fails more often than its peers is taken out.
///
/// One that fails every fifth call opens no breaker and answers its health
/// checks, and still spoils every fifth order. What gives it away is its peers.
/// The rule is Envoy's success-rate detection: an outlier is whose success rate
/// is more than 1.9 standard deviations below its tier's mean. Among endpoints
/// that are nearly perfect that is a hair, so it must also be 5 points below.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "an ejection does nothing until a configuration has it"]
pub struct Ejection {
    pub(super) at_most: Ratio,
    pub(super) lasts: Backoff,
    min_calls: u64,
    min_endpoints: usize,
    pub(super) sweep: Duration,
}

impl Ejection {
    /// Looks every 10 s at endpoints with 100 calls since, if a tier has at
    /// least 5 of them (with fewer, no one can be that far from the mean).
    ///
    /// It lasts 10 s, doubling to 300 s while it repeats, with 20 % jitter; a
    /// sweep in which an endpoint was not out at any time takes one back. At most
    /// half of a tier, or one endpoint, is out at a time.
    pub const fn of_outliers() -> Self {
        Self {
            at_most: Ratio::percent(50),
            lasts: Backoff::exponential(Duration::from_secs(10), Duration::from_secs(300))
                .jitter(Ratio::percent(20)),
            min_calls: 100,
            min_endpoints: 5,
            sweep: Duration::from_secs(10),
        }
    }

    /// The share of a tier that may be out at a time; one always may.
    pub const fn at_most(mut self, share: Ratio) -> Self {
        self.at_most = share;
        self
    }

    /// How long it lasts, the n-th time in a row.
    pub const fn lasts(mut self, backoff: Backoff) -> Self {
        self.lasts = backoff;
        self
    }

    /// How many calls say enough about an endpoint.
    ///
    /// # Panics
    ///
    /// If that is none.
    pub const fn min_calls(mut self, calls: u64) -> Self {
        assert!(calls > 0, "without a call there is no success rate");
        self.min_calls = calls;
        self
    }

    /// How often outliers are looked for.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn sweep(mut self, span: Duration) -> Self {
        self.sweep = span::checked(span);
        self
    }

    /// How many of a tier of so many may be out.
    pub(super) fn quota(&self, members: usize) -> usize {
        let share = self.at_most.of(members as u64);
        usize::try_from(share).unwrap_or(usize::MAX).max(1)
    }

    /// Which of these are outliers, worst first.
    pub(super) fn outliers<K: Copy + Ord>(&self, scores: &[Score<K>]) -> Vec<K> {
        let judged: Vec<_> = scores
            .iter()
            .filter(|score| score.calls >= self.min_calls)
            .map(|score| (score.rate(), score.key))
            .collect();
        if judged.len() < self.min_endpoints {
            return Vec::new();
        }
        let limit = limit(judged.iter().map(|(rate, _)| *rate));
        let mut outliers: Vec<_> = judged
            .into_iter()
            .filter(|(rate, _)| *rate < limit)
            .collect();
        outliers.sort_unstable();
        outliers.into_iter().map(|(_, key)| key).collect()
    }
}

/// How an endpoint did since the last sweep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score<K> {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) key: K,
}

impl<K> Score<K> {
    /// Its successes in a million calls.
    fn rate(&self) -> i64 {
        let worked = u128::from(self.calls.saturating_sub(self.failures));
        let rate = worked * 1_000_000 / u128::from(self.calls.max(1));
        i64::try_from(rate).expect("a part of a million")
    }
}

/// The rate below which one of these rates is an outlier.
fn limit(rates: impl ExactSizeIterator<Item = i64> + Clone) -> i64 {
    let count = i64::try_from(rates.len()).expect("a tier has fewer endpoints");
    let mean = rates.clone().sum::<i64>() / count;
    let squares: i64 = rates.map(|rate| (rate - mean).pow(2)).sum();
    let deviation = (squares / count).isqrt();
    mean - (deviation * DEVIATIONS_IN_TENTHS / 10).max(GAP)
}

const DEVIATIONS_IN_TENTHS: i64 = 19;

/// Of a million.
const GAP: i64 = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(failures: &[u64]) -> Vec<Score<usize>> {
        let score = |(key, failures): (usize, &u64)| Score {
            calls: 100,
            failures: *failures,
            key,
        };
        failures.iter().enumerate().map(score).collect()
    }

    #[test]
    fn r52_an_outlier_is_far_below_its_peers_and_not_merely_bad() {
        let ejection = Ejection::of_outliers();
        for (failures, outliers) in [
            (&[0, 0, 0, 0, 20][..], &[4][..]),
            (&[0, 0, 0, 20], &[]),
            (&[20, 20, 20, 20, 20], &[]),
            (&[1, 2, 1, 0, 2], &[]),
            (&[0, 0, 0, 0, 1], &[]),
            (&[0, 0, 0, 0, 6], &[]),
            (&[0, 0, 0, 0, 7], &[4]),
            (&[0, 0, 0, 0, 0, 0, 0, 0, 30, 50], &[9]),
            (&[0; 5], &[]),
        ] {
            assert_eq!(
                ejection.outliers(&scores(failures)),
                outliers,
                "{failures:?}"
            );
        }
    }

    #[test]
    fn r52_few_calls_say_nothing() {
        let mut scores = scores(&[0, 0, 0, 0, 20]);
        scores[4].calls = 99;
        assert!(Ejection::of_outliers().outliers(&scores).is_empty());
    }

    #[test]
    fn r52_at_most_half_a_tier_but_one_always_may_be_out() {
        let quotas = [1, 2, 3, 4, 5, 50].map(|members| Ejection::of_outliers().quota(members));
        assert_eq!(quotas, [1, 1, 1, 2, 2, 25]);
    }
}
