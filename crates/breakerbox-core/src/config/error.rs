use std::error::Error;
use std::fmt;

/// A breaker's configuration contradicts itself.
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
