use std::error::Error;
use std::fmt;

use crate::AskError;

/// The reason why a message was not sent, with the message.
#[derive(Clone, Copy, Eq, PartialEq)]
#[non_exhaustive]
pub enum CastError<M> {
    /// The actor is not running.
    NotRunning(M),
    /// The child is down, and its queue has reached the limit.
    ///
    /// [`ChildSpec::queue_while_down`](crate::ChildSpec::queue_while_down) sets the limit.
    QueueFull(M),
}

impl<M> CastError<M> {
    /// Returns the message that was not sent.
    pub fn into_message(self) -> M {
        match self {
            Self::NotRunning(message) | Self::QueueFull(message) => message,
        }
    }

    /// Returns the same reason as the error of a question, without the message.
    pub(super) const fn as_ask_error(&self) -> AskError {
        match self {
            Self::NotRunning(_) => AskError::NotRunning,
            Self::QueueFull(_) => AskError::QueueFull,
        }
    }
}

impl<M> Error for CastError<M> {}

impl<M> fmt::Debug for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRunning(_) => "NotRunning(..)",
            Self::QueueFull(_) => "QueueFull(..)",
        })
    }
}

impl<M> fmt::Display for CastError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ask_error().fmt(f)
    }
}
