use std::error::Error;
use std::fmt;
use std::io;

/// Why a file or a line of it was not accepted: one line of text.
#[derive(Debug)]
pub(crate) struct Refusal {
    file: String,
    line: Option<u64>,
    said: String,
}

impl Refusal {
    /// Refuses a line, counted from 1, saying what is wrong and what is allowed.
    pub(crate) fn of_line(file: &str, line: u64, said: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: Some(line),
            said: said.into(),
        }
    }

    /// Refuses a file that cannot be opened.
    pub(crate) fn of_file(file: &str, error: &io::Error, expected: &str) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            said: format!("cannot be read ({error}), expected {expected}"),
        }
    }
}

impl Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.said)
    }
}

/// What a file says, short enough for a message and without its line breaks.
pub(crate) fn quoted(text: &str) -> String {
    if text.chars().count() <= LONGEST_QUOTE {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST_QUOTE).collect();
    format!("{start:?}...")
}

const LONGEST_QUOTE: usize = 40;
