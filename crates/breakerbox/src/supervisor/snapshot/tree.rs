//! Operations on whole trees of snapshots, without a call for each level.

use std::fmt;
use std::mem::take;
use std::sync::Arc;
use std::vec;

use super::super::path;
use super::{ChildSnapshot, SupervisorSnapshot};

/// Builds the snapshots of a tree of something, from the bottom up.
///
/// `below` returns the nodes below a node. `finish` makes the snapshot of a node from the
/// snapshots of the nodes below it.
pub(in super::super) fn build<N>(
    nodes: Vec<N>,
    below: impl Fn(&N) -> Vec<N>,
    finish: impl Fn(&N, Vec<ChildSnapshot>) -> ChildSnapshot,
) -> Vec<ChildSnapshot> {
    let (mut above, mut level) = (Vec::new(), Level::of(nodes));
    loop {
        if let Some(node) = level.left.next() {
            let next = Level::of(below(&node));
            above.push((node, std::mem::replace(&mut level, next)));
        } else if let Some((node, before)) = above.pop() {
            let done = std::mem::replace(&mut level, before).done;
            level.done.push(finish(&node, done));
        } else {
            return level.done;
        }
    }
}

/// Nodes with the same parent, of which some have been built.
struct Level<N> {
    done: Vec<ChildSnapshot>,
    left: vec::IntoIter<N>,
}

impl<N> Level<N> {
    fn of(nodes: Vec<N>) -> Self {
        Self {
            done: Vec::with_capacity(nodes.len()),
            left: nodes.into_iter(),
        }
    }
}

/// Returns the child of that name among these, or the one that a path leads to.
pub(super) fn find<'a>(
    mut children: &'a [ChildSnapshot],
    mut path: &str,
) -> Option<&'a ChildSnapshot> {
    loop {
        if let Some(child) = children.iter().find(|child| *child.name == *path) {
            return Some(child);
        }
        let Some((name, below)) = path::split_first(path) else {
            let name = path::unescape(path);
            return children.iter().find(|child| *child.name == *name);
        };
        children = &children.iter().find(|child| *child.name == *name)?.children;
        path = below;
    }
}

impl ChildSnapshot {
    /// Returns a copy with other children.
    fn with(&self, children: Vec<Self>) -> Self {
        Self {
            children,
            dropped: self.dropped,
            kind: self.kind,
            name: Arc::clone(&self.name),
            status: self.status.clone(),
        }
    }

    /// Returns whether both are equal but for their children, and have equally many.
    fn is_like(&self, other: &Self) -> bool {
        self.children.len() == other.children.len()
            && self.dropped == other.dropped
            && self.kind == other.kind
            && self.name == other.name
            && self.status == other.status
    }
}

impl Clone for ChildSnapshot {
    fn clone(&self) -> Self {
        let children = build(children_of(&self), children_of, |node, children| {
            node.with(children)
        });
        self.with(children)
    }
}

fn children_of<'a>(node: &&'a ChildSnapshot) -> Vec<&'a ChildSnapshot> {
    node.children.iter().collect()
}

impl Drop for ChildSnapshot {
    fn drop(&mut self) {
        let mut below = take(&mut self.children);
        while let Some(mut child) = below.pop() {
            below.append(&mut child.children);
        }
    }
}

impl Eq for ChildSnapshot {}

impl PartialEq for ChildSnapshot {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = vec![(self, other)];
        while let Some((one, two)) = pairs.pop() {
            if !one.is_like(two) {
                return false;
            }
            pairs.extend(one.children.iter().zip(&two.children));
        }
        true
    }
}

/// Names its children, whose own state is in the list of their supervisor's snapshot.
impl fmt::Debug for ChildSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.children.iter().map(|child| &child.name).collect();
        f.debug_struct("ChildSnapshot")
            .field("children", &names)
            .field("dropped", &self.dropped)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("status", &self.status)
            .finish()
    }
}

/// Lists all below it, each before its own children.
impl fmt::Debug for SupervisorSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut all, mut next) = (Vec::new(), Vec::new());
        next.extend(self.children.iter().rev());
        while let Some(child) = next.pop() {
            next.extend(child.children.iter().rev());
            all.push(child);
        }
        f.debug_struct("SupervisorSnapshot")
            .field("name", &self.name)
            .field("phase", &self.phase)
            .field("children", &all)
            .finish()
    }
}
