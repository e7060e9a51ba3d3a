use std::fmt;

use super::{ChildId, Incarnation};

/// What a supervisor is to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Directive {
    /// Start this incarnation; answer with `started` or `exited`.
    Start {
        /// The child to start.
        child: ChildId,
        /// The incarnation to start.
        incarnation: Incarnation,
    },
    /// End this incarnation, or its start, and all that is left of it.
    ///
    /// Answer with `exited` once nothing of it runs, also where it is long gone.
    Stop {
        /// The child to stop.
        child: ChildId,
        /// Its current incarnation, or its last one.
        incarnation: Incarnation,
    },
    /// The child reached its limit: it will not be started again.
    GaveUp {
        /// The child that failed too often.
        child: ChildId,
    },
    /// All children are being stopped because of this one; tell the parent.
    Escalate {
        /// The child that failed too often, or could not boot.
        child: ChildId,
    },
    /// The child is down for good.
    Ended {
        /// The child that ended.
        child: ChildId,
        /// Why it will not be started again.
        why: Ending,
    },
}

/// Why a child is down for good.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// It ended, and its restart type asks for no restart.
    Finished,
    /// It failed too often.
    GaveUp,
    /// It was removed.
    Removed,
    /// Its supervisor stopped.
    ShutDown,
    /// Its first incarnation did not come up.
    StartFailed,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::GaveUp => "gave up",
            Self::Removed => "removed",
            Self::ShutDown => "shut down",
            Self::StartFailed => "start failed",
        })
    }
}
