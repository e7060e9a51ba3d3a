use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// How lines of the log are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Json,
    Text,
}

/// Writes what happens to standard error from now on, as far as `RUST_LOG` says.
pub(crate) fn start(format: Format) {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(io::stderr)
        .with_ansi(is_in_color())
        // It would complain of a closed stderr there, and panic.
        .log_internal_errors(false);
    match format {
        Format::Json => lines.json().flatten_event(true).init(),
        Format::Text => lines.init(),
    }
}

/// Returns whether whoever reads the log wants colors: a file or another program does
/// not, and neither does a person who says so (<https://no-color.org>).
fn is_in_color() -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_unwanted
}
