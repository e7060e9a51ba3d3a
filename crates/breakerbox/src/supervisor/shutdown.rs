use std::time::Duration;

/// The way in which a child is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shutdown {
    /// Kills the child without asking it; its `post_stop` does not run.
    Kill,
    /// Asks the child to stop, and kills it if it has not stopped within this time.
    ///
    /// [`Duration::MAX`] never kills it.
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
