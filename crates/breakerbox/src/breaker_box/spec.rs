use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::BreakerBox;
use super::home::Home;
use crate::StartError;

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
    home: Home,
    pub(super) maximum: usize,
    pub(super) name: Arc<str>,
    pub(super) retire_idle_after: Option<Duration>,
}

impl BreakerBoxSpec {
    /// Makes the recipe of a box that has no maximum and retires nothing; the name is
    /// for logs.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            home: Home::Current,
            maximum: usize::MAX,
            name: name.into(),
            retire_idle_after: None,
        }
    }

    /// Limits how many breakers the box holds; there is no limit unless this is set.
    ///
    /// To make room for another breaker, the box removes the least recently used of
    /// those that nobody holds and that have nothing to remember, as in
    /// [`retire_idle_after`](Self::retire_idle_after).
    pub const fn maximum(mut self, breakers: usize) -> Self {
        self.maximum = breakers;
        self
    }

    /// Removes breakers that nobody has held or used for `span` and that have nothing
    /// to remember; the box looks every half `span`. None is retired unless this is
    /// set.
    ///
    /// Such a breaker is Closed, without verdicts in its window, past openings that
    /// are still remembered, or a ramp; or it is HalfOpen and nobody asks. A breaker
    /// with an override stays. A window that time does not empty, such as
    /// [`Window::unbounded`](crate::Window::unbounded), remembers verdicts forever: a
    /// breaker for each host needs another window.
    ///
    /// # Panics
    ///
    /// Panics if the span is zero.
    pub const fn retire_idle_after(mut self, span: Duration) -> Self {
        assert!(!span.is_zero(), "the idle span must not be zero");
        self.retire_idle_after = Some(span);
        self
    }

    /// Lets the box live on a thread of its own, which ends with the box.
    ///
    /// The owners of its breakers then run even while the application's runtime is
    /// busy or blocked, and the breakers outlive that runtime.
    pub fn own_thread(mut self) -> Self {
        self.home = Home::OwnThread;
        self
    }

    /// Lets the box live on this runtime; unless set, on the one it is started on.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.home = Home::Runtime(runtime);
        self
    }

    /// Starts an empty box.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started: there is no tokio runtime
    /// ([`NoRuntime`](StartError::NoRuntime)), the runtime has no timers
    /// ([`NoTimers`](StartError::NoTimers)) or has ended
    /// ([`Interrupted`](StartError::Interrupted)), or no thread can be started
    /// ([`NoThread`](StartError::NoThread)).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing behind.
    pub async fn start(self) -> Result<BreakerBox, StartError> {
        self.home.clone().start(self).await
    }

    /// Starts an empty box without async, on [`own_thread`](Self::own_thread) or
    /// another [`runtime`](Self::runtime).
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Self::start), and [`StartError::WouldBlock`] on a
    /// thread of the runtime that the box is to live on.
    pub fn start_blocking(self) -> Result<BreakerBox, StartError> {
        self.home.clone().start_blocking(self)
    }
}
