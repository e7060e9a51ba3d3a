use std::env;
use std::io::{self, Write};
use std::time::Duration;

use breakerbox_core::{Outcome, State, Transition};

use super::decimal::Seconds;
use super::log::LoggedCall;
use super::playback::{Decision, Summary, View};
use super::plot::Plot;
use super::rejects::Rejects;
use super::timeline::Timeline;

/// A report for people: what changed, what it would have saved and cost.
pub(crate) struct Report<W> {
    failed: Rejects,
    ignored: Rejects,
    out: W,
    /// None until the first call, with which the plot begins.
    phases: Option<Phases>,
    succeeded: Rejects,
    timeline: Timeline,
}

/// The phases of a breaker, of which the last one still lasts.
struct Phases {
    plot: Plot,
    since: Duration,
    state: State,
}

impl Phases {
    fn from(origin: Duration) -> Self {
        Self {
            plot: Plot::from(origin),
            since: origin,
            state: State::Closed,
        }
    }

    fn end(&mut self, at: Duration, next: State) {
        self.plot.add(self.state, self.since, at);
        self.since = at;
        self.state = next;
    }
}

impl<W> Report<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            failed: Rejects::default(),
            ignored: Rejects::default(),
            out,
            phases: None,
            succeeded: Rejects::default(),
            timeline: Timeline::default(),
        }
    }
}

impl<W: Write> Report<W> {
    fn show_totals(&mut self, summary: &Summary) -> io::Result<()> {
        let (calls, admitted, rejected) = (summary.calls(), summary.admitted, summary.rejected);
        let (late, state, counts) = (summary.late, summary.state, summary.counts);
        writeln!(self.out)?;
        writeln!(
            self.out,
            "calls       {calls}: {admitted} admitted, {rejected} rejected, {late} ended too late to count"
        )?;
        self.show_rejects()?;
        writeln!(self.out, "in the end  {state}, {counts}")
    }

    fn show_rejects(&mut self) -> io::Result<()> {
        let (failed, waited) = (&self.failed, Seconds(self.failed.lasted()));
        writeln!(
            self.out,
            "saved       {} rejected calls would have failed, after {waited} of waiting{}",
            failed.calls(),
            failed.lines(),
        )?;
        for (word, rejects, end) in [
            ("lost", &self.succeeded, "succeeded"),
            ("neither", &self.ignored, "been ignored"),
        ] {
            let (calls, lines) = (rejects.calls(), rejects.lines());
            writeln!(
                self.out,
                "{word:<10}  {calls} rejected calls would have {end}{lines}"
            )?;
        }
        Ok(())
    }
}

impl<W: Write> View for Report<W> {
    type Output = W;

    fn call(&mut self, call: &LoggedCall, decision: Decision) -> io::Result<()> {
        self.phases.get_or_insert_with(|| Phases::from(call.start));
        if let Decision::Rejected { .. } = decision {
            let alike = match call.outcome {
                Outcome::Failure { .. } => &mut self.failed,
                Outcome::Ignored => &mut self.ignored,
                Outcome::Success => &mut self.succeeded,
            };
            alike.add(call);
        }
        Ok(())
    }

    fn transition(&mut self, at: Duration, transition: &Transition) -> io::Result<()> {
        if let Some(phases) = &mut self.phases {
            phases.end(at, transition.to);
        }
        self.timeline.add(&mut self.out, at, transition)
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.timeline.finish(&mut self.out)?;
        self.show_totals(summary)?;
        let Some(phases) = &mut self.phases else {
            return Ok(());
        };
        phases.end(summary.at, summary.state);
        writeln!(self.out)?;
        phases.plot.draw(&mut self.out, width())
    }

    fn into_output(self) -> W {
        self.out
    }
}

/// How many characters wide the plot may be.
fn width() -> usize {
    env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse::<usize>().ok())
        .map_or(USUAL_WIDTH, |columns| columns.clamp(NARROWEST, WIDEST))
}

const NARROWEST: usize = 40;
const USUAL_WIDTH: usize = 72;
const WIDEST: usize = 200;
