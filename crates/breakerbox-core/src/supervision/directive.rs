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
    /// End this incarnation, or its start, but keep the child and its address.
    ///
    /// Answer with `exited` once nothing of it runs, or with `stuck` when it has had
    /// its time. An exit that was under way is an answer too.
    EndIncarnation {
        /// The child whose next incarnation follows.
        child: ChildId,
        /// The incarnation to end.
        incarnation: Incarnation,
    },
    /// End this incarnation, or its start, and all that is left of the child.
    ///
    /// Answer with `exited` once nothing of it runs, also where it is long gone, or
    /// with `stuck` when it has had its time; then `exited` follows that.
    /// It takes the place of an `EndIncarnation` that was not answered yet, and
    /// of an exit that was not reported: then this alone is to be answered, so
    /// that nobody takes the child for gone too early.
    Stop {
        /// The child to stop.
        child: ChildId,
        /// Its current incarnation, or its last one.
        incarnation: Incarnation,
    },
    /// The child reached its limit and will not be restarted.
    GaveUp {
        /// The child that failed too often.
        child: ChildId,
    },
    /// All children are being stopped because of this one; tell the parent.
    Escalate {
        /// The child that failed too often, or could not boot.
        child: ChildId,
    },
    /// All children are being stopped because this significant one ended.
    AutoShutdown {
        /// The child that ended.
        child: ChildId,
    },
    /// The child is down, or it is stuck and counts as down.
    Ended {
        /// The child that ended.
        child: ChildId,
        /// Why it is not restarted.
        why: Ending,
    },
    /// The child is not known any more, and nothing of it is left.
    ///
    /// A supervision that stops keeps its children, so that they can be looked at.
    Forgotten {
        /// The child that was removed, or not worth keeping.
        child: ChildId,
    },
}

/// Why a child is down and not restarted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// It ended, or its group did, and its restart type asks for no restart.
    Finished,
    /// It failed too often.
    GaveUp,
    /// It was removed.
    Removed,
    /// Its supervisor stopped.
    ShutDown,
    /// Its first incarnation did not come up.
    StartFailed,
    /// It was stopped by a command, and is kept.
    Stopped,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "finished",
            Self::GaveUp => "gave up",
            Self::Removed => "removed",
            Self::ShutDown => "shut down",
            Self::StartFailed => "start failed",
            Self::Stopped => "stopped",
        })
    }
}
