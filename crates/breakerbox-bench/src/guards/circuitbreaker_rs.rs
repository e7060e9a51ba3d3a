use std::time::Duration;

use circuitbreaker_rs::{CircuitBreaker, DefaultPolicy};

use super::{AsyncGuard, Breaks, Shape, ready};
use crate::work::Failed;

/// circuitbreaker-rs 0.1, whose rate is over all calls since it closed.
///
/// It has no window of any kind, so both rates are over its life.
pub struct CircuitbreakerRs(CircuitBreaker<DefaultPolicy, Failed>);

impl CircuitbreakerRs {
    /// A new one.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let (row, calls) = match shape {
            Shape::HalfOfTwenty => (u64::MAX, 20),
            Shape::LastHundred => (u64::MAX, 100),
            Shape::InARow(failures) => (failures.into(), u64::MAX),
        };
        let made = CircuitBreaker::<DefaultPolicy, Failed>::builder()
            .failure_threshold(0.5)
            .min_throughput(calls)
            .consecutive_failures(row)
            .cooldown(HOUR)
            .build();
        Self(made)
    }
}

impl Clone for CircuitbreakerRs {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Breaks for CircuitbreakerRs {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        self.0.call(call).is_ok()
    }
}

impl AsyncGuard for CircuitbreakerRs {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call_async(|| ready(fails)).await.is_ok()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
