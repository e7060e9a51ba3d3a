use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use breakerbox_core::Why;

/// Why one call went where it went.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PickRecord {
    /// When it was chosen.
    pub at: Instant,
    /// Which attempt of its call this was, counted from 1.
    pub attempt: usize,
    /// The endpoint that was chosen.
    pub endpoint: Arc<str>,
    /// The one that was compared with it and lost.
    pub instead_of: Option<Arc<str>>,
    /// How many endpoints of the pool could not be chosen by this call, because
    /// it had tried them or they rejected it.
    pub passed_over: usize,
    /// The tier of the endpoint.
    pub tier: u8,
    /// How it was chosen.
    pub why: Why,
}

impl fmt::Display for PickRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, tier, .. } = self;
        write!(f, "attempt {}: {endpoint} of tier {tier}, ", self.attempt)?;
        match (self.why, &self.instead_of) {
            (Why::Better, Some(other)) => write!(f, "less busy than {other}")?,
            (Why::Key, _) => f.write_str("which the key belongs to")?,
            (Why::Probe, _) => f.write_str("to probe whether it is up again")?,
            (Why::Turn, _) => f.write_str("whose turn it was")?,
            _ => f.write_str("without an alternative")?,
        }
        match self.passed_over {
            0 => Ok(()),
            others => write!(f, "; {others} passed over"),
        }
    }
}

/// The latest picks of a pool.
///
/// Nobody waits to be remembered: a pick that meets another one here goes
/// without.
#[derive(Debug, Default)]
pub(super) struct Memory {
    picks: Mutex<VecDeque<PickRecord>>,
}

impl Memory {
    pub(super) fn note(&self, pick: impl FnOnce() -> PickRecord) {
        if let Ok(mut picks) = self.picks.try_lock() {
            if picks.len() == REMEMBERED {
                picks.pop_front();
            }
            picks.push_back(pick());
        }
    }

    pub(super) fn latest(&self) -> Vec<PickRecord> {
        crate::lock::with(&self.picks, |picks| picks.iter().cloned().collect())
    }
}

const REMEMBERED: usize = 256;
