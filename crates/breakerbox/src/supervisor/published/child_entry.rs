mod history;
mod log;
mod watched_status;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use breakerbox_core::{ChildStatus, Exit, Phase};
use ractor::{ActorCell, ActorRef, Message};

use super::super::ChildSnapshot;
use super::super::backlog::{Backlog, Entered, Full};
use super::super::place::Place;
use super::super::runnable::Runnable;
use super::super::{ChildError, ChildKind};
use crate::clock;
use history::History;
use watched_status::WatchedStatus;

/// What a supervisor publishes of one child.
///
/// Handles on the child hold it, so it outlives the child and the supervisor.
pub(crate) struct ChildEntry {
    /// The messages that wait while it is down, if there is a limit on them.
    backlog: Option<Box<Backlog>>,
    /// Whether it is no longer supervised, and why.
    closed: AtomicU8,
    /// What was logged about it, once anything was.
    history: Mutex<Option<Box<History>>>,
    name: Arc<str>,
    /// The place of its supervisor.
    place: Arc<Place>,
    runnable: Arc<dyn Runnable>,
    status: WatchedStatus,
}

impl ChildEntry {
    pub(crate) fn new(
        place: &Arc<Place>,
        name: Arc<str>,
        runnable: Arc<dyn Runnable>,
        status: ChildStatus,
    ) -> Self {
        Self {
            backlog: None,
            history: Mutex::new(None),
            closed: AtomicU8::new(OPEN),
            name,
            place: Arc::clone(place),
            runnable,
            status: WatchedStatus::new(status),
        }
    }

    /// Limits the messages that wait for it while it is down.
    pub(crate) fn queue_limit(self, limit: Option<usize>) -> Self {
        let backlog = limit.map(|limit| Box::new(Backlog::new(limit)));
        Self { backlog, ..self }
    }

    pub(in super::super) fn backlog(&self) -> Option<&Backlog> {
        self.backlog.as_deref()
    }

    /// Takes a place for a message that is about to be sent to it, if it is down.
    pub(in super::super) fn enter_queue(&self) -> Result<Entered, Full> {
        let enter = |backlog: &Backlog| backlog.enter();
        self.backlog().map_or(Ok(Entered::Uncounted), enter)
    }

    /// Gives back the place of a message that could not be sent.
    pub(in super::super) fn leave_queue(&self, entered: Entered) {
        if let Some(backlog) = self.backlog() {
            backlog.give_back(entered);
        }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) const fn runnable(&self) -> &Arc<dyn Runnable> {
        &self.runnable
    }

    pub(crate) fn shell(&self) -> Option<ActorCell> {
        self.runnable.shell()
    }

    /// The actor that stands for it, which takes messages of type `M`.
    pub(crate) fn actor<M: Message>(&self) -> Result<ActorRef<M>, ChildError> {
        let other_messages = || ChildError::OtherMessages {
            asked_for: std::any::type_name::<M>(),
            child: self.name.to_string(),
        };
        if self.runnable.kind() != ChildKind::Actor {
            return Err(other_messages());
        }
        let starting = || ChildError::Starting {
            child: self.name.to_string(),
        };
        let shell = self.shell().ok_or_else(starting)?;
        // `None` is for actors on other nodes, which a child never is.
        if shell.is_message_type_of::<M>() == Some(false) {
            return Err(other_messages());
        }
        Ok(ActorRef::from(shell))
    }

    /// Its own children, if it is a supervisor.
    pub(super) fn children(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let supervisor = self.runnable.supervisor();
        supervisor.map_or_else(Vec::new, |it| it.published().children())
    }

    /// Its own children, and those that were removed and are stuck.
    pub(super) fn all_below(&self) -> Vec<Arc<Self>> {
        let supervisor = self.runnable.supervisor();
        supervisor.map_or_else(Vec::new, |it| it.published().all())
    }

    /// How it does, with the snapshots of those below it.
    pub(super) fn snapshot(&self, children: Vec<ChildSnapshot>) -> ChildSnapshot {
        ChildSnapshot {
            children,
            dropped: self.backlog().map_or(0, Backlog::dropped),
            kind: self.runnable.kind(),
            name: Arc::clone(&self.name),
            status: self.status(),
        }
    }

    pub(crate) fn status(&self) -> ChildStatus {
        self.status.read(|status, _| status.clone())
    }

    /// How it does, and which change of that was the last.
    pub(crate) fn versioned_status(&self) -> (ChildStatus, u64) {
        self.status
            .read(|status, version| (status.clone(), version))
    }

    /// Which change of its status was the last.
    pub(crate) fn version(&self) -> u64 {
        self.status.read(|_, version| version)
    }

    /// Waits for a change of its status after this one.
    pub(crate) async fn changed_since(&self, version: u64) {
        self.status.changed_since(version).await;
    }

    /// What it is doing.
    pub(crate) fn phase(&self) -> Phase {
        self.status.read(|status, _| status.phase)
    }

    /// Returns whether it is no longer supervised.
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: who takes another child for it sees that this one is down.
        self.closed.load(Ordering::Acquire) != OPEN
    }

    /// Returns whether it was removed, or has left its set.
    pub(crate) fn was_removed(&self) -> bool {
        self.closed.load(Ordering::Acquire) == REMOVED
    }

    /// Returns whether it ended with its supervisor, whose next incarnation may have
    /// another child of this name.
    pub(crate) fn ended_with_supervisor(&self) -> bool {
        self.closed.load(Ordering::Acquire) == WITH_SUPERVISOR
    }

    #[cfg(test)]
    pub(crate) fn has_history(&self) -> bool {
        crate::lock::with(&self.history, |history| history.is_some())
    }

    /// Publishes that its end was asked for, before anything of it can report that.
    pub(crate) fn set_stopping(&self) {
        self.status.change(|status| {
            if status.phase != Phase::Down {
                status.phase = Phase::Stopping;
            }
        });
    }

    pub(crate) fn set_status(&self, status: ChildStatus) {
        let former = self.status.change(|old| std::mem::replace(old, status));
        drop(former);
    }

    /// Waits until nothing is left of a child that was stopped or killed, but for those
    /// below it.
    pub(super) async fn gone(&self) {
        Arc::clone(&self.runnable).gone().await;
    }

    /// Publishes that it was removed.
    pub(super) fn close_removed(&self) {
        self.close(REMOVED);
    }

    /// Publishes that its supervisor has ended.
    pub(super) fn close_with_supervisor(&self) {
        self.close(WITH_SUPERVISOR);
    }

    /// Returns what drops the recipe of its incarnations, of which there will be none,
    /// when it is dropped itself. That may block.
    pub(crate) fn recipe(self: &Arc<Self>) -> LastRecipe {
        LastRecipe(Arc::clone(self))
    }

    fn close(&self, closed: u8) {
        self.closed.store(closed, Ordering::Release);
        self.status.change(|status| {
            if status.phase != Phase::Down {
                status.last_exit = Some(Exit::Killed);
                status.phase = Phase::Down;
                status.since = clock::now();
            }
        });
    }
}

/// The recipe of a child that has no incarnations any more.
pub(crate) struct LastRecipe(Arc<ChildEntry>);

impl Drop for LastRecipe {
    fn drop(&mut self) {
        self.0.runnable.discard_recipe();
    }
}

/// In [`ChildEntry::closed`]: it is supervised.
const OPEN: u8 = 0;
/// In [`ChildEntry::closed`]: it was removed, or has left its set.
const REMOVED: u8 = 1;
/// In [`ChildEntry::closed`]: its supervisor has ended.
const WITH_SUPERVISOR: u8 = 2;
