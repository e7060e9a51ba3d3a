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
    /// The first of those that the failure of a child restarts; the others follow it.
    ///
    /// `None` where it is restarted alone.
    pub(super) const fn first_restarted(self, failed: ChildId) -> Option<ChildId> {
        match self {
            Self::OneForAll => Some(ChildId::FIRST),
            Self::OneForOne => None,
            Self::RestForOne => Some(failed),
        }
    }
}
