//! What is decided about the children of a supervisor, and is carried out here.

use std::sync::Arc;

use breakerbox_core::{ChildId, Directive, Ending, Incarnation, Phase};

use super::super::inbox::Notice;
use super::super::managed_child::ManagedChild;
use super::super::notifier::Notifier;
use super::super::published::ChildEntry;
use super::super::{End, catch};
use super::shutdown::EndStage;
use super::{AT_ONCE, SupervisorState};
use crate::clock;

impl SupervisorState {
    /// Carries out what was decided, and sets the timer for the next deadline.
    ///
    /// Where that is much, others are given a turn in between.
    pub(super) fn run_directives(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(directive) = self.supervision.poll_directive() else {
                return self.settle();
            };
            self.run_directive(directive);
        }
        self.inbox.leave(Notice::Continue);
    }

    /// Everything that was decided has been carried out.
    fn settle(&mut self) {
        if self.supervision.is_booted()
            && self.publisher.phase() == Phase::Starting
            && self.publisher.enter(Phase::Up)
        {
            self.report.booted();
        }
        if self.end == EndStage::Stopping && self.supervision.is_over() {
            return self.await_stuck();
        }
        let due = self.dues.first().map(|(at, _)| *at);
        let deadline = self.supervision.next_deadline();
        if let Some(due) = deadline.into_iter().chain(due).min() {
            self.timer.set(due, &self.inbox);
        }
    }

    fn run_directive(&mut self, directive: Directive) {
        match directive {
            Directive::Start { child, incarnation } => self.start(child, incarnation),
            Directive::Stop { child, incarnation } => self.stop_child(child, incarnation),
            Directive::EndIncarnation { child, incarnation } => {
                self.end_with(child, |managed, notifier| {
                    managed.end_incarnation(incarnation, notifier);
                });
            }
            Directive::AutoShutdown { child } => self.finish(child),
            Directive::GaveUp { child } => self.give_up(child),
            Directive::Escalate { child } => self.escalate(child),
            Directive::Ended { child, why } => self.ended(child, why),
            Directive::Forgotten { child } => self.forget(child),
        }
    }

    fn start(&mut self, child: ChildId, incarnation: Incarnation) {
        self.publish(child);
        self.forget_due(child);
        if let Some(managed) = self.children.get_mut(&child) {
            let notifier = managed.notifier(child, &self.inbox);
            managed.start(incarnation, notifier, &self.bell, &self.events);
        }
        self.note_due(child);
    }

    pub(super) fn end_with(
        &mut self,
        child: ChildId,
        end: impl FnOnce(&mut ManagedChild, Notifier),
    ) {
        if let Some(managed) = self.children.get_mut(&child) {
            managed.was_doing = managed.entry.phase();
        }
        self.publish(child);
        self.forget_due(child);
        if let Some(managed) = self.children.get_mut(&child) {
            let notifier = managed.notifier(child, &self.inbox);
            end(managed, notifier);
        }
        self.note_due(child);
    }

    fn give_up(&mut self, child: ChildId) {
        if let Some(managed) = self.children.get_mut(&child) {
            managed.down_hook.call(Ending::GaveUp);
        }
        self.log(child, ChildEntry::log_gave_up);
        self.send_event(child, |events, name, _| events.gave_up(name));
    }

    fn escalate(&mut self, child: ChildId) {
        if let Some((managed, status)) = self.child(child)
            && let Some(exit) = status.last_exit.clone()
        {
            managed.entry.log_escalated(status);
            let child = Arc::clone(managed.entry.name());
            // Published before it is told: who is told may look.
            self.publisher.begin_to_end(End::Escalated {
                child: Arc::clone(&child),
                exit: exit.clone(),
            });
            self.events.escalated(&child);
        }
        self.myself.stop(None);
    }

    /// A significant child ended, and all others end with it.
    fn finish(&mut self, child: ChildId) {
        if let Some((managed, status)) = self.child(child)
            && let Some(exit) = status.last_exit.clone()
        {
            managed.entry.log_finished(status);
            let child = Arc::clone(managed.entry.name());
            self.publisher.begin_to_end(End::Finished {
                child: Arc::clone(&child),
                exit,
            });
            self.events.finished(&child);
        }
        self.myself.stop(None);
    }

    fn ended(&mut self, child: ChildId, why: Ending) {
        self.publish(child);
        let is_stuck = self.phase_of(child) == Some(Phase::Stuck);
        if let Some(managed) = self.children.get_mut(&child) {
            managed.entry.log_left_out();
            managed.down_hook.call(why);
            managed.reply_stopped();
            if is_stuck {
                // It is forgotten later, and until then nobody can have its name.
                managed.reply_removed();
            }
            managed.restart_replies.clear();
            if why == Ending::StartFailed {
                managed.reply_start_failed();
            }
            // Who still waits for it to come up hears that it was ended.
            managed.add_reply = None;
            self.events.ended(managed.entry.name(), why);
        }
        if self.maximum.is_some() && matches!(why, Ending::Finished | Ending::GaveUp) {
            // It has left the set.
            self.supervision.remove(child, clock::now());
        }
    }

    /// Forgets a child that was removed, or is not kept once it is down.
    fn forget(&mut self, child: ChildId) {
        self.publisher.remove(child);
        if let Some(mut managed) = self.children.remove(&child) {
            managed.reply_removed();
            catch::drop_apart((managed.entry.recipe(), managed));
        }
    }
}
