use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use breakerbox::Verdict;

/// How much of a request's body its endpoint has been given.
///
/// An exchange that breaks while its client is still sending has two who can have
/// broken it, and one such call judges neither.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// None if there is nothing to deliver.
    is_whole: Option<Arc<AtomicBool>>,
}

impl Delivery {
    /// The delivery of a body of which nothing has been given yet.
    pub(super) fn begin() -> Self {
        Self {
            is_whole: Some(Arc::default()),
        }
    }

    /// The delivery of no body at all.
    pub(super) const fn of_nothing() -> Self {
        Self { is_whole: None }
    }

    /// Records that the endpoint has been given all.
    pub(super) fn complete(&self) {
        if let Some(is_whole) = &self.is_whole {
            is_whole.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the verdict on a call that would be `verdict` if all had been given.
    pub(crate) fn judge(&self, verdict: Verdict) -> Verdict {
        match (verdict, &self.is_whole) {
            // Relaxed: nothing else is read because of it.
            (Verdict::Sent, Some(is_whole)) if !is_whole.load(Ordering::Relaxed) => {
                Verdict::Ambiguous
            }
            (verdict, _) => verdict,
        }
    }
}
