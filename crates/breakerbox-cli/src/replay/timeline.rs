//! The transitions of a replay, for people.
//!
//! A breaker that flaps all day has more transitions than anyone reads, and
//! what matters is how it began and how it ended. The first ones are shown as
//! they happen, the last ones at the end, and in between stands how many were
//! left out.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use breakerbox_core::Transition;

use super::decimal::Seconds;

/// The first and the last transitions.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    latest: VecDeque<String>,
    left_out: u64,
    shown: usize,
}

impl Timeline {
    pub(crate) fn add(
        &mut self,
        out: &mut impl Write,
        at: Duration,
        transition: &Transition,
    ) -> io::Result<()> {
        if self.shown < MOST_FIRST {
            if self.shown == 0 {
                writeln!(
                    out,
                    "{}",
                    row("time", "from", "to", "reason", "verdicts in the window")
                )?;
            }
            self.shown += 1;
            return writeln!(out, "{}", told(at, transition));
        }
        self.latest.push_back(told(at, transition));
        if self.latest.len() > MOST_LAST {
            self.latest.pop_front();
            self.left_out += 1;
        }
        Ok(())
    }

    pub(crate) fn finish(&self, out: &mut impl Write) -> io::Result<()> {
        if self.shown == 0 {
            writeln!(out, "no transitions")?;
        }
        if self.left_out > 0 {
            let left_out = self.left_out;
            writeln!(out, "     ... {left_out} more, all of them with --json ...")?;
        }
        self.latest
            .iter()
            .try_for_each(|row| writeln!(out, "{row}"))
    }
}

fn told(at: Duration, transition: &Transition) -> String {
    row(
        &Seconds(at).to_string(),
        transition.from.as_str(),
        transition.to.as_str(),
        transition.reason.as_str(),
        &transition.evidence.to_string(),
    )
}

fn row(time: &str, from: &str, to: &str, reason: &str, evidence: &str) -> String {
    format!("{time:>14}  {from:<9} -> {to:<9}  {reason:<20}  {evidence}")
}

const MOST_FIRST: usize = 40;
const MOST_LAST: usize = 20;
