//! The operator's word, which outranks what the breaker has found out.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::span;

/// The operator's word: admit all, or admit none, whatever the state beneath.
///
/// It is not a state. Beneath it the machine goes on, so that when the override
/// ends, by command or by expiry, the state rules at once. Under
/// [`forced_closed`](Self::forced_closed) a breaker shows in its events when it
/// would have opened, which makes it the way to try a configuration on live
/// traffic.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "an override does nothing until a breaker is given it"]
pub struct Override {
    expires_after: Option<Duration>,
    forced: Forced,
    reason: Arc<str>,
}

impl Override {
    /// Admits every call.
    pub fn forced_closed(reason: impl Into<Arc<str>>) -> Self {
        Self {
            expires_after: None,
            forced: Forced::Closed,
            reason: reason.into(),
        }
    }

    /// Admits no call.
    pub fn forced_open(reason: impl Into<Arc<str>>) -> Self {
        Self {
            expires_after: None,
            forced: Forced::Open,
            reason: reason.into(),
        }
    }

    /// Ends by itself after `span`; by command only, unless set.
    pub fn expires_after(mut self, span: Duration) -> Self {
        self.expires_after = Some(span);
        self
    }

    /// What it forces.
    #[must_use]
    pub const fn forced(&self) -> Forced {
        self.forced
    }

    /// Why, in the operator's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// What an override forces.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Forced {
    /// Every call is admitted.
    Closed,
    /// No call is admitted.
    Open,
}

impl Forced {
    /// The name on the wire: `forced_closed` or `forced_open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "forced_closed",
            Self::Open => "forced_open",
        }
    }
}

impl fmt::Display for Forced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An override that is in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveOverride {
    expires_at: Option<Instant>,
    word: Override,
}

impl ActiveOverride {
    pub(crate) fn new(word: Override, now: Instant) -> Self {
        let expires_at = word.expires_after.map(|span| span::after(now, span));
        Self { expires_at, word }
    }

    /// When it ends by itself, if it does.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// What it forces.
    #[must_use]
    pub const fn forced(&self) -> Forced {
        self.word.forced
    }

    /// Why, in the operator's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.word.reason
    }
}
