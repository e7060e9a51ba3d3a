//! The drawing of a tree: a line for each child.

use std::fmt;
use std::slice;
use std::time::Duration;

use breakerbox_core::ChildStatus;

use super::super::path;
use super::{ChildSnapshot, SupervisorSnapshot};
use crate::clock;
use crate::text::on_one_line;

/// Draws the tree, a line for each child.
impl fmt::Display for SupervisorSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, phase, .. } = self;
        let rows = Row::of_children(&self.children);
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
    /// Returns a row for each of the children, each before those below it.
    fn of_children(children: &'a [ChildSnapshot]) -> Vec<Self> {
        let mut rows = Vec::new();
        let mut levels = vec![Level::root(children)];
        while let Some(level) = levels.last_mut() {
            let Some(child) = level.left.next() else {
                levels.pop();
                continue;
            };
            let indent = level.indent(level.left.len() == 0);
            let branches = level.branches(level.left.len() == 0);
            let depth = level.depth + 1;
            rows.push(Self { branches, child });
            levels.push(Level {
                depth,
                indent,
                left: child.children.iter(),
            });
        }
        rows
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

/// The children of one that are yet to be drawn.
struct Level<'a> {
    depth: usize,
    /// The branches of the tree that run past all of them.
    indent: String,
    left: slice::Iter<'a, ChildSnapshot>,
}

impl<'a> Level<'a> {
    fn root(children: &'a [ChildSnapshot]) -> Self {
        Self {
            depth: 0,
            indent: String::new(),
            left: children.iter(),
        }
    }

    /// Returns the branches up to the name of one of them.
    fn branches(&self, is_last: bool) -> String {
        let branch = if is_last { "\u{2514} " } else { "\u{251c} " };
        match self.depth.checked_sub(DEEPEST) {
            None => format!("{}{branch}", self.indent),
            Some(_) => format!("{}({}) {branch}", self.indent, self.depth + 1),
        }
    }

    /// Returns the branches that run past the children of one of them.
    fn indent(&self, is_last: bool) -> String {
        let below = match is_last {
            _ if self.depth + 1 > DEEPEST => "",
            true => "  ",
            false => "\u{2502} ",
        };
        format!("{}{below}", self.indent)
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

/// The depth from which a row has the number of its level instead of branches.
///
/// The branches of all levels would take as many blanks as the square of the depth, and no
/// screen is that wide.
const DEEPEST: usize = 32;
