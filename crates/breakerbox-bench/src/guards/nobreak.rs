use std::sync::Arc;
use std::time::Duration;

use nobreak::CircuitBreaker;

use super::{AsyncGuard, Breaks, ready};
use crate::work::Failed;

/// nobreak 0.1, which counts failures in a row and nothing else.
///
/// So it is so many in a row in every shape, which is the cheapest of them.
#[derive(Clone)]
pub struct Nobreak(Arc<CircuitBreaker>);

impl Nobreak {
    /// A new one.
    #[must_use]
    pub fn in_a_row(failures: usize) -> Self {
        let made = nobreak::builder()
            .with_failure_threshold(failures)
            .with_open_duration(HOUR)
            .build();
        Self(Arc::new(made))
    }
}

impl Breaks for Nobreak {
    fn protect(&self, call: impl FnOnce() -> Result<u64, Failed>) -> bool {
        self.0.call(call).is_ok()
    }
}

impl AsyncGuard for Nobreak {
    async fn call(&mut self, fails: bool) -> bool {
        self.0.call_async(|| ready(fails)).await.is_ok()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
