use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A configuration contradicts itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    key: &'static str,
    message: String,
}

impl ConfigError {
    pub(crate) fn never_trips(key: &'static str, needed: u32, calls: u32) -> Self {
        let message = format!(
            "it needs {needed} calls, but the window holds the last {calls}, so it would never open the \
             breaker: use at most {calls} here, or a window of at least {needed}"
        );
        Self { key, message }
    }

    pub(crate) fn nothing_is_slow() -> Self {
        let message = "it needs slow_after, without which no call is slow, so it would never open the \
                       breaker: set slow_after, for instance to twice what a call takes at most";
        Self {
            key: "trip.slow_rate",
            message: message.into(),
        }
    }

    pub(crate) fn cut_off_before_slow(slow_after: Duration, call_timeout: Duration) -> Self {
        let message = format!(
            "calls are slow from {slow_after:?} on, but call_timeout ends them after {call_timeout:?}, so \
             it would never open the breaker: use a slow_after of at most call_timeout"
        );
        Self {
            key: "trip.slow_rate",
            message,
        }
    }

    pub(crate) fn never_hedges(no_sooner_than: Duration, call_timeout: Duration) -> Self {
        let message = format!(
            "a hedge is sent after {no_sooner_than:?} or later, but breaker.call_timeout ends attempts after \
             {call_timeout:?}, so there would never be one: use a no_sooner_than below call_timeout"
        );
        Self {
            key: "hedge",
            message,
        }
    }

    pub(crate) fn one_attempt_cannot_hedge() -> Self {
        let message = "a hedge is a second attempt, but attempts is 1: use at least 2";
        Self {
            key: "attempts",
            message: message.into(),
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn of_a_default(mut self) -> Self {
        self.message
            .push_str("; the file does not set it, so this is the default");
        self
    }

    /// The setting to change, as it is called in a configuration file.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }
}

impl Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}
