//! A probe whose answer has begun and goes on.
//!
//! A probe that is not settled by its deadline counts as a failure, and the end of
//! a long download or of a subscription comes later than that. So time settles it
//! first: halfway to its deadline, an answer that has begun and has not broken is a
//! success.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use breakerbox_core::Outcome;
use tokio::time::sleep_until;

use super::Shared;
use super::leave::Leave;
use crate::abort_on_drop::AbortOnDrop;
use crate::lock;

/// A leave that its permit takes and settles, or time does.
#[derive(Debug)]
pub(super) struct Underway {
    leave: Arc<Mutex<Option<Leave>>>,
    _timer: AbortOnDrop,
}

impl Underway {
    pub(super) fn until(due: Instant, leave: Leave, shared: Arc<Shared>) -> Self {
        let leave = Arc::new(Mutex::new(Some(leave)));
        let theirs = Arc::clone(&leave);
        let timer = async move {
            sleep_until(due.into()).await;
            if let Some(leave) = take(&theirs) {
                shared.settle(leave, Outcome::Success);
            }
        };
        Self {
            leave,
            _timer: AbortOnDrop::spawn(timer),
        }
    }

    /// None if time was first.
    pub(super) fn take(&self) -> Option<Leave> {
        take(&self.leave)
    }

    pub(super) fn is_undecided(&self) -> bool {
        lock::with(&self.leave, |leave| leave.is_some())
    }
}

fn take(leave: &Mutex<Option<Leave>>) -> Option<Leave> {
    lock::with(leave, Option::take)
}
