use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use breakerbox_core::Ratio;
use hdrhistogram::Histogram;

use crate::lock;

/// The latency that a share of recent calls stayed below.
///
/// Computed anew after each hundred calls, of those and the hundred before.
/// Only pools that hedge have one, so only their calls pay for it.
#[derive(Debug)]
pub(super) struct Quantile {
    /// In nanoseconds; 0 as long as too few calls were timed.
    current: AtomicU64,
    samples: Mutex<Samples>,
}

#[derive(Debug)]
struct Samples {
    before: Histogram<u64>,
    fresh: Histogram<u64>,
}

impl Quantile {
    pub(super) fn new() -> Self {
        let empty = || Histogram::new(DIGITS).expect("two digits are between none and five");
        Self {
            current: AtomicU64::new(0),
            samples: Mutex::new(Samples {
                before: empty(),
                fresh: empty(),
            }),
        }
    }

    pub(super) fn current(&self) -> Option<Duration> {
        let nanos = self.current.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn record(&self, took: Duration, share: Ratio) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        lock::with(&self.samples, |samples| {
            let recorded = samples.fresh.record(nanos);
            recorded.expect("it grows to hold whatever it is given");
            if samples.fresh.len() >= ENOUGH {
                let nanos = samples.turn(share);
                self.current.store(nanos, Ordering::Relaxed);
            }
        });
    }
}

impl Samples {
    /// The quantile of all samples; the fresh ones are no longer that.
    fn turn(&mut self, share: Ratio) -> u64 {
        std::mem::swap(&mut self.before, &mut self.fresh);
        // The older ones count once more, and then no more.
        self.fresh += &self.before;
        let quantile = share.of(1_000_000) as f64 / 1e6;
        let nanos = self.fresh.value_at_quantile(quantile);
        self.fresh.reset();
        nanos
    }
}

const DIGITS: u8 = 2;

const ENOUGH: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r55_the_quantile_is_that_of_the_last_hundreds_of_calls() {
        let quantile = Quantile::new();
        let record = |millis| quantile.record(Duration::from_millis(millis), Ratio::percent(95));
        (1..100).for_each(record);
        assert_eq!(quantile.current(), None);
        record(100);
        let p95 = quantile.current().unwrap().as_millis();
        assert!((94..=97).contains(&p95), "{p95}");
        (0..200).for_each(|_| record(10));
        assert_eq!(quantile.current().unwrap().as_millis(), 10);
    }
}
