use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// A change of a name, to be ended by whoever has begun it and by nobody else.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The token that is cancelled once the change is done, for those that wait.
    pub(super) done: CancellationToken,
    pub(super) name: Arc<str>,
    number: u64,
}

impl Change {
    /// Returns whether this is the same change, and not another one of the name.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// The changes of one set of names.
#[derive(Debug, Default)]
pub(super) struct Changes {
    begun: u64,
}

impl Changes {
    pub(super) fn begin(&mut self, name: &Arc<str>) -> Change {
        self.begun += 1;
        Change {
            done: CancellationToken::new(),
            name: Arc::clone(name),
            number: self.begun,
        }
    }
}
