//! What the owner has yet to tell those who listen.
//!
//! An owner that is stuck tells nothing, while callers open and close its breaker. So
//! only the latest news are kept, and the others counted.

use std::collections::VecDeque;

use breakerbox_core::{Override, Transition};

use crate::LastFailure;

/// Something that the owner tells those who listen.
#[derive(Debug)]
pub(in crate::breaker) enum News {
    /// A change of state, and the failure that led to it, if one did.
    Changed(Transition, Option<Box<LastFailure>>),
    /// So many news before the next ones were not kept.
    Missed(u64),
    Overridden(Option<Override>),
    Reconfigured,
}

#[derive(Debug, Default)]
pub(super) struct Untold {
    missed: u64,
    waiting: VecDeque<News>,
}

impl Untold {
    pub(super) fn add(&mut self, news: News) {
        if self.waiting.len() == KEPT {
            self.waiting.pop_front();
            self.missed += 1;
        }
        self.waiting.push_back(news);
    }

    /// Takes the next of them, the oldest first.
    pub(super) fn next(&mut self) -> Option<News> {
        match std::mem::take(&mut self.missed) {
            0 => self.waiting.pop_front(),
            missed => Some(News::Missed(missed)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Fewer than a listener may fall behind, so that telling them overtakes none.
const KEPT: usize = 256;
