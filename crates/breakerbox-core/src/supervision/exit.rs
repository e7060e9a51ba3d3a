mod text;

use std::fmt;

pub use text::ExitText;

/// How an incarnation of a child ended.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Exit {
    /// It returned an error.
    Error(ExitText),
    /// It could not be started: an error, a panic or its start timeout.
    InitFailed(ExitText),
    /// It was killed, so it could not end as it wanted to.
    Killed,
    /// It ended by itself, or as it was asked to.
    Normal,
    /// It panicked.
    Panicked(ExitText),
}

impl Exit {
    /// The exit of an incarnation that returned an error, which says this.
    #[must_use]
    pub fn error(text: impl Into<ExitText>) -> Self {
        Self::Error(text.into())
    }

    /// The exit of an incarnation that could not be started, for this reason.
    #[must_use]
    pub fn init_failed(text: impl Into<ExitText>) -> Self {
        Self::InitFailed(text.into())
    }

    /// The exit of an incarnation that panicked with this message.
    #[must_use]
    pub fn panicked(text: impl Into<ExitText>) -> Self {
        Self::Panicked(text.into())
    }

    /// Whether a transient child is to be restarted after it; all but `Normal`.
    ///
    /// Killed is abnormal, as it is in OTP: whoever kills a child did not find
    /// it in order.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal)
    }

    /// Its kind in one word, for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::InitFailed(_) => "init_failed",
            Self::Killed => "killed",
            Self::Normal => "normal",
            Self::Panicked(_) => "panicked",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(f, "failed: {error}"),
            Self::InitFailed(error) => write!(f, "could not be started: {error}"),
            Self::Killed => f.write_str("was killed"),
            Self::Normal => f.write_str("ended normally"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
        }
    }
}
