use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{
    ChildId, ChildStatus, Directive, Ending, Exit, Incarnation, Phase, Supervision,
};
use ractor::{ActorRef, ActorStatus};

use super::actor::SupervisorArguments;
use super::catch::{self, DropEach};
use super::event::EventSender;
use super::inbox::{Inbox, Notice};
use super::log;
use super::managed_child::{Due, ManagedChild, Stage};
use super::message::SupervisorMessage;
use super::notifier::Notifier;
use super::published::{ChildEntry, Publisher};
use super::report::ReportBuilder;
use super::runnable::{StopResult, former_is_stuck};
use super::shell::Bell;
use super::timer::Timer;
use super::watchdog::Minded;
use super::{ChildSpec, Departure, End, Shutdown};
use crate::clock;

mod commands;
mod shutdown;

use shutdown::EndStage;

/// The state of a supervisor's actor: its children and what is decided of them.
///
/// When it is dropped before the end is complete, the actor was killed: then the
/// children are killed too, and everybody who waits gets an answer.
pub(super) struct SupervisorState {
    bell: Arc<Bell>,
    children: HashMap<ChildId, ManagedChild>,
    /// When what a child was asked for takes too long.
    dues: BTreeSet<(Instant, ChildId)>,
    end: EndStage,
    events: EventSender,
    inbox: Arc<Inbox>,
    /// When the time for the end was over, once it is.
    late_since: Option<Instant>,
    /// The most children at a time, in a set.
    maximum: Option<usize>,
    _minded: Option<Minded>,
    myself: ActorRef<SupervisorMessage>,
    publisher: Publisher,
    report: ReportBuilder,
    /// Those that had been stuck before the end began.
    stuck_before: Vec<Arc<ChildEntry>>,
    supervision: Supervision,
    /// Empty; it keeps the room for the notices of the next look.
    taken: VecDeque<Notice>,
    timer: Timer,
}

impl SupervisorState {
    /// Adds the children of the spec and begins to start them.
    pub(super) fn boot(
        myself: ActorRef<SupervisorMessage>,
        arguments: SupervisorArguments,
    ) -> Self {
        arguments.running.set_actor(&myself);
        let mut state = Self {
            bell: Arc::default(),
            children: HashMap::new(),
            dues: BTreeSet::new(),
            end: EndStage::NotYet,
            events: arguments.events,
            inbox: Inbox::of(myself.clone(), arguments.running),
            late_since: None,
            maximum: arguments.maximum,
            _minded: Minded::current(),
            myself,
            publisher: arguments.publisher,
            report: ReportBuilder::new(arguments.booted),
            stuck_before: Vec::new(),
            supervision: arguments.supervision,
            taken: VecDeque::new(),
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
            SupervisorMessage::Look => return self.look(),
            SupervisorMessage::Remove(name, reply) => self.remove(&name, reply),
            SupervisorMessage::RemoveThis(name, child, reply) => {
                self.remove_this(&name, &child, reply);
            }
            SupervisorMessage::Restart(name, reply) => self.restart(&name, reply),
            SupervisorMessage::Stop(name, reply) => self.stop(&name, reply),
        }
        self.run_directives();
    }

    pub(super) fn saw_shell(&self) {
        self.inbox.saw_shell();
    }

    /// Handles what has happened, and carries out what is decided of it.
    pub(super) fn look(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        self.inbox.take(AT_ONCE, &mut taken);
        taken.drain(..).for_each(|notice| self.notice(notice));
        self.taken = taken;
        if !self.inbox.is_empty() {
            self.inbox.look_again();
        }
    }

    /// Something has happened.
    pub(super) fn notice(&mut self, notice: Notice) {
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

    fn insert(&mut self, spec: ChildSpec) -> Option<&mut ManagedChild> {
        let child = self.supervision.add(spec.policy, clock::now())?;
        let status = self.supervision.status(child)?.clone();
        let (name, runnable) = (Arc::clone(&spec.name), Arc::clone(&spec.runnable));
        let entry = ChildEntry::new(self.events.place(), name, runnable, status);
        let entry = Arc::new(entry.queue_limit(spec.queue_limit));
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
    fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: &Exit) {
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

    fn stopped(&mut self, child: ChildId, incarnation: Incarnation, result: StopResult) {
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

    /// Something that was asked for takes too long.
    fn handle_dues(&mut self) {
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

    fn forget_due(&mut self, child: ChildId) {
        let due = self.children.get_mut(&child).and_then(|it| it.due.take());
        if let Some((at, _)) = due {
            self.dues.remove(&(at, child));
        }
    }

    /// Carries out what was decided, and sets the timer for the next deadline.
    ///
    /// Where that is much, others are given a turn in between.
    fn run_directives(&mut self) {
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

    fn end_with(&mut self, child: ChildId, end: impl FnOnce(&mut ManagedChild, Notifier)) {
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

    /// Whether it ends by a kill: a runtime that ends leaves it running, and one that
    /// shuts down was asked to end.
    fn was_killed_while_it_served(&self) -> bool {
        let is_serving = matches!(self.publisher.phase(), Phase::Starting | Phase::Up);
        is_serving && self.myself.get_status() >= ActorStatus::Stopping
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

    fn log(&self, child: ChildId, log: impl FnOnce(&ChildEntry, &ChildStatus)) {
        if let Some((managed, status)) = self.child(child) {
            log(&managed.entry, status);
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
        if self.was_killed_while_it_served() && self.events.is_of_a_root() {
            log::killed(self.publisher.name(), self.children.len());
        }
        let mut children = std::mem::take(&mut self.children);
        for managed in children.values_mut() {
            managed.entry.set_stopping();
            managed.entry.log_left_out();
            managed.kill();
            managed.down_hook.call(Ending::ShutDown);
        }
        catch::drop_apart(DropEach(children.into_values().collect()));
    }
}

/// So many directives are carried out before others get a turn.
const AT_ONCE: usize = 100;
