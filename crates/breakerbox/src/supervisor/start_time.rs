use std::time::Duration;

use super::{ChildKind, ChildSpec, SupervisorSpec};

/// The time that an incarnation has to come up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum StartTime {
    /// It was not set, so a supervisor has what its children have.
    Unset,
    Within(Duration),
}

impl StartTime {
    /// Returns the time of an incarnation that does not depend on others.
    pub(super) const fn alone(self) -> Duration {
        match self {
            Self::Unset => START_TIMEOUT,
            Self::Within(timeout) => timeout,
        }
    }

    /// Returns the time of a supervisor with these children; `None` if that is up to a
    /// level among them.
    pub(super) fn of(self, supervisor: &SupervisorSpec) -> Option<Duration> {
        match self {
            // Some for itself, so that the child is named that was too slow.
            Self::Unset => supervisor.children.iter().try_fold(START_TIMEOUT, add),
            Self::Within(timeout) => Some(timeout),
        }
    }
}

/// Adds the time of one more child, which starts after the others.
///
/// What a level below has is known when its own spec is made, and that is not before it
/// starts. It is given up in its time, so whoever waits for it need not mind the time.
fn add(time: Duration, child: &ChildSpec) -> Option<Duration> {
    match (child.start_time, child.runnable.kind()) {
        (StartTime::Unset, ChildKind::Supervisor) => None,
        (start_time, _) => Some(time.saturating_add(start_time.alone())),
    }
}

/// As long as for a stop. OTP has none: a start that hangs blocks its caller.
const START_TIMEOUT: Duration = Duration::from_secs(5);
