use std::fmt;
use std::sync::Arc;

use breakerbox_core::{ChildStatus, Phase};

/// How a supervisor and its children do, at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
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
    /// How the child of that name does, if there is one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&ChildStatus> {
        let mut children = self.children.iter();
        let child = children.find(|child| *child.name == *name)?;
        Some(&child.status)
    }
}

/// How one child does.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildSnapshot {
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
    /// An async function.
    Task,
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Actor => "actor",
            Self::Task => "task",
        })
    }
}
