mod account;
mod builder;

use std::sync::Arc;

use breakerbox_core::Exit;

pub(super) use account::Account;
pub(super) use builder::ReportBuilder;

/// How a supervisor ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Why.
    pub end: End,
    /// The children that it stopped in its end, in the order in which they ended,
    /// and those that were stuck before and still are.
    pub stopped: Vec<Stopped>,
}

impl Report {
    /// The children that did not stop by themselves: killed ones and stuck ones.
    pub fn unclean(&self) -> impl Iterator<Item = &Stopped> {
        let unclean = |stopped: &&Stopped| stopped.departure != Departure::Stopped;
        self.stopped.iter().filter(unclean)
    }

    /// The report of a supervisor that was killed, so left none.
    pub(super) const fn killed(end: End) -> Self {
        Self {
            end,
            stopped: Vec::new(),
        }
    }

    /// The report of one whose spec was refused.
    pub(crate) const fn never_started() -> Self {
        Self {
            end: End::NeverStarted,
            stopped: Vec::new(),
        }
    }

    /// Names who is stuck, once and instead of what was said of them before.
    pub(super) fn note_stuck(&mut self, stuck: Vec<Stopped>) {
        let is_stuck = |it: &Stopped| stuck.iter().any(|other| other.child == it.child);
        self.stopped.retain(|it| !is_stuck(it));
        self.stopped.extend(stuck);
    }
}

/// Why a supervisor ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// A child failed too often, or did not come up at the start.
    Escalated {
        /// Its name.
        child: Arc<str>,
        /// How it failed last.
        exit: Exit,
    },
    /// A significant child ended, which shut it down.
    Finished {
        /// Its name.
        child: Arc<str>,
        /// How it ended; a temporary child, or one that was given up, may have failed.
        exit: Exit,
    },
    /// Its own actor was killed, and its children with it.
    Killed,
    /// Its spec was refused before anything was started; only the report of a
    /// [`Lifecycle`](crate::Lifecycle) says so.
    NeverStarted,
    /// It was shut down, or its last handle was dropped.
    ShutDown,
}

/// One child that a supervisor stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stopped {
    /// Its name.
    pub child: Arc<str>,
    /// How it went.
    pub departure: Departure,
}

/// How a child that was asked to stop went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Departure {
    /// It had to be killed.
    Killed,
    /// It stopped by itself, or was down already.
    Stopped,
    /// It, or a child below it, blocks its thread, so even a kill did not end it yet.
    ///
    /// It will end when it awaits next, and not be started again.
    Stuck,
}
