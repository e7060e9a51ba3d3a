use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{Signal, log};
use crate::{End, Report, StartError};

/// How a service ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LifecycleReport {
    /// What ended it, as far as signals and the start go; `tree` has the tree's side.
    pub end: LifecycleEnd,
    /// The name of the tree.
    pub name: Arc<str>,
    /// The span from the first signal to the end, the drain delay included; zero where
    /// nobody asked.
    pub took: Duration,
    /// How the tree ended, and who had to be killed.
    pub tree: Report,
}

impl LifecycleReport {
    /// The report of a tree whose spec was refused.
    pub(super) const fn refused(name: Arc<str>, error: StartError) -> Self {
        Self {
            end: LifecycleEnd::StartFailed(error),
            name,
            took: Duration::ZERO,
            tree: Report::never_started(),
        }
    }

    /// Returns what the process should end with.
    ///
    /// 1 if the tree failed, whatever signals came before or after that: it did not
    /// start, it gave up, it was killed by other code, or the significant child that
    /// ended it had failed. Otherwise 130 or 143, as a shell says it of SIGINT and
    /// SIGTERM, if it was asked to end for a second time and therefore killed; a
    /// [`Stopper`](crate::Stopper) counts as SIGTERM. Otherwise 0: it ended in order,
    /// whoever had to be killed on the way, because it was asked to, because other
    /// code shut it down, or because a significant child finished, as a job does.
    ///
    /// A tokio runtime that is dropped waits for every thread. Where the tree's
    /// report names somebody as [`Stuck`](crate::Departure::Stuck), call
    /// [`std::process::exit`] instead of returning this from `main`.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.end {
            _ if self.has_failed() => ExitCode::FAILURE,
            LifecycleEnd::AskedAgain(Signal::Interrupt) => ExitCode::from(130),
            LifecycleEnd::AskedAgain(_) => ExitCode::from(143),
            _ => ExitCode::SUCCESS,
        }
    }

    /// Returns whether the tree failed, whoever else asked it to end.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        match (&self.end, &self.tree.end) {
            (LifecycleEnd::StartFailed(_), _) | (_, End::Escalated { .. } | End::NeverStarted) => {
                true
            }
            // Unless the second signal did it, somebody else killed it.
            (end, End::Killed) => !matches!(end, LifecycleEnd::AskedAgain(_)),
            (_, End::Finished { exit, .. }) => exit.is_abnormal(),
            (_, End::ShutDown) => false,
        }
    }

    pub(super) fn log(&self) {
        log::ended(
            &self.name,
            self.signal(),
            self.tree_did().as_deref(),
            self.has_failed(),
        );
    }

    const fn signal(&self) -> Option<Signal> {
        match self.end {
            LifecycleEnd::Asked(signal) | LifecycleEnd::AskedAgain(signal) => Some(signal),
            LifecycleEnd::StartFailed(_) | LifecycleEnd::TreeEnded => None,
        }
    }

    /// Says what the tree did, unless that is no more than it was asked to.
    fn tree_did(&self) -> Option<String> {
        match (&self.end, &self.tree.end) {
            (LifecycleEnd::StartFailed(error), _) => Some(format!("did not start: {error}")),
            (_, End::Escalated { child, exit }) => Some(format!("failed: {child:?} {exit}")),
            (_, End::Finished { child, exit }) => {
                Some(format!("finished with {child:?}, which {exit}"))
            }
            (LifecycleEnd::AskedAgain(_), End::Killed) => None,
            (_, End::Killed) => Some("killed by other code".to_owned()),
            (LifecycleEnd::TreeEnded, _) => Some("shut down by other code".to_owned()),
            (_, End::NeverStarted | End::ShutDown) => None,
        }
    }

    /// Says what a signal did, if there was one.
    fn signal_did(&self) -> Option<String> {
        let took = self.took;
        match self.end {
            LifecycleEnd::Asked(signal) => Some(format!("stopped after {signal} in {took:.1?}")),
            LifecycleEnd::AskedAgain(signal) => {
                Some(format!("killed by a second {signal} after {took:.1?}"))
            }
            LifecycleEnd::StartFailed(_) | LifecycleEnd::TreeEnded => None,
        }
    }
}

impl fmt::Display for LifecycleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let mut before = ": ";
        for fact in [self.tree_did(), self.signal_did()].into_iter().flatten() {
            write!(f, "{before}{fact}")?;
            before = "; ";
        }
        let stopped = self.tree.stopped.len();
        let unclean: Vec<_> = self.tree.unclean().collect();
        write!(
            f,
            "; {} of {stopped} children stopped by themselves",
            stopped - unclean.len()
        )?;
        for child in unclean {
            write!(f, "\n  {} {:?}", child.child, child.departure)?;
        }
        Ok(())
    }
}

/// What ended a service.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LifecycleEnd {
    /// It was asked to end, and ended in order, perhaps because the tree failed
    /// meanwhile or had failed before.
    Asked(Signal),
    /// It was asked a second time before it was done, so what was left was killed.
    AskedAgain(Signal),
    /// Its tree did not start, and nobody had asked it to end.
    StartFailed(StartError),
    /// Its tree ended, and nobody had asked it to.
    TreeEnded,
}
