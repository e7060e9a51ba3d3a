use std::time::Instant;

use breakerbox_core::Repeat;

use crate::clock;

/// How far a call is with what it sends, while an attempt is under way.
///
/// A [`Repeat`] alone is one of a call that sends what it sends at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Progress {
    /// Whether the call may be made again by now.
    pub repeat: Repeat,
    /// How far the attempt's upload is.
    pub upload: Upload,
}

/// How far an upload is. Limits of time are for the endpoint, so they count from
/// when it had all that it was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Upload {
    /// All was there when the call began, or nobody has asked for more yet.
    AtOnce,
    /// The endpoint waits for more: that is nobody's fault, and not timed.
    Awaited,
    /// The endpoint took the latest piece at this instant. What is sent again does
    /// not count: it must not put off the deadline of the call.
    TakenAt(Instant),
}

impl Upload {
    /// From when on an answer is the endpoint's work, if the attempt began at `begun`.
    pub(super) fn sent_by(self, begun: Instant) -> Instant {
        match self {
            Self::AtOnce | Self::Awaited => begun,
            Self::TakenAt(at) => at.max(begun),
        }
    }

    /// From when on a limit counts: while an endpoint waits for more, it does not.
    pub(super) fn counted_from(self, begun: Instant) -> Instant {
        match self {
            Self::Awaited => clock::now(),
            Self::AtOnce | Self::TakenAt(_) => self.sent_by(begun),
        }
    }
}

impl From<Repeat> for Progress {
    fn from(repeat: Repeat) -> Self {
        Self {
            repeat,
            upload: Upload::AtOnce,
        }
    }
}
