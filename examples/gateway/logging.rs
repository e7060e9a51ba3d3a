use std::env::{self, VarError};
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::Failure;

/// The format of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Json,
    Text,
}

/// Writes what happens to standard error from now on, as far as `RUST_LOG` says.
pub(crate) fn start(format: Format) -> Result<(), Failure> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter()?)
        .with_writer(io::stderr)
        .with_ansi(is_in_color())
        // It would complain of a closed stderr there, and panic.
        .log_internal_errors(false);
    match format {
        Format::Json => lines.json().flatten_event(true).init(),
        Format::Text => lines.init(),
    }
    Ok(())
}

/// Returns the filter of the log. A filter that cannot be read is an error, because
/// otherwise the lines would be missed only when somebody needs them.
fn filter() -> Result<EnvFilter, Failure> {
    match env::var(EnvFilter::DEFAULT_ENV) {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| {
            let expected = "expected one such as \"info,gateway::access=off\"";
            format!("RUST_LOG is {filter:?}: {error}, {expected}").into()
        }),
        Err(VarError::NotPresent) => Ok("info".into()),
        Err(error @ VarError::NotUnicode(_)) => Err(format!("RUST_LOG: {error}").into()),
    }
}

/// Returns whether whoever reads the log wants colors: a file or another program does
/// not, and neither does a person who says so (<https://no-color.org>).
fn is_in_color() -> bool {
    let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_unwanted
}
