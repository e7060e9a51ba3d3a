use std::sync::Arc;
use std::time::Duration;

use nobreak::CircuitBreaker;

use super::{AsyncGuard, Guard, ready};
use crate::work::work;

/// nobreak 0.1, which counts failures in a row and nothing else.
///
/// So it is six in a row in every shape, which is the cheapest of them.
#[derive(Clone)]
pub struct Nobreak(Arc<CircuitBreaker>);

impl Nobreak {
    /// A new one.
    #[must_use]
    pub fn six_in_a_row() -> Self {
        let made = nobreak::builder()
            .with_failure_threshold(6)
            .with_open_duration(HOUR)
            .build();
        Self(Arc::new(made))
    }
}

impl Guard for Nobreak {
    fn run(&self, fails: bool) -> bool {
        self.0.call(|| work(fails)).is_ok()
    }
}

impl AsyncGuard for Nobreak {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call_async(|| ready(fails)).await.is_ok()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
