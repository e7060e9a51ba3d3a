use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{ChildStatus, Phase};

use super::path;
use crate::clock;
use crate::text::on_one_line;

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
    /// How the child of that name, or path, does, if there is one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&ChildStatus> {
        Some(&find(&self.children, name)?.status)
    }
}

/// Draws the tree, a line for each child.
impl fmt::Display for SupervisorSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, phase, .. } = self;
        let mut rows = vec![];
        Row::of_children(&self.children, "", &mut rows);
        let widest = rows.iter().map(Row::width).max().unwrap_or(0);
        write!(f, "{} {phase}", path::escape(name))?;
        rows.iter().try_for_each(|row| row.write(widest, f))
    }
}

/// A line of the tree.
struct Row<'a> {
    child: &'a ChildSnapshot,
    /// The branches of the tree up to its name.
    branches: String,
}

impl<'a> Row<'a> {
    /// Adds a row for each of the children, and those below it.
    fn of_children(children: &'a [ChildSnapshot], indent: &str, rows: &mut Vec<Self>) {
        let last = children.len().saturating_sub(1);
        for (index, child) in children.iter().enumerate() {
            let (branch, below) = if index == last {
                ("\u{2514} ", "  ")
            } else {
                ("\u{251c} ", "\u{2502} ")
            };
            let branches = format!("{indent}{branch}");
            rows.push(Self { child, branches });
            Self::of_children(&child.children, &format!("{indent}{below}"), rows);
        }
    }

    fn width(&self) -> usize {
        self.branches.chars().count() + path::escape(&self.child.name).chars().count()
    }

    fn write(&self, widest: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChildSnapshot {
            dropped,
            kind,
            name,
            status,
            ..
        } = self.child;
        let ChildStatus {
            phase, restarts, ..
        } = status;
        let since = clock::now().saturating_duration_since(status.since);
        let pad = widest - self.width();
        write!(
            f,
            "\n{}{}{:pad$}  {kind:<10}  {phase:<11}  {:<10}  {restarts:>3} restarts",
            self.branches,
            path::escape(name),
            "",
            Rounded(since).to_string(),
        )?;
        if *dropped > 0 {
            write!(f, "  {dropped} messages dropped")?;
        }
        match &status.last_exit {
            None => Ok(()),
            Some(exit) => write!(f, "  last exit: {}", on_one_line(&exit.to_string())),
        }
    }
}

/// A span in the two units that a person would name.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..10 => write!(f, "{}.{} s", seconds, self.0.subsec_millis() / 100),
            10..60 => write!(f, "{seconds} s"),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 => write!(f, "{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        }
    }
}

/// The child of that name among these, or the one that a path leads to.
fn find<'a>(children: &'a [ChildSnapshot], path: &str) -> Option<&'a ChildSnapshot> {
    let own = children.iter().find(|child| *child.name == *path);
    own.or_else(|| {
        let (name, below) = path::split_first(path).unzip();
        let name = name.unwrap_or_else(|| path::unescape(path));
        let child = children.iter().find(|child| *child.name == *name)?;
        below.map_or(Some(child), |below| find(&child.children, below))
    })
}

/// How one child does.
#[derive(Clone, Debug, Eq, PartialEq)]
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
