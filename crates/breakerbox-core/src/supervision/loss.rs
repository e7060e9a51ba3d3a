//! What follows when an incarnation is gone.

use std::time::Instant;

use super::limit::Verdict;
use super::record::Record;
use super::state::{State, Wait};
use super::{AutoShutdown, ChildId, Directive, Ending, Exit, Supervision};

impl Supervision {
    /// Somebody has ended a child that waits for its restart, by its address.
    ///
    /// Nothing has failed, so nobody is charged. If its restart type asks for no other
    /// incarnation after an exit like this, the child has finished; otherwise it goes
    /// on to wait. At any other time this changes nothing.
    pub fn ended_while_it_waits(&mut self, child: ChildId, exit: &Exit, now: Instant) {
        let now = self.advance(now);
        let Some(record) = self.children.get(child) else {
            return;
        };
        let waits = matches!(
            record.state(),
            State::BackingOff { .. } | State::Held(_) | State::Paused { .. }
        );
        if waits && !record.wants_another(exit) {
            self.end_by_itself(child, Ending::Finished, now);
            self.proceed(now);
        }
    }

    /// A first incarnation did not come up: nobody restarts what never ran.
    pub(super) fn never_started(&mut self, child: ChildId, exit: Exit, now: Instant) {
        self.note(child, exit);
        let fails_the_boot = self.stage.boots(child);
        if fails_the_boot {
            self.directives.push_back(Directive::Escalate { child });
        }
        self.stop_for(child, Ending::StartFailed, now);
        if fails_the_boot {
            self.shutdown(now);
        }
    }

    /// An incarnation is gone that nobody had asked to end.
    pub(super) fn lost(&mut self, child: ChildId, exit: Exit, now: Instant) {
        if self.stage.is_stopping() {
            self.note_loss(child, exit, now);
            return self.stop_for(child, Ending::ShutDown, now);
        }
        let record = self.children.get(child);
        // Asked once, as that may run the user's code.
        let wants_another = record.is_some_and(|record| record.wants_another(&exit));
        self.note_loss(child, exit, now);
        if self.joins(child, wants_another) {
            self.restart_lost(child, Wait::None, now);
        } else if wants_another {
            self.failed(child, now);
        } else {
            self.end_by_itself(child, Ending::Finished, now);
        }
    }

    fn note_loss(&mut self, child: ChildId, exit: Exit, now: Instant) {
        self.children.change(child, |record| {
            record.relax(now);
            record.note(exit);
        });
    }

    /// The child and then the supervision charge a failure.
    fn failed(&mut self, child: ChildId, now: Instant) {
        let dice = &mut self.dice;
        let charged = self
            .children
            .change(child, |record| record.charge(dice, now));
        let Some((failure, own)) = charged else {
            return;
        };
        let verdict = match own {
            Verdict::Bearable => self.limit.charge(failure, &mut self.dice),
            exceeded => exceeded,
        };
        match verdict {
            Verdict::Bearable => {
                let dice = &mut self.dice;
                if let Some(wait) = self.children.change(child, |record| record.wait(dice)) {
                    self.restart_lost(child, wait, now);
                }
            }
            Verdict::Escalate => self.escalate(child, now),
            Verdict::Pause(wait) => self.restart_lost(child, Wait::Pause(wait), now),
            Verdict::StopChild => {
                self.directives.push_back(Directive::GaveUp { child });
                self.end_by_itself(child, Ending::GaveUp, now);
            }
        }
    }

    fn escalate(&mut self, child: ChildId, now: Instant) {
        self.directives.push_back(Directive::Escalate { child });
        self.directives.push_back(Directive::GaveUp { child });
        self.stop_for(child, Ending::GaveUp, now);
        self.shutdown(now);
    }

    /// A child is not restarted, and nobody had asked for that.
    fn end_by_itself(&mut self, child: ChildId, why: Ending, now: Instant) {
        let shuts_down = self.shuts_down_after(child);
        if shuts_down {
            self.directives.push_back(Directive::AutoShutdown { child });
        }
        self.stop_for(child, why, now);
        if shuts_down {
            self.shutdown(now);
        }
    }

    fn shuts_down_after(&self, child: ChildId) -> bool {
        let record = self.children.get(child);
        record.is_some_and(Record::is_significant)
            && match self.auto_shutdown {
                AutoShutdown::AllSignificant => self.children.significant_beside(child) == 0,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::Never => false,
            }
    }
}
