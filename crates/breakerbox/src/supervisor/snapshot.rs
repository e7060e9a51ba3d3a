mod drawing;
mod tree;

use std::fmt;
use std::sync::Arc;

use breakerbox_core::{ChildStatus, Phase};

pub(super) use tree::build;

/// The state of a supervisor and its children, at one time.
///
/// The `Display` of a snapshot draws the tree, a line for each child.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct SupervisorSnapshot {
    /// The children, in the order in which they were added.
    pub children: Vec<ChildSnapshot>,
    /// The supervisor's name.
    pub name: Arc<str>,
    /// What the supervisor is doing itself.
    pub phase: Phase,
}

impl SupervisorSnapshot {
    /// Returns the status of the child of this name or path, if there is one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&ChildStatus> {
        Some(&tree::find(&self.children, name)?.status)
    }
}

/// The state of one child, at one time.
///
/// It may hold a tree of any depth, and no operation on it recurses. For that it has a
/// `Drop`, so its fields cannot be moved out: use [`std::mem::take`] to take its children.
#[non_exhaustive]
pub struct ChildSnapshot {
    /// The child's own children, if it is a supervisor or a set.
    pub children: Vec<Self>,
    /// The number of messages dropped because the child was down and its queue full.
    ///
    /// [`ChildSpec::queue_while_down`](crate::ChildSpec::queue_while_down) sets the limit.
    pub dropped: u64,
    /// The kind of the child.
    pub kind: ChildKind,
    /// The child's name, without a path and not escaped.
    pub name: Arc<str>,
    /// The child's phase, when that began, its incarnation, restarts and last exit.
    pub status: ChildStatus,
}

/// The kind of a child.
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
