use std::time::{Duration, Instant};

use super::{Ending, Phase};

/// What a child is doing, with what only that state knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nothing of it is there; it is started in its turn.
    Queued,
    Starting,
    Up,
    /// Its incarnation was asked to end, and the child is kept.
    EndingIncarnation,
    /// It ended, and its group is not down yet; it may have to wait then.
    Held(Wait),
    BackingOff {
        until: Instant,
    },
    Paused {
        until: Instant,
    },
    /// It was asked to stop.
    Stopping(Ending),
    /// It was asked to stop, and then to start again.
    StoppingToStart(Ending),
    /// It counts as down, but its thread is blocked still.
    Stuck(Ending),
    /// Its incarnation was asked to end and blocks its thread; the next one follows.
    StuckIncarnation,
    /// It is stuck, and starts again once it is gone.
    StuckToStart(Ending),
    Down(Ending),
}

impl State {
    pub(super) const fn phase(self) -> Phase {
        match self {
            Self::Queued | Self::Starting => Phase::Starting,
            Self::Up => Phase::Up,
            Self::Held(Wait::Pause(_)) | Self::Paused { .. } => Phase::Paused,
            Self::Held(_) | Self::BackingOff { .. } => Phase::BackingOff,
            Self::EndingIncarnation | Self::Stopping(_) | Self::StoppingToStart(_) => {
                Phase::Stopping
            }
            Self::Stuck(_) | Self::StuckIncarnation | Self::StuckToStart(_) => Phase::Stuck,
            Self::Down(_) => Phase::Down,
        }
    }

    /// When its wait is over, where it has begun.
    pub(super) const fn until(self) -> Option<Instant> {
        match self {
            Self::BackingOff { until } | Self::Paused { until } => Some(until),
            _ => None,
        }
    }

    /// Whether it is down, or about to be, and does not come back by itself.
    pub(super) const fn is_leaving(self) -> bool {
        matches!(self, Self::Down(_) | Self::Stopping(_) | Self::Stuck(_))
    }
}

/// For how long a child waits before it is restarted, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wait {
    Backoff(Duration),
    None,
    Pause(Duration),
}
