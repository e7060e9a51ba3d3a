use std::collections::VecDeque;

use super::ChildId;

/// How far a supervision is between its boot and its end.
#[derive(Debug)]
pub(super) enum Stage {
    /// Children are added and none has been started.
    Assembling,
    Booting {
        /// The child that is starting.
        awaited: Option<ChildId>,
        /// Those that start after it.
        queue: VecDeque<ChildId>,
    },
    Running,
    Stopping {
        /// Those that may not be down; the last one stops first.
        left: Vec<ChildId>,
    },
}

impl Stage {
    pub(super) fn booting(children: impl Iterator<Item = ChildId>) -> Self {
        Self::Booting {
            awaited: None,
            queue: children.collect(),
        }
    }

    pub(super) const fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }

    /// Whether the boot waits for this child.
    pub(super) fn awaits(&self, child: ChildId) -> bool {
        matches!(self, Self::Booting { awaited, .. } if *awaited == Some(child))
    }

    /// Waits for the next child of the boot, which is over when there is none.
    pub(super) fn await_next(&mut self) -> Option<ChildId> {
        let Self::Booting { awaited, queue } = self else {
            return None;
        };
        *awaited = queue.pop_front();
        let next = *awaited;
        if next.is_none() {
            *self = Self::Running;
        }
        next
    }
}
