use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{ChildId, ChildStatus, Ending, Incarnation, Phase, Supervision};
use ractor::{ActorRef, ActorStatus};

use super::ChildSpec;
use super::actor::SupervisorArguments;
use super::catch::{self, DropEach};
use super::event::EventSender;
use super::inbox::{Inbox, Notice};
use super::log;
use super::managed_child::ManagedChild;
use super::message::SupervisorMessage;
use super::published::{ChildEntry, Publisher};
use super::report::ReportBuilder;
use super::shell::Bell;
use super::timer::Timer;
use super::watchdog::Minded;
use crate::clock;

mod commands;
mod directives;
mod dues;
mod notices;
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
    /// The children that had been stuck before the end began.
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
