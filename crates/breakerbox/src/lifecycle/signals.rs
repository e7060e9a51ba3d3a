use std::time::{Duration, Instant};
use std::{fmt, io};

use super::log;
use tokio::sync::mpsc;

use crate::clock;

/// What asked a service to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT: somebody at the keyboard.
    Interrupt,
    /// A [`Stopper`](super::Stopper).
    Stopper,
    /// SIGTERM: the cluster.
    Terminate,
}

impl Signal {
    /// Its name in lower case, for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Stopper => "stopper",
            Self::Terminate => "terminate",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Stopper => "stop",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The signals of the process, and those of stoppers.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    stops: mpsc::UnboundedReceiver<Instant>,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on: the signals come here, and do not end the process.
    #[cfg(unix)]
    pub(super) fn listen(stops: mpsc::UnboundedReceiver<Instant>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            stops,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(windows)]
    pub(super) fn listen(stops: mpsc::UnboundedReceiver<Instant>) -> io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
            stops,
        })
    }

    /// Waits for the first signal, and returns when it was sent, as far as is known.
    pub(super) async fn first(&mut self) -> (Signal, Instant) {
        let (signal, sent) = self.next().await;
        (signal, sent.unwrap_or_else(clock::now))
    }

    /// Waits for a signal that does not count as one with the first.
    ///
    /// When a stopper was used is known. When the system's signal was sent is not:
    /// where this task could not run for a while, both the signal and the end of the
    /// span may have come meanwhile, and it counts as one with the first.
    pub(super) async fn another(&mut self, first: Instant) -> Signal {
        let span_end = first + COUNT_AS_ONE;
        let mut span = std::pin::pin!(tokio::time::sleep_until(span_end.into()));
        let mut has_passed = false;
        loop {
            tokio::select! {
                biased;
                (signal, sent) = self.next() => {
                    if sent.map_or(has_passed, |sent| sent > span_end) {
                        return signal;
                    }
                    log::repeated(signal);
                }
                () = &mut span, if !has_passed => {
                    has_passed = true;
                    log::awaiting_another();
                }
            }
        }
    }

    /// Waits for the next signal, and returns when it was sent, if that is known.
    #[cfg(unix)]
    async fn next(&mut self) -> (Signal, Option<Instant>) {
        tokio::select! {
            Some(sent) = self.stops.recv() => (Signal::Stopper, Some(sent)),
            Some(()) = self.terminate.recv() => (Signal::Terminate, None),
            Some(()) = self.interrupt.recv() => (Signal::Interrupt, None),
            else => std::future::pending().await,
        }
    }

    #[cfg(windows)]
    async fn next(&mut self) -> (Signal, Option<Instant>) {
        tokio::select! {
            Some(sent) = self.stops.recv() => (Signal::Stopper, Some(sent)),
            Some(()) = self.interrupt.recv() => (Signal::Interrupt, None),
            else => std::future::pending().await,
        }
    }
}

/// Shells and container engines send the signal to the group and once more to the
/// process, or SIGINT and SIGTERM together; a person needs longer to ask again.
const COUNT_AS_ONE: Duration = Duration::from_millis(200);
