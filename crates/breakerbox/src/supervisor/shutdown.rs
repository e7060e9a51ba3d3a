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
    /// How long a child that is asked to stop has for it; `None` if it is not asked.
    pub(super) const fn patience(self) -> Option<Duration> {
        match self {
            Self::Kill => None,
            Self::Within(timeout) => Some(timeout),
        }
    }

    /// How long it waits for a stop before it kills.
    pub(super) fn timeout(self) -> Duration {
        self.patience().unwrap_or(Duration::ZERO)
    }
}

/// How long what was killed is waited for.
///
/// A kill drops its future at the next await, which takes microseconds; what
/// takes a second never awaits.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(1);
