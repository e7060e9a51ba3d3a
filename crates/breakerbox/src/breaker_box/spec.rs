use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::Strategy;

use super::BreakerBox;
use crate::{StartError, SupervisorSpec};

/// The recipe of a box: its name, and how many breakers it may hold.
///
/// A breaker for each host that a request names is a breaker for each host that
/// an attacker can think of. Such a box needs a maximum, and should retire the
/// breakers that nobody uses.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use breakerbox::BreakerBoxSpec;
///
/// let hosts = BreakerBoxSpec::new("hosts")
///     .maximum(10_000)
///     .retire_idle_after(Duration::from_secs(600))
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a box begins with `start`"]
pub struct BreakerBoxSpec {
    pub(super) maximum: usize,
    name: Arc<str>,
    pub(super) retire_idle_after: Option<Duration>,
}

impl BreakerBoxSpec {
    /// A box without a maximum that retires nobody; the name is for logs.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            maximum: usize::MAX,
            name: name.into(),
            retire_idle_after: None,
        }
    }

    /// How many breakers it holds at most; no limit unless set.
    pub const fn maximum(mut self, breakers: usize) -> Self {
        self.maximum = breakers;
        self
    }

    /// Removes breakers that have been Closed and idle for `span`.
    ///
    /// Idle is a breaker that nobody has a handle on and whose verdicts have not
    /// changed; one with an override stays. It is looked for at each half of the
    /// span, and when a breaker is to be made and there is no room. None is
    /// retired unless set.
    ///
    /// # Panics
    ///
    /// If the span is zero.
    pub const fn retire_idle_after(mut self, span: Duration) -> Self {
        assert!(!span.is_zero(), "a breaker is idle for longer than no time");
        self.retire_idle_after = Some(span);
        self
    }

    /// Starts an empty box.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing behind.
    pub async fn start(self) -> Result<BreakerBox, StartError> {
        let supervisor = SupervisorSpec::new(Arc::clone(&self.name), Strategy::OneForOne);
        BreakerBox::new(supervisor, &self).await
    }
}
