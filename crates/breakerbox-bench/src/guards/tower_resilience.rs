use std::future::{Ready, poll_fn, ready};
use std::time::Duration;

use tower::util::ServiceFn;
use tower::{Service, service_fn};
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};

use super::{AsyncGuard, Shape};
use crate::work::{Failed, work};

/// tower-resilience-circuitbreaker 0.14, async only.
///
/// Its window by number never slides, and its window by time walks through all
/// calls in it with each call. So half of twenty is by number too.
#[derive(Clone)]
pub struct TowerResilience(CircuitBreaker<Worker, DefaultClassifier>);

type Worker = ServiceFn<fn(bool) -> Ready<Result<u64, Failed>>>;

impl TowerResilience {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If it refuses its configuration.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let layer = CircuitBreakerLayer::builder().wait_duration_in_open(HOUR);
        let layer = match shape {
            Shape::HalfOfTwenty => layer
                .failure_rate_threshold(0.5)
                .sliding_window_size(100)
                .minimum_number_of_calls(20),
            Shape::LastHundred => layer
                .failure_rate_threshold(0.5)
                .sliding_window_size(100)
                .minimum_number_of_calls(100),
            Shape::InARow(failures) => layer
                .consecutive_failures(failures as usize)
                .minimum_number_of_calls(1),
        };
        let worker: fn(bool) -> Ready<Result<u64, Failed>> = |fails| ready(work(fails));
        let layer = layer.build().expect("the configuration makes sense");
        Self(layer.layer_fn(service_fn(worker)))
    }
}

impl AsyncGuard for TowerResilience {
    async fn call(&mut self, fails: bool) -> bool {
        let leave = poll_fn(|context| self.0.poll_ready(context)).await;
        leave.is_ok() && self.0.call(fails).await.is_ok()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
