use std::time::Duration;

use super::{AsyncGuard, Breaks, Shape, ready};
use crate::work::Failed;

/// recloser 1.4, which knows one thing: the rate of failures in the last n calls.
///
/// So many in a row is 100 % of the last so many. It has no window by time, so half of
/// twenty is 50 % of the last 20, less than half of which fail.
pub struct Recloser(::recloser::Recloser);

impl Recloser {
    /// A new one.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let (rate, calls) = match shape {
            Shape::HalfOfTwenty => (0.5, 20),
            Shape::LastHundred => (0.5, 100),
            Shape::InARow(failures) => (1.0, failures as usize),
        };
        let made = ::recloser::Recloser::custom()
            .error_rate(rate)
            .closed_len(calls)
            .open_wait(HOUR)
            .build();
        Self(made)
    }
}

impl Breaks for Recloser {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        self.0.call(call).is_ok()
    }
}

/// The same for futures.
#[derive(Clone)]
pub struct AsyncRecloser(::recloser::AsyncRecloser);

impl AsyncRecloser {
    /// A new one.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self(Recloser::new(shape).0.into())
    }
}

impl AsyncGuard for AsyncRecloser {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call(ready(fails)).await.is_ok()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
