use std::fmt;

/// The kind of failure a call ended in: a timeout, a panic, a refusal, or one that
/// you name.
///
/// The kind decides nothing; it is for anyone who reads why a breaker has opened.
///
/// # Examples
///
/// ```
/// use breakerbox_core::{FailureKind, Outcome};
///
/// const DNS: FailureKind = FailureKind::named("dns");
/// assert!(Outcome::failure_of(DNS).is_failure());
/// assert_eq!(DNS.as_str(), "dns");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FailureKind(&'static str);

impl FailureKind {
    /// The exchange broke off, or the call returned an error that says no more.
    pub const BROKEN: Self = Self("broken");
    /// The call panicked.
    pub const PANIC: Self = Self("panic");
    /// The other side was not there, or would not talk.
    pub const REFUSED: Self = Self("refused");
    /// The call took too long.
    pub const TIMEOUT: Self = Self("timeout");

    /// Makes a kind that you name, in a word or two.
    ///
    /// # Panics
    ///
    /// Panics unless the name has 1 to 64 bytes.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= 64,
            "the name of a kind of failure must have 1 to 64 bytes"
        );
        Self(name)
    }

    /// Returns the name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
