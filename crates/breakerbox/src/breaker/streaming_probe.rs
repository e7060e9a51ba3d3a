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
use super::packed_ticket::PackedTicket;
use crate::abort_on_drop::AbortOnDrop;
use crate::lock;

/// A ticket that its permit takes and settles, or time does.
#[derive(Debug)]
pub(super) struct StreamingProbe {
    ticket: Arc<Mutex<Option<PackedTicket>>>,
    _timer: AbortOnDrop,
}

impl StreamingProbe {
    pub(super) fn until(due: Instant, packed: PackedTicket, shared: Arc<Shared>) -> Self {
        let packed = Arc::new(Mutex::new(Some(packed)));
        let theirs = Arc::clone(&packed);
        // The box's runtime has timers, whatever the caller has.
        let runtime = shared.runtime().clone();
        let timer = async move {
            sleep_until(due.into()).await;
            if let Some(packed) = take(&theirs) {
                shared.settle(packed, Outcome::Success);
            }
        };
        Self {
            ticket: packed,
            _timer: AbortOnDrop::spawn_on(&runtime, timer),
        }
    }

    /// None if time was first.
    pub(super) fn take(&self) -> Option<PackedTicket> {
        take(&self.ticket)
    }

    pub(super) fn is_undecided(&self) -> bool {
        lock::with(&self.ticket, |packed| packed.is_some())
    }
}

fn take(packed: &Mutex<Option<PackedTicket>>) -> Option<PackedTicket> {
    lock::with(packed, Option::take)
}
