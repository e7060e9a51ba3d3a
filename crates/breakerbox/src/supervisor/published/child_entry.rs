mod history;
mod log;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{ChildStatus, Exit, Phase};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::ActorCell;

use super::super::place::Place;
use super::super::runnable::Runnable;
use super::super::{ChildSnapshot, Departure, Stopped};
use crate::{clock, lock};
use history::History;

/// What a supervisor publishes of one child.
///
/// Handles on the child hold it, so it outlives the child and the supervisor.
pub(crate) struct ChildEntry {
    /// What was logged about it, once anything was.
    history: Mutex<Option<Box<History>>>,
    name: Arc<str>,
    /// The place of its supervisor.
    place: Arc<Place>,
    runnable: Arc<dyn Runnable>,
    status: Mutex<ChildStatus>,
}

impl ChildEntry {
    pub(crate) fn new(
        place: &Arc<Place>,
        name: Arc<str>,
        runnable: Arc<dyn Runnable>,
        status: ChildStatus,
    ) -> Self {
        Self {
            history: Mutex::new(None),
            name,
            place: Arc::clone(place),
            runnable,
            status: Mutex::new(status),
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

    /// Its own children, if it is a supervisor.
    pub(crate) fn children(&self) -> Vec<ChildSnapshot> {
        let supervisor = self.runnable.supervisor();
        supervisor.map_or_else(Vec::new, |supervisor| supervisor.snapshot().children)
    }

    pub(crate) fn status(&self) -> ChildStatus {
        lock::with(&self.status, |status| status.clone())
    }

    /// What it is doing.
    pub(crate) fn phase(&self) -> Phase {
        lock::with(&self.status, |status| status.phase)
    }

    #[cfg(test)]
    pub(crate) fn has_history(&self) -> bool {
        lock::with(&self.history, |history| history.is_some())
    }

    /// Publishes that its end was asked for, before anything of it can report that.
    pub(crate) fn set_stopping(&self) {
        lock::with(&self.status, |status| {
            if status.phase != Phase::Down {
                status.phase = Phase::Stopping;
            }
        });
    }

    pub(crate) fn set_status(&self, status: ChildStatus) {
        let former = lock::with(&self.status, |old| std::mem::replace(old, status));
        drop(former);
    }

    /// Waits until nothing is left of a child that was stopped or killed.
    pub(super) async fn gone(&self) {
        Arc::clone(&self.runnable).gone().await;
    }

    /// Its name if something of it is left after so long, behind those below it.
    pub(super) fn stuck_after(
        self: Arc<Self>,
        timeout: Duration,
    ) -> BoxFuture<'static, Vec<Stopped>> {
        async move {
            let gone = tokio::time::timeout(timeout, self.gone());
            let (gone, mut stuck) = tokio::join!(gone, self.stuck_below_after(timeout));
            if gone.is_ok() {
                return Vec::new();
            }
            stuck.push(Stopped {
                child: Arc::clone(&self.name),
                departure: Departure::Stuck,
            });
            stuck
        }
        .boxed()
    }

    async fn stuck_below_after(&self, timeout: Duration) -> Vec<Stopped> {
        let Some(supervisor) = self.runnable.supervisor() else {
            return Vec::new();
        };
        let stuck = supervisor.published.stuck_after(timeout).await;
        stuck.iter().map(|it| it.below(&self.name)).collect()
    }

    /// Publishes that the child is no longer supervised.
    pub(super) fn close(&self) {
        lock::with(&self.status, |status| {
            if status.phase != Phase::Down {
                status.last_exit = Some(Exit::Killed);
                status.phase = Phase::Down;
                status.since = clock::now();
            }
        });
        self.runnable.discard_recipe();
    }
}
