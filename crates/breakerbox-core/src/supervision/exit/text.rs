use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The text of an exit, cut to a length that can be kept.
///
/// An error may print a megabyte, and an exit is kept by its child's status, by
/// every listener and by whoever waits for a reply. So at most 1,024 bytes of a text
/// are kept, up to the end of a character; a longer one ends in `… (n bytes more)`.
/// A clone costs no copy.
///
/// # Examples
///
/// ```
/// use breakerbox_core::Exit;
///
/// let Exit::Error(text) = Exit::error("x".repeat(1_030)) else { unreachable!() };
/// assert!(text.ends_with("xxx… (6 bytes more)"));
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct ExitText {
    text: Arc<str>,
}

impl From<&str> for ExitText {
    fn from(text: &str) -> Self {
        let mut ends = (0..=text.len().min(LONGEST)).rev();
        let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let text = match text.len() - end {
            0 => text.into(),
            more => format!("{}… ({more} bytes more)", &text[..end]).into(),
        };
        Self { text }
    }
}

impl From<String> for ExitText {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for ExitText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ExitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for ExitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// Enough for an error and its causes, and little enough for each of thousands of
/// children.
const LONGEST: usize = 1_024;
