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
        /// Those that have been asked to stop and may not be down.
        under_way: BTreeSet<ChildId>,
    },
}

impl Stage {
    pub(super) const fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }

    pub(super) fn boots(&self, child: ChildId) -> bool {
        matches!(self, Self::Booting { before } if child < *before)
    }
}
