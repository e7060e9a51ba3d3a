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
    /// A box without a maximum that retires nobody; the name is for logs.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            home: Home::Current,
            maximum: usize::MAX,
            name: name.into(),
            retire_idle_after: None,
        }
    }

    /// How many breakers it holds at most; no limit unless set.
    ///
    /// To make room for another one, it removes the one that was used least recently of
    /// those that nobody holds and that have nothing to remember, as in
    /// [`retire_idle_after`](Self::retire_idle_after).
    pub const fn maximum(mut self, breakers: usize) -> Self {
        self.maximum = breakers;
        self
    }

    /// Removes breakers that nobody has held or used for `span`, looked at each half of
    /// it, and which have nothing to remember. None is retired unless set.
    ///
    /// Those are Closed and without verdicts in their window, past openings that are
    /// still remembered, or a ramp; or HalfOpen, and nobody asks. One with an override
    /// stays. In a window that no time empties, such as
    /// [`Window::unbounded`](crate::Window::unbounded), verdicts are remembered for
    /// ever: a breaker for each host needs another one.
    ///
    /// # Panics
    ///
    /// If the span is zero.
    pub const fn retire_idle_after(mut self, span: Duration) -> Self {
        assert!(!span.is_zero(), "a breaker is idle for longer than no time");
        self.retire_idle_after = Some(span);
        self
    }

    /// Lets the box live on a thread of its own, which ends with it.
    ///
    /// Its owners then run also while the application's runtime is busy or blocked, and
    /// its breakers outlive that runtime.
    pub fn own_thread(mut self) -> Self {
        self.home = Home::OwnThread;
        self
    }

    /// Lets the box live on this runtime; on the one that it is started on, unless set.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.home = Home::Runtime(runtime);
        self
    }

    /// Starts an empty box.
    ///
    /// # Errors
    ///
    /// [`StartError`] if its supervisor cannot be started: there is no tokio runtime
    /// ([`NoRuntime`](StartError::NoRuntime)), that has no timers
    /// ([`NoTimers`](StartError::NoTimers)), it has ended
    /// ([`Interrupted`](StartError::Interrupted)), or there is no thread to be had
    /// ([`NoThread`](StartError::NoThread)).
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves nothing behind.
    pub async fn start(self) -> Result<BreakerBox, StartError> {
        self.home.clone().start(self).await
    }

    /// Starts an empty box without async, on [`own_thread`](Self::own_thread) or
    /// another [`runtime`](Self::runtime).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and [`StartError::WouldBlock`] on a thread of the
    /// runtime that the box is to live on.
    pub fn start_blocking(self) -> Result<BreakerBox, StartError> {
        self.home.clone().start_blocking(self)
    }
}
