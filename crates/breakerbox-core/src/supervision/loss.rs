//! What follows when an incarnation is gone.

use std::time::Instant;

use super::limit::Verdict;
use super::record::Record;
use super::state::Wait;
use super::{AutoShutdown, ChildId, Directive, Ending, Exit, Supervision};

impl Supervision {
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
        let joins = self.joins(child, &exit);
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        let wants_another = record.wants_another(&exit);
        record.relax(now);
        record.note(exit);
        if self.stage.is_stopping() {
            self.stop_for(child, Ending::ShutDown, now);
        } else if joins {
            self.restart_group(child, Wait::None, now);
        } else if wants_another {
            self.failed(child, now);
        } else {
            self.end_by_itself(child, Ending::Finished, now);
        }
    }

    /// The child and then the supervision charge a failure.
    fn failed(&mut self, child: ChildId, now: Instant) {
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        let (failure, own) = record.charge(&mut self.dice, now);
        let verdict = match own {
            Verdict::Bearable => self.limit.charge(failure, &mut self.dice),
            exceeded => exceeded,
        };
        match verdict {
            Verdict::Bearable => {
                let wait = record.wait(&mut self.dice);
                self.restart_lost(child, wait, now);
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
        let Some(record) = self.records.get(&child) else {
            return false;
        };
        let is_left = |(id, other): (&ChildId, &Record)| {
            *id != child && other.is_significant() && !other.state().is_leaving()
        };
        record.is_significant()
            && match self.auto_shutdown {
                AutoShutdown::AllSignificant => !self.records.iter().any(is_left),
                AutoShutdown::AnySignificant => true,
                AutoShutdown::Never => false,
            }
    }
}
