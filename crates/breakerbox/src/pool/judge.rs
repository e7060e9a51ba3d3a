//! What a pool learns from attempts that no breaker learns from.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use breakerbox_core::{Blame, Breaks, EndpointId, Judged, LastResort, Verdict};

use super::log;
use super::shortage::Shortage;
use crate::lock;

/// What attempts leave behind for those after them, at whatever endpoint.
#[derive(Debug)]
pub(super) struct Judge {
    breaks: Mutex<Breaks>,
    last_resort: Mutex<LastResort>,
    /// How many attempts were made though every breaker rejected.
    last_resorts: AtomicU64,
    shortage: Shortage,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self {
            breaks: Mutex::default(),
            last_resort: Mutex::new(LastResort::new(fastrand::u64(..))),
            last_resorts: AtomicU64::new(0),
            shortage: Shortage::default(),
        }
    }

    /// Returns whether a call that every breaker rejects goes on to an endpoint that
    /// answers.
    pub(super) fn admits_last_resort(&self, now: Instant) -> bool {
        lock::with(&self.last_resort, |last_resort| last_resort.admit(now))
    }

    /// An attempt begins that no breaker has admitted.
    pub(super) fn count_last_resort(&self) {
        self.last_resorts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn last_resorts(&self) -> u64 {
        self.last_resorts.load(Ordering::Relaxed)
    }

    /// An endpoint did this with a call while its breaker rejected others.
    pub(super) fn record_while_rejecting(&self, verdict: Verdict, now: Instant) {
        lock::with(&self.last_resort, |last_resort| match verdict {
            Verdict::NotSent | Verdict::Sent | Verdict::ServerError(_) => {
                last_resort.record_failure(now);
            }
            Verdict::Final | Verdict::Success => last_resort.record_success(now),
            Verdict::Ambiguous
            | Verdict::Limited { .. }
            | Verdict::OutOfResources
            | Verdict::Pushback { .. } => {}
        });
    }

    /// Returns what an exchange counts as that broke off while its client had a part in
    /// it.
    pub(super) fn judge_break(&self, id: EndpointId, client: Option<u64>, now: Judged) -> Verdict {
        let blame = lock::with(&self.breaks, |breaks| breaks.record(id, client, now));
        match blame {
            Blame::Endpoint => Verdict::Sent,
            Blame::Nobody => Verdict::Ambiguous,
        }
    }

    /// This process was out of something that a call of this pool needed.
    pub(super) fn warn_of_shortage(&self, pool: &str, now: Instant) {
        if self.shortage.is_new(now) {
            log::out_of_resources(pool);
        }
    }
}
