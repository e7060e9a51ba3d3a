//! What would this configuration have done with yesterday's traffic?
//!
//! A breaker is tuned by waiting for the next outage, and each guess costs
//! one. But every decision is a plain value of the core that is told the time,
//! so a log of calls is all it takes to try a configuration in a second.
//!
//! # Invariants
//!
//! 1. Every decision is the core's; nothing here knows a rule.
//! 2. Time is the log's own; no clock is read but for an origin.
//! 3. Memory is bounded but for the calls in flight.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use breakerbox_core::{BreakerConfig, Circuit};

mod config;
mod decimal;
mod json;
mod log;
mod playback;
mod plot;
mod refusal;
mod rejects;
mod report;
mod timeline;

use json::Json;
use log::Log;
use playback::{Playback, ReplayError, View};
use report::Report;

/// Show what a configuration would have done with a log of calls.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The breaker's configuration, in TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Print one JSON object a line instead of a report
    #[arg(long)]
    json: bool,

    /// Another seed throws other dice for the jitter of `open_for`
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// The log, in CSV with the header start_ms,duration_ms,outcome; `-` is standard input
    #[arg(value_name = "CALLS.CSV")]
    calls: PathBuf,
}

impl Replay {
    pub(crate) fn run(&self) -> ExitCode {
        match self.replay() {
            Ok(()) => ExitCode::SUCCESS,
            // Who closes our output, as `head` does, has seen enough.
            Err(ReplayError::Unwritable(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => {
                // With stderr gone too there is nobody left to tell.
                let _ = writeln!(io::stderr(), "{error}");
                match error {
                    ReplayError::Refused(_) => ExitCode::from(BAD_INPUT),
                    ReplayError::Unwritable(_) => ExitCode::FAILURE,
                }
            }
        }
    }

    fn replay(&self) -> Result<(), ReplayError> {
        let config = config::read(&self.config)?;
        let log = Log::open(&self.calls)?;
        let out = BufWriter::with_capacity(OUTPUT_BUFFER, io::stdout().lock());
        if self.json {
            self.play(config, log, Json::new(out))
        } else {
            self.play(config, log, Report::new(out))
        }
    }

    fn play<V>(&self, config: BreakerConfig, mut log: Log, view: V) -> Result<(), ReplayError>
    where
        V: View<Output = BufWriter<StdoutLock<'static>>>,
    {
        let mut playback = Playback::new(view, |origin| {
            Circuit::new(config, self.seed, origin)
                .expect("contradictions are refused when the file is read")
        });
        let played = playback.play(&mut log);
        // What was shown before a refusal stands, so it goes out first.
        let flushed = playback.into_output().flush();
        played.and(flushed.map_err(ReplayError::Unwritable))
    }
}

/// The exit code for a bad file or line, which is also clap's for bad usage.
const BAD_INPUT: u8 = 2;

const OUTPUT_BUFFER: usize = 1 << 16;
