use std::io::{self, Write};
use std::time::Duration;

use breakerbox_core::Transition;

use super::decimal::Millis;
use super::log::LoggedCall;
use super::playback::{Decision, Summary, View};

/// One JSON object a line, for programs.
///
/// Written by hand because a time must print as the decimal that it is, which a
/// float would not; every word in it is one of a fixed set, so nothing is there
/// to be escaped.
pub(crate) struct Json<W> {
    out: W,
}

impl<W> Json<W> {
    pub(crate) const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> View for Json<W> {
    type Output = W;

    fn call(&mut self, call: &LoggedCall, decision: Decision) -> io::Result<()> {
        let (line, at) = (call.line, Millis(call.start));
        write!(
            self.out,
            r#"{{"type":"call","line":{line},"at_ms":{at},"decision":"#
        )?;
        match decision {
            Decision::Admitted => writeln!(self.out, r#""admitted"}}"#),
            Decision::Rejected {
                reason,
                retry_after,
            } => {
                write!(
                    self.out,
                    r#""rejected","reason":"{reason}","retry_after_ms":"#
                )?;
                match retry_after {
                    Some(span) => writeln!(self.out, "{}}}", Millis(span)),
                    None => writeln!(self.out, "null}}"),
                }
            }
        }
    }

    fn transition(&mut self, at: Duration, transition: &Transition) -> io::Result<()> {
        let Transition {
            from,
            generation,
            reason,
            to,
            ..
        } = transition;
        let at = Millis(at);
        writeln!(
            self.out,
            r#"{{"type":"transition","at_ms":{at},"from":"{from}","to":"{to}","reason":"{reason}","generation":{generation}}}"#
        )
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        write!(
            self.out,
            r#"{{"type":"summary","state":"{}","calls":{},"admitted":{},"rejected":{},"late":{},"#,
            summary.state,
            summary.calls(),
            summary.admitted,
            summary.rejected,
            summary.late,
        )?;
        let counts = summary.counts;
        writeln!(
            self.out,
            r#""counts":{{"successes":{},"failures":{},"ignored":{},"consecutive_successes":{},"consecutive_failures":{}}}}}"#,
            counts.successes,
            counts.failures,
            counts.ignored,
            counts.consecutive_successes,
            counts.consecutive_failures,
        )
    }

    fn into_output(self) -> W {
        self.out
    }
}
