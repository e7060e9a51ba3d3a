use std::time::Duration;

use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{
    ConsecutiveFailures, SuccessRateOverTimeWindow, consecutive_failures,
    success_rate_over_time_window,
};
use failsafe::{Config, StateMachine};

use super::{AsyncGuard, Breaks, Shape, ready};
use crate::work::Failed;

/// failsafe 1.3, whose rate is a moving average that favours the newest calls.
///
/// It has no window by number, so the last hundred is a rate over 10 seconds.
#[derive(Clone)]
pub enum Failsafe {
    /// By the rate.
    Rate(StateMachine<SuccessRateOverTimeWindow<Constant>, ()>),
    /// By failures in a row.
    Row(StateMachine<ConsecutiveFailures<Constant>, ()>),
}

impl Failsafe {
    /// A new one.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let rate = |calls| {
            let policy = success_rate_over_time_window(0.5, calls, WINDOW, constant(HOUR));
            Self::Rate(Config::new().failure_policy(policy).build())
        };
        match shape {
            Shape::HalfOfTwenty => rate(20),
            Shape::LastHundred => rate(100),
            Shape::InARow(failures) => {
                let policy = consecutive_failures(failures, constant(HOUR));
                Self::Row(Config::new().failure_policy(policy).build())
            }
        }
    }
}

impl Breaks for Failsafe {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        match self {
            Self::Rate(breaker) => failsafe::CircuitBreaker::call(breaker, call).is_ok(),
            Self::Row(breaker) => failsafe::CircuitBreaker::call(breaker, call).is_ok(),
        }
    }
}

impl AsyncGuard for Failsafe {
    async fn call(&mut self, fails: bool) -> bool {
        match self {
            Self::Rate(breaker) => failsafe::futures::CircuitBreaker::call(breaker, ready(fails))
                .await
                .is_ok(),
            Self::Row(breaker) => failsafe::futures::CircuitBreaker::call(breaker, ready(fails))
                .await
                .is_ok(),
        }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
const WINDOW: Duration = Duration::from_secs(10);
