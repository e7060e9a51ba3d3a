use std::collections::BTreeSet;

use super::ChildId;

/// How far a supervision is between its boot and its end.
#[derive(Debug)]
pub(super) enum Stage {
    /// Children are added and none has been started.
    Assembling,
    Booting {
        /// Those that were added before this one are of the boot.
        before: ChildId,
    },
    Running,
    Stopping {
        /// Those that are yet to be stopped; the last one stops first.
        left: Vec<ChildId>,
        /// Those that have been asked to stop and are not down.
        under_way: BTreeSet<ChildId>,
    },
}

impl Stage {
    pub(super) const fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }

    /// Takes the last one that is yet to be stopped.
    pub(super) fn pop_left(&mut self) -> Option<ChildId> {
        match self {
            Self::Stopping { left, .. } => left.pop(),
            Self::Assembling | Self::Booting { .. } | Self::Running => None,
        }
    }

    /// Notes that this one has been asked to stop and is not down.
    pub(super) fn goes_down(&mut self, child: ChildId) {
        if let Self::Stopping { under_way, .. } = self {
            under_way.insert(child);
        }
    }

    /// Notes that one of those that were asked to stop is down.
    pub(super) fn went_down(&mut self, child: ChildId) {
        if let Self::Stopping { under_way, .. } = self {
            under_way.remove(&child);
        }
    }

    pub(super) fn boots(&self, child: ChildId) -> bool {
        matches!(self, Self::Booting { before } if child < *before)
    }
}
