use super::ChildId;

/// Which siblings share a child's restart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// All: when one fails, every child is stopped and started again.
    OneForAll,
    /// None: the child that failed is restarted alone.
    OneForOne,
    /// Those that were added after it, which may depend on it.
    RestForOne,
}

impl Strategy {
    /// Whether the failure of one child restarts another with it.
    pub(super) fn restarts(self, sibling: ChildId, failed: ChildId) -> bool {
        match self {
            Self::OneForAll => true,
            Self::OneForOne => sibling == failed,
            Self::RestForOne => sibling >= failed,
        }
    }
}
