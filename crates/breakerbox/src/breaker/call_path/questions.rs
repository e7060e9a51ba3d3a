//! What custom trip policies are still to be asked, in order.

use std::collections::VecDeque;

use breakerbox_core::Question;

use crate::LastFailure;

/// The questions that wait for the owner.
///
/// They are bounded, whatever the policy's pace: beyond so many, the newest
/// question takes the place of the one before it. Its counts include what that
/// one was about.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// How many have been made; the number of the newest.
    made: u64,
    /// The number of the last one that the owner took, or that is void.
    taken: u64,
    waiting: VecDeque<(u64, Question, Option<LastFailure>)>,
}

impl Questions {
    /// Adds a question, and the failure that it is about, if it is about one. Returns
    /// its number, counted from 1.
    pub(super) fn push(&mut self, question: Question, failure: Option<LastFailure>) -> u64 {
        self.made += 1;
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_back();
        }
        self.waiting.push_back((self.made, question, failure));
        self.made
    }

    /// Takes the oldest question; it is never asked twice.
    pub(super) fn take(&mut self) -> Option<(Question, Option<LastFailure>)> {
        let (number, question, failure) = self.waiting.pop_front()?;
        self.taken = number;
        Some((question, failure))
    }

    /// Returns the number up to which no question is left to ask.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes all questions back: their answers make no difference any more.
    pub(super) fn void(&mut self) {
        self.waiting.clear();
        self.taken = self.made;
    }
}

const MOST_WAITING: usize = 1_024;
