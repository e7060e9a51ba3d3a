use std::sync::Arc;
use std::time::Instant;

use super::inbox::{Inbox, Notice};
use crate::abort_on_drop::AbortOnDrop;

/// Leaves a [`Notice::Deadline`] at the next deadline, or before.
///
/// Most deadlines are taken back before they are reached, so a timer that is set for
/// an earlier one than is due now goes off for nothing: that costs less than to set
/// it anew each time.
#[derive(Default)]
pub(super) struct Timer {
    set: Option<(Instant, AbortOnDrop)>,
}

impl Timer {
    /// Goes off at `due` at the latest.
    pub(super) fn set(&mut self, due: Instant, inbox: &Arc<Inbox>) {
        if self.set.as_ref().is_some_and(|(at, _)| *at <= due) {
            return;
        }
        let inbox = Arc::clone(inbox);
        let wait = async move {
            tokio::time::sleep_until(due.into()).await;
            inbox.leave(Notice::Deadline);
        };
        self.set = Some((due, AbortOnDrop::spawn(wait)));
    }

    pub(super) fn clear(&mut self) {
        self.set = None;
    }
}
