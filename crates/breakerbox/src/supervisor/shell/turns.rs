//! What an incarnation runs next: mailbox and scope take turns.
//!
//! A scope's messages cannot go through ractor's mailbox, because nothing there says
//! which incarnation they are for. So they wait in the scope, and nobody can see whether
//! the mailbox has one, too. After each of the scope's messages the shell goes back to
//! ractor, which looks there, and has itself woken for the next one.

use std::sync::Arc;

use breakerbox_core::Exit;
use ractor::{Actor, ActorRef};

use super::super::Scope;
use super::super::scope::{Mail, OpenScope, Turn};
use super::Shell;
use super::life::Life;

impl<A: Actor> Life<A> {
    /// Whether an incarnation that drains has messages left, also in its scope.
    pub(super) fn has_messages(&self) -> bool {
        !self.waiting.is_empty() || self.scope().is_some_and(OpenScope::has_turn)
    }

    fn scope(&self) -> Option<&OpenScope<A::Msg>> {
        self.incarnation.as_ref()?.scope()
    }

    /// Takes the next message, of the mailbox and of the scope in turn.
    fn take_turn(&mut self) -> Option<Turn<A::Msg>> {
        let is_mailboxes = self.latest == Source::Scope && !self.waiting.is_empty();
        let of_scope = match is_mailboxes {
            false => self.scope().and_then(OpenScope::take),
            true => None,
        };
        self.latest = match of_scope {
            None => Source::Mailbox,
            Some(_) => Source::Scope,
        };
        of_scope.or_else(|| self.waiting.pop().map(Turn::Message))
    }

    /// Whether ractor must look at the mailbox before more of the scope is run.
    pub(super) fn is_turn_of_mailbox(&self) -> bool {
        self.latest == Source::Scope && !self.waits()
    }
}

impl<A: Actor> Shell<A> {
    /// Leaves the callback, and comes back for what is left; false if there is an order.
    pub(super) fn pause(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>) -> bool {
        if !self.control.leave() {
            if !self.control.leave_with_mail() {
                return false;
            }
            self.wake_after_mailbox(myself, life);
        }
        if life.waits() {
            self.bell.wake(myself);
        }
        true
    }

    /// Rings the bell once ractor has looked at the mailbox.
    ///
    /// ractor prefers the bell to messages. So it rings from a task, which this thread runs
    /// when the shell's has found no message, or has used up its budget. Another thread may
    /// take it sooner; then the mailbox waits for one more of the scope's messages.
    fn wake_after_mailbox(&self, myself: &ActorRef<A::Msg>, life: &mut Life<A>) {
        if !std::mem::replace(&mut life.wakes_soon, true) {
            let (bell, shell) = (Arc::clone(&self.bell), myself.get_cell());
            tokio::spawn(async move { bell.wake(&shell) });
        }
    }

    /// Runs the next callback of what waits, if there is an incarnation for it.
    pub(super) async fn run_next(
        &self,
        myself: &ActorRef<A::Msg>,
        life: &mut Life<A>,
    ) -> Option<Result<(), Exit>> {
        let has_mail = self.control.take_mail();
        if !(has_mail || life.waits()) || life.incarnation.is_none() {
            return None;
        }
        self.let_supervisor_look(life).await;
        let turn = match life.events.pop() {
            None => life.take_turn(),
            Some(event) => Some(Turn::Event(event)),
        };
        if life.scope().is_some_and(OpenScope::has_turn) {
            self.control.note_mail();
        }
        let callback = life.incarnation.as_mut()?.run_turn(myself, turn?);
        Some(self.control.run(callback).await)
    }

    /// Opens the scope of an incarnation that is about to be made.
    pub(super) fn open_scope(
        &self,
        myself: &ActorRef<A::Msg>,
        opened: &mut Option<OpenScope<A::Msg>>,
    ) -> Scope<A::Msg> {
        let control: Arc<dyn Mail> = self.control.clone();
        let supervisor = self.notifier.weak_supervisor();
        let mail = Arc::downgrade(&control);
        let scope = OpenScope::new(myself.get_cell(), mail, &self.bell, supervisor);
        opened.insert(scope).handle()
    }
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Mailbox,
    Scope,
}
