use std::time::Instant;

use breakerbox_core::Repeat;

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

impl From<Repeat> for Progress {
    fn from(repeat: Repeat) -> Self {
        Self {
            repeat,
            upload: Upload::AtOnce,
        }
    }
}
