use std::{fmt, io};

use tokio::sync::mpsc;

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
    stops: mpsc::UnboundedReceiver<Signal>,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on the signals are heard of here, and do not end the process.
    #[cfg(unix)]
    pub(super) fn listen(stops: mpsc::UnboundedReceiver<Signal>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            stops,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(not(unix))]
    pub(super) fn listen(stops: mpsc::UnboundedReceiver<Signal>) -> io::Result<Self> {
        Ok(Self { stops })
    }

    /// The next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(stop) = self.stops.recv() => stop,
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            else => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(stop) = self.stops.recv() => stop,
            Ok(()) = tokio::signal::ctrl_c() => Signal::Interrupt,
            else => std::future::pending().await,
        }
    }
}
