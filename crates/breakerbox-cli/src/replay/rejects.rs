use std::fmt;
use std::time::Duration;

use super::log::LoggedCall;

/// Rejected calls that would all have ended alike.
#[derive(Debug, Default)]
pub(crate) struct Rejects {
    calls: u64,
    /// The first few, for who wants to look them up.
    lines: Vec<u64>,
    lasted: Duration,
}

impl Rejects {
    pub(crate) fn add(&mut self, call: &LoggedCall) {
        self.calls += 1;
        self.lasted = self.lasted.saturating_add(call.duration);
        if self.lines.len() < MOST_LINES {
            self.lines.push(call.line);
        }
    }

    pub(crate) const fn calls(&self) -> u64 {
        self.calls
    }

    /// How long they took together.
    pub(crate) const fn lasted(&self) -> Duration {
        self.lasted
    }

    /// Which lines they are, such as `(lines 3, 4, 5, ...)`; nothing if there are none.
    pub(crate) fn lines(&self) -> impl fmt::Display {
        let lines: Vec<_> = self.lines.iter().map(u64::to_string).collect();
        let more = if self.calls > MOST_LINES as u64 {
            ", ..."
        } else {
            ""
        };
        match lines.as_slice() {
            [] => String::new(),
            [line] => format!(" (line {line})"),
            lines => format!(" (lines {}{more})", lines.join(", ")),
        }
    }
}

const MOST_LINES: usize = 5;
