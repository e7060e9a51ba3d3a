use std::time::Instant;

use ractor::ActorRef;

use super::message::SupervisorMessage;
use crate::abort_on_drop::AbortOnDrop;

/// Sends a [`SupervisorMessage::Deadline`] at the next deadline.
#[derive(Default)]
pub(super) struct Timer {
    set: Option<(Instant, AbortOnDrop)>,
}

impl Timer {
    /// Replaces the former deadline, if it is another one.
    pub(super) fn set(&mut self, due: Option<Instant>, supervisor: &ActorRef<SupervisorMessage>) {
        if self.set.as_ref().map(|(at, _)| *at) != due {
            self.set = due.map(|due| {
                let supervisor = supervisor.clone();
                let wait = async move {
                    tokio::time::sleep_until(due.into()).await;
                    let _supervisor_ended = supervisor.cast(SupervisorMessage::Deadline);
                };
                (due, AbortOnDrop::spawn(wait))
            });
        }
    }

    pub(super) fn clear(&mut self) {
        self.set = None;
    }
}
