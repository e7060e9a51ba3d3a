use std::collections::VecDeque;

use super::super::catch;

/// What has been taken out of the mailbox and waits for an incarnation, in its order.
pub(super) struct Waiting<T> {
    queue: VecDeque<T>,
}

impl<T> Waiting<T> {
    pub(super) const fn none() -> Self {
        Self {
            queue: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn push(&mut self, item: T) {
        self.queue.push_back(item);
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let next = self.queue.pop_front();
        if self.queue.is_empty() {
            // What a long wait has collected is not kept for ever.
            self.queue.shrink_to(KEPT);
        }
        next
    }

    /// Drops all of it; each is the user's, and may panic.
    pub(super) fn clear(&mut self) {
        while let Some(item) = self.pop() {
            catch::drop_of(item);
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The capacity that an empty queue keeps.
const KEPT: usize = 64;
