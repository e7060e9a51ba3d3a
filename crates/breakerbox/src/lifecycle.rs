//! From the start of a service to its exit code.
//!
//! A cluster ends a container with a signal and keeps sending it requests for a
//! while, because the news travels. A process that stops at once fails those; one
//! that ignores the signal is killed with its work half done. So the end is a
//! sequence: say that one is not ready, serve on until nobody calls any more,
//! then stop what runs, in order.
//!
//! # Invariants
//!
//! 1. It is ready only while the tree runs and nobody has asked it to end.
//! 2. It returns when nothing of the tree is left, but for what the report names
//!    as stuck.

mod readiness;
mod report;
mod signals;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::{Supervisor, clock};
pub use readiness::Readiness;
pub use report::{LifecycleEnd, LifecycleReport};
pub use signals::Signal;
use signals::Signals;

/// Runs a tree of supervisors as a service, until a signal ends it.
///
/// # Examples
///
/// ```no_run
/// # use std::process::ExitCode;
/// # use breakerbox::{ChildSpec, Lifecycle, Strategy, SupervisorSpec};
/// # #[tokio::main]
/// # async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
/// let lifecycle = Lifecycle::new();
/// let readiness = lifecycle.readiness(); // for the readiness probe
/// # drop(readiness);
/// let tree = SupervisorSpec::new("orders", Strategy::OneForOne).start().await?;
/// let report = lifecycle.run(tree).await?;
/// println!("{report}");
/// Ok(report.exit_code())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a lifecycle does nothing until it runs a tree"]
pub struct Lifecycle {
    drain_delay: Duration,
    readiness: watch::Sender<bool>,
    stop: mpsc::UnboundedSender<Signal>,
    stops: mpsc::UnboundedReceiver<Signal>,
}

impl Lifecycle {
    /// With a drain delay of 5 seconds, and not ready yet.
    pub fn new() -> Self {
        let (stop, stops) = mpsc::unbounded_channel();
        Self {
            drain_delay: DRAIN_DELAY,
            readiness: watch::Sender::new(false),
            stop,
            stops,
        }
    }

    /// How long to serve on after it was asked to end; 5 seconds unless set.
    ///
    /// Give it the time that load balancers need to notice. With the time that
    /// children take to stop, it must stay below what the cluster grants, which
    /// is 30 seconds in Kubernetes unless set.
    pub const fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Whether it is ready for requests, for others to watch.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::new(self.readiness.subscribe())
    }

    /// What asks it to end as a signal does, for instance from an admin page.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper {
            stop: self.stop.clone(),
        }
    }

    /// Runs the tree until SIGTERM, SIGINT, a [`Stopper`] or its own end.
    ///
    /// It is ready at once: a tree that was started is up. Asked to end, it is
    /// not ready any more, serves on for the drain delay, and shuts the tree
    /// down. Asked again, it kills what is left.
    ///
    /// # Errors
    ///
    /// When the process cannot listen for signals; the tree is then stopped in
    /// the background, unless there are other handles on it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops its handle on the tree, which stops the tree in the
    /// background unless there are others. From its first call on, the signals
    /// no longer end the process by themselves.
    pub async fn run(self, tree: Supervisor) -> io::Result<LifecycleReport> {
        let signals = Signals::listen(self.stops)?;
        let run = Run {
            drain_delay: self.drain_delay,
            readiness: self.readiness,
            signals,
            tree,
        };
        Ok(run.complete().await)
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks a [`Lifecycle`] to end; clones ask the same one.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: mpsc::UnboundedSender<Signal>,
}

impl Stopper {
    /// Asks it to end, or, asked before, to end at once.
    pub fn stop(&self) {
        let _has_ended = self.stop.send(Signal::Stopper);
    }
}

/// A lifecycle on its way.
struct Run {
    drain_delay: Duration,
    readiness: watch::Sender<bool>,
    signals: Signals,
    tree: Supervisor,
}

impl Run {
    async fn complete(mut self) -> LifecycleReport {
        self.readiness.send_replace(true);
        let asked = tokio::select! {
            signal = self.signals.next() => Some(signal),
            _ = self.tree.ended() => None,
        };
        self.readiness.send_replace(false);
        match asked {
            None => self.ended_by_itself().await,
            Some(signal) => self.end(signal).await,
        }
    }

    async fn ended_by_itself(self) -> LifecycleReport {
        tracing::error!(supervisor.name = self.tree.name(), "tree ended by itself");
        LifecycleReport {
            end: LifecycleEnd::TreeEnded,
            name: Arc::from(self.tree.name()),
            took: Duration::ZERO,
            tree: self.tree.ended().await,
        }
    }

    async fn end(mut self, signal: Signal) -> LifecycleReport {
        tracing::info!(
            signal.name = signal.as_str(),
            "not ready, serving on for the drain delay"
        );
        let since = clock::now();
        let ordered = async {
            tokio::time::sleep(self.drain_delay).await;
            tracing::info!(supervisor.name = self.tree.name(), "stopping the tree");
            self.tree.shutdown().await
        };
        let (end, tree) = tokio::select! {
            tree = ordered => (LifecycleEnd::Asked(signal), tree),
            again = self.signals.next() => {
                tracing::warn!(signal.name = again.as_str(), "killing what is left");
                (LifecycleEnd::AskedAgain(again), self.tree.kill().await)
            }
        };
        LifecycleReport {
            end,
            name: Arc::from(self.tree.name()),
            took: clock::now().saturating_duration_since(since),
            tree,
        }
    }
}

/// What most clusters need until nobody calls any more.
const DRAIN_DELAY: Duration = Duration::from_secs(5);
