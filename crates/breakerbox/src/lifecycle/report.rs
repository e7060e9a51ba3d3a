use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::Signal;
use crate::{End, Report};

/// How a service ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LifecycleReport {
    /// Why.
    pub end: LifecycleEnd,
    /// The name of the tree.
    pub name: Arc<str>,
    /// From the first signal to the end, the drain delay included.
    pub took: Duration,
    /// How the tree ended, and who had to be killed.
    pub tree: Report,
}

impl LifecycleReport {
    /// What the process should end with.
    ///
    /// 0 if it was asked to end and did so in order, whoever had to be killed on
    /// the way; 130 or 143, as a shell says it of SIGINT and SIGTERM, if it was
    /// asked again; 1 if the tree ended by itself.
    ///
    /// A tokio runtime that is dropped waits for every thread. Where the tree's
    /// report names somebody as [`Stuck`](crate::Departure::Stuck), call
    /// [`std::process::exit`] instead of returning this from `main`.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.end {
            LifecycleEnd::Asked(_) => ExitCode::SUCCESS,
            LifecycleEnd::AskedAgain(Signal::Interrupt) => ExitCode::from(130),
            LifecycleEnd::AskedAgain(_) => ExitCode::from(143),
            LifecycleEnd::TreeEnded => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for LifecycleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, took, .. } = self;
        match &self.end {
            LifecycleEnd::Asked(signal) => {
                write!(f, "{name}: stopped after {signal} in {took:.1?}")?;
            }
            LifecycleEnd::AskedAgain(signal) => {
                write!(f, "{name}: killed by a second {signal} after {took:.1?}")?;
            }
            LifecycleEnd::TreeEnded => write!(f, "{name}: ended by itself")?,
        }
        if let End::Escalated { child, exit } = &self.tree.end {
            write!(f, ", because {child:?} {exit}")?;
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

/// Why a service ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LifecycleEnd {
    /// It was asked to, and did so in order.
    Asked(Signal),
    /// It was asked a second time before it was done, so what was left was killed.
    AskedAgain(Signal),
    /// Its tree ended by itself.
    TreeEnded,
}
