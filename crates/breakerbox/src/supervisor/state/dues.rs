//! What the children of a supervisor were asked for and may take too long to do.

use breakerbox_core::{ChildId, Exit};

use super::super::Departure;
use super::super::managed_child::Due;
use super::super::runnable::{StopResult, former_is_stuck};
use super::SupervisorState;
use crate::clock;

impl SupervisorState {
    /// Handles whatever was asked for and takes too long.
    pub(super) fn handle_dues(&mut self) {
        let now = clock::now();
        while let Some(&(at, child)) = self.dues.first()
            && at <= now
        {
            self.dues.pop_first();
            self.handle_due(child);
        }
    }

    fn handle_due(&mut self, child: ChildId) {
        let (Some(managed), Some(status)) = (
            self.children.get_mut(&child),
            self.supervision.status(child),
        ) else {
            return;
        };
        let incarnation = status.incarnation;
        match managed.due.take().map(|(_, due)| due) {
            None => {}
            Some(Due::End) => self.exited(child, incarnation, &Exit::Killed),
            // It is started all the same, as soon as it is gone.
            Some(Due::Gone) => managed.reply_restart_failed(&former_is_stuck()),
            Some(Due::Start) => {
                managed.abort_start(incarnation);
                self.note_due(child);
            }
            Some(Due::StartGivenUp) => {
                let exit = managed.start_timed_out();
                managed.entry.log_exit(incarnation, &exit);
                self.exited(child, incarnation, &exit);
            }
            Some(Due::Stop) => {
                managed.entry.runnable().kill();
                let stuck = StopResult::new(Departure::Stuck, Exit::Killed);
                self.stopped(child, incarnation, stuck);
            }
        }
    }

    pub(super) fn note_due(&mut self, child: ChildId) {
        let due = self.children.get(&child).and_then(|managed| managed.due);
        self.dues.extend(due.map(|(at, _)| (at, child)));
    }

    pub(super) fn forget_due(&mut self, child: ChildId) {
        let due = self.children.get_mut(&child).and_then(|it| it.due.take());
        if let Some((at, _)) = due {
            self.dues.remove(&(at, child));
        }
    }
}
