//! What has happened to the children of a supervisor.

use std::sync::Arc;

use breakerbox_core::{ChildId, Exit, Incarnation, Phase};

use super::super::event::EventSender;
use super::super::inbox::Notice;
use super::super::managed_child::{ManagedChild, Stage};
use super::super::published::ChildEntry;
use super::super::runnable::StopResult;
use super::super::{Departure, Shutdown};
use super::SupervisorState;
use super::shutdown::EndStage;
use crate::clock;

impl SupervisorState {
    /// Handles what has happened, and carries out what is decided of it.
    pub(in super::super) fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Continue => {}
            Notice::Deadline => {
                self.timer.clear();
                self.supervision.handle_deadline(clock::now());
                self.handle_dues();
            }
            Notice::Exited(child, incarnation, exit) => self.exited(child, incarnation, &exit),
            Notice::Gone(child, incarnation) => self.gone(child, incarnation),
            Notice::ShellEnded(child, shell, result) => self.shell_ended(child, shell, result),
            Notice::Started(child, incarnation) => self.started(child, incarnation),
            Notice::StillStuck(stuck) => self.complete_end(stuck),
            Notice::Stopped(child, incarnation, result) => {
                self.stopped(child, incarnation, result);
            }
        }
        self.run_directives();
    }

    fn started(&mut self, child: ChildId, incarnation: Incarnation) {
        if !self.is_current(&[Phase::Starting], child, incarnation) {
            return;
        }
        self.supervision.started(child, incarnation, clock::now());
        let Some(managed) = self.children.get_mut(&child) else {
            return;
        };
        self.publisher.forget_stuck(&managed.entry);
        managed.entry.runnable().came_up();
        self.forget_due(child);
        // Published before it is answered: who is answered may look.
        self.publish(child);
        if let Some(managed) = self.children.get_mut(&child) {
            managed.reply_started();
        }
        if incarnation != Incarnation::FIRST {
            self.log(child, ChildEntry::log_restarted);
        }
        self.send_event(child, EventSender::started);
    }

    /// Takes an exit, and answers whoever reported it, also where it is no news.
    pub(super) fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: &Exit) {
        self.take_exit(child, incarnation, exit);
        if self.phase_of(child) != Some(Phase::Starting)
            && let Some(managed) = self.children.get(&child)
        {
            managed.entry.runnable().wait();
        }
    }

    fn take_exit(&mut self, child: ChildId, incarnation: Incarnation, exit: &Exit) {
        if !self.is_current(
            &[Phase::Starting, Phase::Up, Phase::Stopping],
            child,
            incarnation,
        ) {
            return;
        }
        // A stop is under way, and its answer is the exit.
        let is_running = |managed: &ManagedChild| matches!(managed.stage, Stage::Running);
        if !self.children.get(&child).is_some_and(is_running) {
            return;
        }
        self.forget_due(child);
        let was_starting = self.is_current(&[Phase::Starting], child, incarnation);
        if self.is_current(&[Phase::Stopping], child, incarnation) {
            self.log_ended(child, incarnation, exit);
        }
        self.send_event(child, |events, name, _| {
            events.exited(name, incarnation, exit.clone());
        });
        self.supervision
            .exited(child, incarnation, exit.clone(), clock::now());
        self.publish(child);
        if let Some(managed) = self.children.get_mut(&child)
            && was_starting
        {
            managed.reply_restart_failed(exit);
        }
    }

    /// A shell ended, and the incarnation in it with it.
    fn shell_ended(&mut self, child: ChildId, shell: Incarnation, result: StopResult) {
        let (Some(managed), Some(status)) = (
            self.children.get_mut(&child),
            self.supervision.status(child),
        ) else {
            return;
        };
        let incarnation = status.incarnation;
        if !managed.entry.runnable().shell_ended(shell) {
            return;
        }
        match managed.stage {
            Stage::Running if matches!(status.phase, Phase::BackingOff | Phase::Paused) => {
                self.supervision
                    .ended_while_it_waits(child, &result.exit, clock::now());
            }
            Stage::Running => {
                if status.phase != Phase::Stopping {
                    managed.entry.log_exit(incarnation, &result.exit);
                }
                self.exited(child, incarnation, &result.exit);
            }
            Stage::Stopping => self.stopped(child, incarnation, result),
            // It was stuck, and that has been said.
            Stage::Stopped(_) => self.gone(child, incarnation),
        }
    }

    pub(super) fn stopped(&mut self, child: ChildId, incarnation: Incarnation, result: StopResult) {
        let Some(managed) = self.children.get_mut(&child) else {
            return;
        };
        if !matches!(managed.stage, Stage::Stopping) {
            return;
        }
        let (entry, shutdown) = (&managed.entry, managed.shutdown);
        entry.log_stop(incarnation, &result.exit, result.departure, shutdown);
        managed.stage = Stage::Stopped(result.departure);
        if self.end != EndStage::NotYet {
            self.report.stopped(managed.entry.name(), &result);
        }
        if result.departure == Departure::Stuck {
            let inbox = Arc::clone(&self.inbox);
            let gone = move || inbox.leave(Notice::Gone(child, incarnation));
            self.publisher.keep_stuck(&managed.entry, gone);
            self.supervision.stuck(child, incarnation, clock::now());
        } else {
            let exit = result.exit;
            self.supervision
                .exited(child, incarnation, exit, clock::now());
        }
        self.forget_due(child);
        self.publish(child);
    }

    /// Nothing is left of one that was stuck when it was to stop.
    fn gone(&mut self, child: ChildId, incarnation: Incarnation) {
        if self.is_current(&[Phase::Stuck], child, incarnation) {
            self.supervision
                .exited(child, incarnation, Exit::Killed, clock::now());
            self.publish(child);
        }
    }

    /// Logs how an incarnation ended whose child stays.
    fn log_ended(&self, child: ChildId, incarnation: Incarnation, exit: &Exit) {
        let Some(managed) = self.children.get(&child) else {
            return;
        };
        let departure = match exit {
            Exit::Killed => Departure::Killed,
            _ => Departure::Stopped,
        };
        // A start that is called off is killed, and has no time to be late for.
        let shutdown = match managed.was_doing {
            Phase::Up => managed.shutdown,
            _ => Shutdown::Kill,
        };
        let entry = &managed.entry;
        entry.log_stop(incarnation, exit, departure, shutdown);
    }
}
