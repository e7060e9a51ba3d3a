//! A log of calls, read a line at a time.
//!
//! The csv crate numbers a line wrongly after blank lines and after CRLF, and
//! an unclosed quote makes it take the rest of the file for one field. Here a
//! message must name the right line and memory must not grow, while no value of
//! the three columns holds a comma, a quote or a line break. So a line is a
//! record, and a field may stand in quotes.
//!
//! # Invariants
//!
//! 1. Starts ascend, or a line is refused.
//! 2. At most [`LONGEST_LINE`] bytes of a line are held.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use breakerbox_core::Outcome;

use super::decimal::Millis;
use super::refusal::{Refusal, quoted};

/// One line of a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoggedCall {
    pub(crate) duration: Duration,
    /// Counted from 1, with the header.
    pub(crate) line: u64,
    pub(crate) outcome: Outcome,
    pub(crate) start: Duration,
}

/// A log whose header has been read.
pub(crate) struct Log {
    line: u64,
    line_bytes: Vec<u8>,
    name: String,
    previous_start: Duration,
    reader: Box<dyn BufRead>,
}

impl Log {
    /// Opens a file, or standard input for `-`, and reads the header.
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        if path == Path::new("-") {
            return Self::new("<stdin>".to_owned(), Box::new(io::stdin().lock()));
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            Refusal::of_file(&name, &error, "a readable file, or - for standard input")
        })?;
        Self::new(name, Box::new(BufReader::with_capacity(INPUT_BUFFER, file)))
    }

    fn new(name: String, reader: Box<dyn BufRead>) -> Result<Self, Refusal> {
        let mut log = Self {
            line: 0,
            line_bytes: Vec::new(),
            name,
            previous_start: Duration::ZERO,
            reader,
        };
        log.read_header()?;
        Ok(log)
    }

    /// The next call, or None at the end.
    pub(crate) fn next_call(&mut self) -> Result<Option<LoggedCall>, Refusal> {
        if !self.next_line()? {
            return Ok(None);
        }
        let call = self.parse(self.text()?)?;
        self.previous_start = call.start;
        Ok(Some(call))
    }

    fn read_header(&mut self) -> Result<(), Refusal> {
        if !self.next_line()? {
            self.line = self.line.max(1);
            return Err(self.refuse(format!("there is no header, expected {HEADER}")));
        }
        let text = self.text()?;
        if text.split(',').map(unquoted).eq(HEADER.split(',')) {
            return Ok(());
        }
        let found = quoted(text);
        Err(self.refuse(format!("the header is {found}, expected {HEADER}")))
    }

    /// Goes to the next line that is not blank, or returns false at the end.
    fn next_line(&mut self) -> Result<bool, Refusal> {
        loop {
            self.line_bytes.clear();
            let longest = LONGEST_LINE as u64 + 1;
            let read = (&mut self.reader)
                .take(longest)
                .read_until(b'\n', &mut self.line_bytes);
            self.line += 1;
            match read {
                Err(error) => return Err(self.unreadable(&error)),
                Ok(0) => {
                    self.line -= 1;
                    return Ok(false);
                }
                Ok(_) => self.trim()?,
            }
            if !self.line_bytes.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Takes away what frames a line: its end and, before the first, a byte order mark.
    fn trim(&mut self) -> Result<(), Refusal> {
        if self.line_bytes.pop_if(|byte| *byte == b'\n').is_none()
            && self.line_bytes.len() > LONGEST_LINE
        {
            return Err(self.refuse(format!(
                "the line is too long, expected at most {LONGEST_LINE} bytes"
            )));
        }
        self.line_bytes.pop_if(|byte| *byte == b'\r');
        if self.line == 1 && self.line_bytes.starts_with(BYTE_ORDER_MARK) {
            self.line_bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    fn text(&self) -> Result<&str, Refusal> {
        std::str::from_utf8(&self.line_bytes)
            .map_err(|_| self.refuse("the line is not UTF-8, expected plain text"))
    }

    fn parse(&self, text: &str) -> Result<LoggedCall, Refusal> {
        let mut fields = text.split(',').map(unquoted);
        let (Some(start), Some(duration), Some(outcome), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            let columns = text.split(',').count();
            return Err(self.refuse(format!(
                "the line has {columns} columns, expected 3: {HEADER}"
            )));
        };
        Ok(LoggedCall {
            start: self.ascending(self.time("start_ms", start)?)?,
            duration: self.time("duration_ms", duration)?,
            outcome: self.outcome(outcome)?,
            line: self.line,
        })
    }

    fn time(&self, column: &str, field: &str) -> Result<Duration, Refusal> {
        let Millis(time) = Millis::parse(field)
            .map_err(|error| self.refuse(format!("{column} {} {error}", quoted(field))))?;
        Ok(time)
    }

    fn ascending(&self, start: Duration) -> Result<Duration, Refusal> {
        if start >= self.previous_start {
            return Ok(start);
        }
        let (start, least) = (Millis(start), Millis(self.previous_start));
        Err(self.refuse(format!(
            "start_ms {start} is before the call above, expected calls in ascending order, here at least {least}"
        )))
    }

    fn outcome(&self, field: &str) -> Result<Outcome, Refusal> {
        match field {
            "failure" => Ok(Outcome::failure()),
            "ignored" => Ok(Outcome::Ignored),
            "success" => Ok(Outcome::Success),
            other => Err(self.refuse(format!(
                "outcome {} is unknown, expected success, failure or ignored",
                quoted(other)
            ))),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Refusal {
        self.refuse(format!("cannot be read ({error}), expected a text file"))
    }

    fn refuse(&self, said: impl Into<String>) -> Refusal {
        Refusal::of_line(&self.name, self.line, said)
    }
}

fn unquoted(field: &str) -> &str {
    field
        .strip_prefix('"')
        .and_then(|field| field.strip_suffix('"'))
        .unwrap_or(field)
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const HEADER: &str = "start_ms,duration_ms,outcome";
const INPUT_BUFFER: usize = 1 << 16;
const LONGEST_LINE: usize = 1_024;
