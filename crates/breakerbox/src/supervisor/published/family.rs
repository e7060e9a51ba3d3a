use std::sync::Arc;
use std::time::Duration;

use super::super::{Departure, Stopped, path};
use super::ChildEntry;

/// Children and all those below them, each before those below it.
///
/// A list, not a tree, as whatever calls itself for each level ends the stack of a deep
/// one.
pub(super) struct Family {
    pub(super) members: Vec<Member>,
}

/// One child of a family.
pub(super) struct Member {
    /// The index of the one that it is a child of.
    above: Option<usize>,
    entry: Arc<ChildEntry>,
}

impl Family {
    pub(super) fn of(children: Vec<Arc<ChildEntry>>) -> Self {
        let mut members = Vec::new();
        let mut next: Vec<_> = with(None, children).collect();
        while let Some(member) = next.pop() {
            let index = members.len();
            next.extend(with(Some(index), member.entry.all_below()));
            members.push(member);
        }
        Self { members }
    }

    /// Names those that are not gone, and those above them, the lower ones first.
    pub(super) fn stuck(&self, is_gone: &[bool]) -> Vec<Stopped> {
        let mut is_gone = is_gone.to_vec();
        let mut stuck = Vec::new();
        // Those below come after those above.
        for (index, member) in self.members.iter().enumerate().rev() {
            if is_gone[index] {
                continue;
            }
            if let Some(above) = member.above {
                is_gone[above] = false;
            }
            stuck.push(Stopped {
                child: self.path(member),
                departure: Departure::Stuck,
            });
        }
        stuck
    }

    fn path(&self, member: &Member) -> Arc<str> {
        let mut names: Vec<&str> = Vec::new();
        let mut above = member.above;
        while let Some(index) = above {
            names.push(self.members[index].entry.name());
            above = self.members[index].above;
        }
        path::through(&names, &path::escape(member.entry.name()))
    }
}

impl Member {
    /// Returns whether it is gone after so long, but for those below it.
    pub(super) async fn is_gone_after(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.entry.gone())
            .await
            .is_ok()
    }
}

fn with(above: Option<usize>, children: Vec<Arc<ChildEntry>>) -> impl Iterator<Item = Member> {
    children
        .into_iter()
        .map(move |entry| Member { above, entry })
}
