use std::future;
use std::sync::Arc;

use breakerbox_core::Phase;
use tokio::sync::watch;

use crate::Supervisor;
use crate::guarded::Guarded;

/// Whether a service is ready for requests; clones watch the same one.
///
/// It is for the readiness probe. A probe for liveness must not ask it: a service
/// that drains is alive.
#[derive(Clone, Debug)]
pub struct Readiness {
    service: watch::Receiver<Service>,
}

impl Readiness {
    /// Returns whether the tree is up and nobody has asked it to end.
    ///
    /// It is false from the moment the tree begins to end, for whatever reason:
    /// because it gives up, because somebody else shuts it down or kills it, or
    /// because a significant child has finished.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.service.borrow().stage() == Stage::Ready
    }

    /// Waits until it is ready, or never will be: then false.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
    pub async fn ready(&mut self) -> bool {
        self.reach(|stage| stage != Stage::Coming).await == Stage::Ready
    }

    /// Waits until it is not ready.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
    pub async fn not_ready(&mut self) {
        self.reach(|stage| stage != Stage::Ready).await;
    }

    /// Returns a handle on the tree, once it begins to start.
    ///
    /// Dropping it stops nothing, and it can be asked for the tree's last snapshot
    /// after the end.
    #[must_use]
    pub fn supervisor(&self) -> Option<Supervisor> {
        self.service.borrow().tree.clone()
    }

    /// Waits for such a stage, and returns it.
    async fn reach(&mut self, is: impl Fn(Stage) -> bool) -> Stage {
        loop {
            let (stage, phases) = {
                let service = self.service.borrow_and_update();
                // Before the stage is looked at, so that no change is missed.
                let phases = service.tree.as_ref().map(Supervisor::phases);
                (service.stage(), phases)
            };
            if is(stage) {
                return stage;
            }
            let phase_changed = async move {
                match phases {
                    Some(mut phases) => phases.changed().await,
                    None => future::pending().await,
                }
            };
            // No error goes round in circles: what has ended is `Over` already.
            Guarded::new(async {
                tokio::select! {
                    _changed_or_over = self.service.changed() => {}
                    _changed_or_over = phase_changed => {}
                }
            })
            .await;
        }
    }
}

/// What a lifecycle publishes for its readiness.
///
/// Dropping it publishes that the lifecycle is over.
#[derive(Debug)]
pub(super) struct Publisher {
    service: Arc<watch::Sender<Service>>,
}

impl Publisher {
    pub(super) fn new() -> Self {
        Self {
            service: Arc::new(watch::Sender::new(Service::default())),
        }
    }

    pub(super) fn readiness(&self) -> Readiness {
        Readiness {
            service: self.service.subscribe(),
        }
    }

    /// Returns what publishes that somebody asks for the end.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            service: Arc::clone(&self.service),
        }
    }

    /// From now on it is as ready as this tree is up.
    pub(super) fn follow(&self, tree: &Supervisor) {
        let tree = tree.observer();
        self.service
            .send_modify(|service| service.tree = Some(tree));
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.asker().ask();
    }
}

/// Publishes that somebody asks for the end.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    service: Arc<watch::Sender<Service>>,
}

impl Asker {
    /// Publishes that it is not ready any more, and returns what it was when it was
    /// asked first.
    pub(super) fn ask(&self) -> Stage {
        self.service.send_if_modified(|service| {
            let is_first = service.asked_in.is_none();
            if is_first {
                service.asked_in = Some(service.stage());
            }
            is_first
        });
        self.service.borrow().asked_in.unwrap_or(Stage::Over)
    }
}

/// What a readiness is told.
#[derive(Clone, Debug, Default)]
struct Service {
    /// What it was when somebody asked for the end, or when the lifecycle was over.
    asked_in: Option<Stage>,
    tree: Option<Supervisor>,
}

impl Service {
    fn stage(&self) -> Stage {
        if self.asked_in.is_some() {
            return Stage::Over;
        }
        match self.tree.as_ref().map(Supervisor::phase) {
            None | Some(Phase::Starting) => Stage::Coming,
            Some(Phase::Up) => Stage::Ready,
            Some(_) => Stage::Over,
        }
    }
}

/// How far a service is; it never goes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Coming,
    Ready,
    Over,
}
