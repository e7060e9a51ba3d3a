use std::time::Duration;

/// How a child is ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shutdown {
    /// Kill it; its `post_stop` does not run.
    Kill,
    /// Ask it to stop, and kill it when it has not within this time.
    Within(Duration),
}

impl Shutdown {
    /// How long it waits for a stop before it kills.
    pub(super) const fn timeout(self) -> Duration {
        match self {
            Self::Kill => Duration::ZERO,
            Self::Within(timeout) => timeout,
        }
    }
}

/// How long a killed actor is waited for.
///
/// A kill drops its future at the next await, which takes microseconds; what
/// takes a second never awaits.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(1);
