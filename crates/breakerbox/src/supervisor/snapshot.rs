mod drawing;
mod tree;

use std::fmt;
use std::sync::Arc;

use breakerbox_core::{ChildStatus, Phase};

pub(super) use tree::build;

/// How a supervisor and its children do, at one time.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisorSnapshot {
    /// Its children, in the order in which they were added.
    pub children: Vec<ChildSnapshot>,
    /// Its name.
    pub name: Arc<str>,
    /// What it is doing itself.
    pub phase: Phase,
}

impl SupervisorSnapshot {
    /// How the child of that name, or path, does, if there is one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&ChildStatus> {
        Some(&tree::find(&self.children, name)?.status)
    }
}

/// How one child does.
///
/// It may hold a tree of any depth, and nothing that is done with it goes deep into the
/// stack. For that it has a `Drop`, so take its children by [`std::mem::take`].
#[non_exhaustive]
pub struct ChildSnapshot {
    /// Its own children, if it is a supervisor.
    pub children: Vec<Self>,
    /// The number of messages dropped because it was down and its queue full; see
    /// [`ChildSpec::queue_while_down`](crate::ChildSpec::queue_while_down).
    pub dropped: u64,
    /// What it is.
    pub kind: ChildKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its phase, incarnation, restarts, last exit, and since when.
    pub status: ChildStatus,
}

/// What a child is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ChildKind {
    /// A ractor actor.
    Actor,
    /// A set of children of one recipe.
    Set,
    /// A supervisor.
    Supervisor,
    /// An async function.
    Task,
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Actor => "actor",
            Self::Set => "set",
            Self::Supervisor => "supervisor",
            Self::Task => "task",
        })
    }
}
