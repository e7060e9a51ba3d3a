use crate::{Supervisor, SupervisorSpec};

/// What a [`Lifecycle`](super::Lifecycle) runs: the recipe of a tree, or a tree that
/// somebody has started.
///
/// Both convert into it, so [`run`](super::Lifecycle::run) takes either.
#[derive(Debug)]
#[non_exhaustive]
pub enum LifecycleTree {
    /// The lifecycle starts it, once it listens for signals.
    Spec(SupervisorSpec),
    /// It was started before the lifecycle listened for signals.
    Started(Supervisor),
}

impl From<Supervisor> for LifecycleTree {
    fn from(tree: Supervisor) -> Self {
        Self::Started(tree)
    }
}

impl From<SupervisorSpec> for LifecycleTree {
    fn from(spec: SupervisorSpec) -> Self {
        Self::Spec(spec)
    }
}
