use std::collections::HashMap;
use std::sync::Arc;

use breakerbox_core::{
    ChildId, ChildStatus, Directive, Ending, Exit, Incarnation, Phase, Supervision,
};
use ractor::{ActorId, ActorRef};

use super::actor::SupervisorArguments;
use super::catch;
use super::event::EventSender;
use super::managed_child::{ManagedChild, Stage};
use super::message::SupervisorMessage;
use super::published::{ChildEntry, Publisher};
use super::report::ReportBuilder;
use super::runnable::StopResult;
use super::timer::Timer;
use super::{ChildSpec, Departure};
use crate::clock;

mod commands;
mod shutdown;

/// The state of a supervisor's actor: its children and what is decided of them.
///
/// When it is dropped before [`shutdown`](Self::shutdown), the actor was killed:
/// then ractor kills the children, and everybody who waits gets an answer.
pub(super) struct SupervisorState {
    children: HashMap<ChildId, ManagedChild>,
    events: EventSender,
    /// The most children at a time, in a set.
    maximum: Option<usize>,
    myself: ActorRef<SupervisorMessage>,
    publisher: Publisher,
    report: ReportBuilder,
    shells: HashMap<ActorId, ChildId>,
    supervision: Supervision,
    timer: Timer,
}

impl SupervisorState {
    /// Adds the children of the spec and begins to start them.
    pub(super) fn boot(
        myself: ActorRef<SupervisorMessage>,
        arguments: SupervisorArguments,
    ) -> Self {
        let name = Arc::clone(arguments.publisher.name());
        let mut state = Self {
            children: HashMap::new(),
            events: arguments.events.named(name),
            maximum: arguments.maximum,
            myself,
            publisher: arguments.publisher,
            report: ReportBuilder::new(arguments.booted),
            shells: HashMap::new(),
            supervision: arguments.supervision,
            timer: Timer::default(),
        };
        for spec in arguments.children {
            state.insert(spec);
        }
        state.supervision.boot(clock::now());
        state.run_directives();
        state
    }

    pub(super) fn handle(&mut self, message: SupervisorMessage) {
        match message {
            SupervisorMessage::Add(spec, reply) => self.add(spec, reply),
            SupervisorMessage::Deadline => {
                self.timer.clear();
                self.supervision.handle_deadline(clock::now());
            }
            SupervisorMessage::Exited(child, incarnation, exit) => {
                self.exited(child, incarnation, &exit);
            }
            SupervisorMessage::Remove(name, reply) => self.remove(&name, reply),
            SupervisorMessage::RemoveThis(name, child, reply) => {
                self.remove_this(&name, &child, reply);
            }
            SupervisorMessage::Restart(name, reply) => self.restart(&name, reply),
            SupervisorMessage::ShellEnded(shell) => self.shell_ended(shell),
            SupervisorMessage::Started(child, incarnation) => self.started(child, incarnation),
            SupervisorMessage::Stop(name, reply) => self.stop(&name, reply),
            SupervisorMessage::Stopped(child, incarnation, result) => {
                self.stopped(child, incarnation, result);
            }
        }
        self.run_directives();
    }

    fn insert(&mut self, spec: ChildSpec) -> Option<&mut ManagedChild> {
        let child = self.supervision.add(spec.policy, clock::now())?;
        let status = self.supervision.status(child)?.clone();
        let (name, runnable) = (Arc::clone(&spec.name), Arc::clone(&spec.runnable));
        let entry = Arc::new(ChildEntry::new(name, runnable, status));
        self.publisher.insert(child, Arc::clone(&entry));
        let managed = ManagedChild::new(spec, entry);
        Some(self.children.entry(child).insert_entry(managed).into_mut())
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
        if let Some(shell) = managed.entry.shell() {
            managed.shell = Some(shell.get_id());
            // The end of one that has ended already is not reported again.
            if managed.ended_shell != managed.shell {
                self.shells.insert(shell.get_id(), child);
            }
        }
        // Published before it is answered: who is answered may look.
        self.publish(child);
        if let Some(managed) = self.children.get_mut(&child) {
            managed.reply_started();
        }
        self.send_event(child, EventSender::started);
        self.exited_with_shell(child, incarnation);
    }

    fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: &Exit) {
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
        let was_starting = self.is_current(&[Phase::Starting], child, incarnation);
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
    ///
    /// While a child starts, it is not known whether it does so in this shell;
    /// `started` finds that out.
    fn shell_ended(&mut self, shell: ActorId) {
        let Some(child) = self.shells.remove(&shell) else {
            return;
        };
        if let (Some(managed), Some(status)) = (
            self.children.get_mut(&child),
            self.supervision.status(child),
        ) {
            managed.ended_shell = Some(shell);
            let incarnation = status.incarnation;
            if status.phase == Phase::Up {
                self.exited_with_shell(child, incarnation);
            }
        }
    }

    /// Takes the end of a child's shell, if that has ended, as its exit.
    fn exited_with_shell(&mut self, child: ChildId, incarnation: Incarnation) {
        let exit = self.children.get(&child).and_then(ManagedChild::shell_exit);
        if let Some(exit) = exit {
            self.exited(child, incarnation, &exit);
        }
    }

    fn stopped(&mut self, child: ChildId, incarnation: Incarnation, result: StopResult) {
        let StopResult {
            departure, exit, ..
        } = result;
        if let Some(managed) = self.children.get_mut(&child) {
            managed.stage = Stage::Stopped(departure);
            if departure == Departure::Stuck {
                self.publisher.keep_stuck(&managed.entry);
            }
            let shell = managed.shell.take();
            shell.and_then(|shell| self.shells.remove(&shell));
        }
        self.supervision
            .exited(child, incarnation, exit, clock::now());
        self.publish(child);
    }

    /// Carries out what was decided, and sets the timer for the next deadline.
    fn run_directives(&mut self) {
        while let Some(directive) = self.supervision.poll_directive() {
            self.run_directive(directive);
            if self.report.is_ending() {
                // The other directives are carried out by `shutdown`.
                return self.myself.stop(None);
            }
        }
        if self.supervision.is_booted() && self.publisher.phase() == Phase::Starting {
            self.publisher.set_phase(Phase::Up);
            self.report.booted();
        }
        let due = self.supervision.next_deadline();
        self.timer.set(due, &self.myself);
    }

    fn run_directive(&mut self, directive: Directive) {
        match directive {
            Directive::Start { child, incarnation } => {
                self.publish(child);
                if let Some(managed) = self.children.get_mut(&child) {
                    managed.start(child, incarnation, &self.myself, &self.events);
                }
            }
            Directive::Stop { child, incarnation } => {
                self.publish(child);
                if let Some(managed) = self.children.get_mut(&child) {
                    managed.stop(child, incarnation, &self.myself);
                }
            }
            Directive::EndIncarnation { child, incarnation } => {
                self.publish(child);
                if let Some(managed) = self.children.get_mut(&child) {
                    managed.end_incarnation(child, incarnation, &self.myself);
                }
            }
            Directive::AutoShutdown { child } => self.finish(child),
            Directive::GaveUp { child } => self.give_up(child),
            Directive::Escalate { child } => self.escalate(child),
            Directive::Ended { child, why } => self.ended(child, why),
            Directive::Forgotten { child } => self.forget(child),
        }
    }

    fn give_up(&mut self, child: ChildId) {
        if let Some(managed) = self.children.get_mut(&child) {
            managed.down_hook.call(Ending::GaveUp);
        }
        self.send_event(child, EventSender::gave_up);
    }

    fn escalate(&mut self, child: ChildId) {
        if let Some((managed, status)) = self.child(child)
            && let Some(exit) = status.last_exit.clone()
        {
            let child = Arc::clone(managed.entry.name());
            self.events.escalated(&child, &exit);
            self.report.escalated(child, exit);
        }
    }

    /// A significant child ended, and all others end with it.
    fn finish(&mut self, child: ChildId) {
        if let Some((managed, _)) = self.child(child) {
            let child = Arc::clone(managed.entry.name());
            self.events.finished(&child);
            self.report.finished(child);
        }
    }

    fn ended(&mut self, child: ChildId, why: Ending) {
        self.publish(child);
        if let Some(managed) = self.children.get_mut(&child) {
            managed.down_hook.call(why);
            managed.reply_stopped();
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
            catch::drop_apart(managed);
        }
    }

    /// Whether this is the child's current incarnation, in one of these phases.
    fn is_current(&self, phases: &[Phase], child: ChildId, incarnation: Incarnation) -> bool {
        self.supervision.status(child).is_some_and(|status| {
            status.incarnation == incarnation && phases.contains(&status.phase)
        })
    }

    fn send_event(&self, child: ChildId, send: impl FnOnce(&EventSender, &Arc<str>, &ChildStatus)) {
        if let Some((managed, status)) = self.child(child) {
            send(&self.events, managed.entry.name(), status);
        }
    }

    fn publish(&self, child: ChildId) {
        if let Some((managed, status)) = self.child(child) {
            managed.entry.set_status(status.clone());
        }
    }

    fn child(&self, child: ChildId) -> Option<(&ManagedChild, &ChildStatus)> {
        let managed = self.children.get(&child)?;
        Some((managed, self.supervision.status(child)?))
    }
}

impl Drop for SupervisorState {
    fn drop(&mut self) {
        for (_, mut managed) in self.children.drain() {
            managed.kill();
            managed.down_hook.call(Ending::ShutDown);
            catch::drop_apart(managed);
        }
    }
}
