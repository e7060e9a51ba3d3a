mod account;
mod builder;

use std::sync::Arc;

use breakerbox_core::Exit;

pub(super) use account::Account;
pub(super) use builder::ReportBuilder;

/// The account of how a supervisor ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Why the supervisor ended.
    pub end: End,
    /// The children that the supervisor stopped at its end, as they ended.
    ///
    /// Children that were stuck before, and still are, are listed too.
    pub stopped: Vec<Stopped>,
}

impl Report {
    /// Returns the children that had to be killed, and those that are stuck.
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

    /// Names the stuck children, once, in place of earlier entries about them.
    pub(super) fn note_stuck(&mut self, stuck: Vec<Stopped>) {
        let is_stuck = |it: &Stopped| stuck.iter().any(|other| other.child == it.child);
        self.stopped.retain(|it| !is_stuck(it));
        self.stopped.extend(stuck);
    }
}

/// The reason why a supervisor ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// A child failed too often, or did not come up at the start.
    Escalated {
        /// The child's name.
        child: Arc<str>,
        /// The last failure of the child.
        exit: Exit,
    },
    /// A significant child ended, which shut it down.
    Finished {
        /// The child's name.
        child: Arc<str>,
        /// How the child ended.
        ///
        /// A temporary child, or one that was given up, may have failed.
        exit: Exit,
    },
    /// Other code killed the supervisor's actor, and its children with it.
    Killed,
    /// The spec was refused before anything was started.
    ///
    /// Only the report of a [`Lifecycle`](crate::Lifecycle) says so.
    NeverStarted,
    /// Somebody shut the supervisor down, or its last handle was dropped.
    ShutDown,
}

/// One child that a supervisor stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stopped {
    /// The child's name, or its path from the supervisor of the report.
    pub child: Arc<str>,
    /// The way in which the child stopped.
    pub departure: Departure,
}

/// The way in which a child that was asked to stop has stopped.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Departure {
    /// The child had to be killed.
    Killed,
    /// The child stopped by itself, or was down already.
    Stopped,
    /// The child, or a child below it, blocks its thread, so no kill has ended it.
    ///
    /// The child ends when it awaits next, and is not started again.
    Stuck,
}
