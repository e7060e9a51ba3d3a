//! From the start of a service to its exit code.
//!
//! A cluster ends a container with a signal and keeps sending it requests for a
//! while, because the news travels. A process that stops at once fails those; one
//! that ignores the signal is killed with its work half done. So the end is a
//! sequence: say that one is not ready, serve on until nobody calls any more,
//! then stop what runs, in order. The signal may also come while the service
//! starts, or fails, and the exit code must not call a failure a success.
//!
//! # Invariants
//!
//! 1. It is ready only while the tree is up and nobody has asked it to end.
//! 2. No signal ends the process by itself once the tree begins to start.
//! 3. It returns when nothing of the tree is left, but for what the report names
//!    as stuck.
//! 4. The report tells whether the tree failed, whatever signals came.

mod log;
mod readiness;
mod report;
mod run;
mod signals;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::clock;
pub use readiness::Readiness;
use readiness::{Asker, Publisher};
pub use report::{LifecycleEnd, LifecycleReport};
use run::Start;
pub use signals::Signal;
pub use tree::LifecycleTree;

/// Runs a tree of supervisors as a service, until a signal ends it.
///
/// # Examples
///
/// ```no_run
/// # use std::process::ExitCode;
/// # use breakerbox::{ChildSpec, Lifecycle, Strategy, SupervisorSpec};
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<ExitCode> {
/// let lifecycle = Lifecycle::new();
/// let readiness = lifecycle.readiness(); // for the readiness probe
/// # drop(readiness);
/// let orders = SupervisorSpec::new("orders", Strategy::OneForOne);
/// let report = lifecycle.run(orders).await?;
/// println!("{report}");
/// Ok(report.exit_code())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a lifecycle does nothing until it runs a tree"]
pub struct Lifecycle {
    drain_delay: Duration,
    publisher: Publisher,
    stop: mpsc::UnboundedSender<Instant>,
    stops: mpsc::UnboundedReceiver<Instant>,
}

impl Lifecycle {
    /// With a drain delay of 5 seconds, and not ready yet.
    pub fn new() -> Self {
        let (stop, stops) = mpsc::unbounded_channel();
        Self {
            drain_delay: DRAIN_DELAY,
            publisher: Publisher::new(),
            stop,
            stops,
        }
    }

    /// How long to serve on after it was asked to end; 5 seconds unless set.
    ///
    /// There is no delay where it never was ready, and the delay is over when the
    /// tree ends meanwhile.
    ///
    /// Give it the time that load balancers need to notice. With the time that
    /// children take to stop, it must stay below what the cluster grants, which
    /// is 30 seconds in Kubernetes unless set;
    /// [`SupervisorSpec::shutdown_within`](crate::SupervisorSpec::shutdown_within)
    /// bounds the time of the children.
    pub const fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Whether it is ready for requests, for others to watch.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.publisher.readiness()
    }

    /// What asks it to end as a signal does, for instance from an admin page.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper {
            asker: self.publisher.asker(),
            stop: self.stop.clone(),
        }
    }

    /// Runs the tree until SIGTERM, SIGINT, a [`Stopper`] or its own end.
    ///
    /// Give it a [`SupervisorSpec`](crate::SupervisorSpec): it listens for signals
    /// first, then starts the tree, and a start that fails is in the report. A
    /// [`Supervisor`](crate::Supervisor), which was started before, does as well, but
    /// a signal during that start ended the process by itself.
    ///
    /// It is ready once the tree is up. Asked to end, it is not ready any more,
    /// serves on for the drain delay, and shuts the tree down. Asked while the tree
    /// starts, it calls the start off: children that are up or starting are stopped,
    /// in reverse order, without a drain delay. Asked again, it kills what is left;
    /// but all that asks within 200 ms of the first time counts as one with it, as
    /// shells and container engines send their signals twice.
    ///
    /// # Errors
    ///
    /// When the process cannot listen for signals. A spec is not started then; a
    /// tree is stopped in the background, unless there are other handles on it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops its handle on the tree, which stops the tree in the
    /// background unless there are others. From its first poll on, the signals
    /// no longer end the process by themselves.
    pub async fn run(self, tree: impl Into<LifecycleTree>) -> io::Result<LifecycleReport> {
        let tree = tree.into();
        let start = Start::listen(self.drain_delay, self.publisher, self.stops)?;
        let report = start.run(tree).await;
        report.log();
        Ok(report)
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
    asker: Asker,
    stop: mpsc::UnboundedSender<Instant>,
}

impl Stopper {
    /// Asks it to end, or, asked more than 200 ms before, to end at once.
    ///
    /// It is not ready any more when this returns.
    pub fn stop(&self) {
        self.asker.ask();
        let _has_ended = self.stop.send(clock::now());
    }
}

/// What most clusters need until nobody calls any more.
const DRAIN_DELAY: Duration = Duration::from_secs(5);
