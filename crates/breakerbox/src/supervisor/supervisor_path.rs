use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use breakerbox_core::Phase;

use super::child_path::ChildPath;
use super::published::ChildEntry;
use super::running_supervisor::RunningSupervisor;
use super::{ChildError, ChildKind, path};
use crate::lock;

/// The way from the root of a tree to one of its supervisors.
///
/// A supervisor below the root is made anew when it is restarted, or one above it is.
/// A handle that keeps the way finds the one that is there now.
pub(super) struct SupervisorPath {
    /// The incarnation that was found last.
    latest: Mutex<Arc<RunningSupervisor>>,
    root: Arc<RunningSupervisor>,
    /// From each supervisor on the way to the next one.
    steps: Vec<Step>,
    /// What it calls itself.
    supervisor_name: Arc<str>,
}

impl SupervisorPath {
    /// The way to this one, from as far above as there is a supervisor still.
    pub(super) fn to(supervisor: &Arc<RunningSupervisor>) -> Arc<Self> {
        let mut steps = Vec::new();
        let mut root = Arc::clone(supervisor);
        while let Some((above, name)) = root.above()
            && let Some(entry) = above.published().own(&name)
        {
            steps.push(Step::to(entry));
            root = above;
        }
        steps.reverse();
        Arc::new(Self {
            latest: Mutex::new(Arc::clone(supervisor)),
            root,
            steps,
            supervisor_name: Arc::clone(supervisor.published().name()),
        })
    }

    pub(super) const fn root(&self) -> &Arc<RunningSupervisor> {
        &self.root
    }

    pub(super) fn supervisor_name(&self) -> &str {
        &self.supervisor_name
    }

    pub(super) const fn is_root(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns whether this is the same way in the same tree.
    pub(super) fn is(&self, other: &Self) -> bool {
        let names = self.steps.iter().map(Step::name);
        Arc::ptr_eq(&self.root, &other.root) && names.eq(other.steps.iter().map(Step::name))
    }

    /// The incarnation that is there now, or was last.
    pub(super) fn now(&self) -> Arc<RunningSupervisor> {
        let latest = lock::with(&self.latest, |latest| Arc::clone(latest));
        if self.is_root() || !latest.is_over() {
            return latest;
        }
        let Some(found) = self.find() else {
            return latest;
        };
        let former = lock::with(&self.latest, |latest| {
            std::mem::replace(latest, Arc::clone(&found))
        });
        drop(former);
        found
    }

    fn find(&self) -> Option<Arc<RunningSupervisor>> {
        let mut running = Arc::clone(&self.root);
        for step in &self.steps {
            let entry = step.take_from(&running)?;
            running = entry.runnable().supervisor()?;
        }
        Some(running)
    }

    /// The supervisor that has the child of this name or path, and the child's name.
    ///
    /// Where the path leads nowhere, it is as far as it does, and the rest as a name.
    pub(super) fn resolve<'a>(&self, path: &'a str) -> (Arc<RunningSupervisor>, Cow<'a, str>) {
        let (running, rest) = self.follow(path);
        let name = match running.published().own(rest) {
            Some(_) => Cow::Borrowed(rest),
            None => path::unescape(rest),
        };
        (running, name)
    }

    /// Follows a path as far as there are supervisors, and returns the rest of it.
    fn follow<'a>(&self, path: &'a str) -> (Arc<RunningSupervisor>, &'a str) {
        let (mut running, mut rest) = (self.now(), path);
        while running.published().own(rest).is_none()
            && let Some((next, below)) = step(&running, rest)
        {
            (running, rest) = (next, below);
        }
        (running, rest)
    }

    /// The child of this name or path.
    ///
    /// # Errors
    ///
    /// When there is none, or a supervisor on the way has not come up yet.
    pub(super) fn child(&self, path: &str) -> Result<ChildPath, ChildError> {
        let (supervisor, rest) = self.follow(path);
        let own = |name: &str| supervisor.published().own(name);
        if let Some(entry) = own(rest).or_else(|| own(&path::unescape(rest))) {
            return Ok(ChildPath::new(Self::to(&supervisor), entry));
        }
        let on_the_way = path::split_first(rest)
            .and_then(|(first, _)| own(&first))
            .filter(|entry| is_supervisor(entry));
        Err(match on_the_way {
            Some(entry) => ChildError::Starting {
                child: entry.name().to_string(),
            },
            None => ChildError::Unknown {
                child: path.to_owned(),
            },
        })
    }

    /// Waits until there may be another child of this name; false if there will be none.
    ///
    /// There will be none when nothing but a command could bring one about: the
    /// supervisor of the child is up without it, or is not started again itself.
    pub(super) async fn may_have_another(&self, child: &str) -> bool {
        let mut running = Arc::clone(&self.root);
        for step in &self.steps {
            match step.await_next(&running).await {
                Ok(next) => running = next,
                Err(may_have_another) => return may_have_another,
            }
        }
        // Before the look: one that is up by then has its children.
        let phase = running.published().phase();
        match running.published().own(child) {
            None => running.changes_from(phase).await,
            Some(entry) if entry.is_closed() => running.is_followed().await,
            // It has come since the caller looked.
            Some(_) => true,
        }
    }
}

/// The way from one supervisor to one that is its child.
struct Step {
    /// What was found last.
    latest: Mutex<Arc<ChildEntry>>,
}

impl Step {
    const fn to(child: Arc<ChildEntry>) -> Self {
        Self {
            latest: Mutex::new(child),
        }
    }

    fn name(&self) -> Arc<str> {
        lock::with(&self.latest, |latest| Arc::clone(latest.name()))
    }

    /// Returns the child that the step leads to in this incarnation of the supervisor.
    ///
    /// None if there is no such child, or the one that was there has been removed: one
    /// that has its name by now is somebody else.
    fn take_from(&self, supervisor: &RunningSupervisor) -> Option<Arc<ChildEntry>> {
        let latest = lock::with(&self.latest, |latest| Arc::clone(latest));
        if latest.was_removed() {
            return None;
        }
        if !latest.ended_with_supervisor() {
            return Some(latest);
        }
        let next = supervisor.published().own(latest.name())?;
        let now = Arc::clone(&next);
        drop(lock::with(&self.latest, |latest| {
            std::mem::replace(latest, next)
        }));
        Some(now)
    }

    /// Takes the step to an incarnation that has not ended, if there is one now.
    ///
    /// # Errors
    ///
    /// Otherwise it waits until there may be one, and says whether there may.
    async fn await_next(
        &self,
        supervisor: &RunningSupervisor,
    ) -> Result<Arc<RunningSupervisor>, bool> {
        // Before the look: one that is up by then has its children.
        let phase = supervisor.published().phase();
        let Some(entry) = self.take_from(supervisor) else {
            return Err(supervisor.changes_from(phase).await);
        };
        let (status, seen) = entry.versioned_status();
        match entry.runnable().supervisor() {
            Some(next) if !next.is_over() => return Ok(next),
            _ if entry.is_closed() => return Err(supervisor.is_followed().await),
            _ if status.phase != Phase::Down => entry.changed_since(seen).await,
            _ => {
                // After the look: one that was ending took it down with itself.
                let phase = supervisor.published().phase();
                return Err(supervisor.changes_from(phase).await);
            }
        }
        Err(true)
    }
}

impl RunningSupervisor {
    /// Waits until it has ended, as its children are closed already; false if no other
    /// one follows it.
    async fn is_followed(&self) -> bool {
        self.published().closed().await;
        !self.is_root()
    }

    /// Waits until it has booted or ended, if it was about to in this phase; false if it
    /// was not, and no other one follows it.
    async fn changes_from(&self, phase: Phase) -> bool {
        match phase {
            Phase::Down => !self.is_root(),
            Phase::Up => false,
            _ => {
                self.published().entered(|now| now != phase).await;
                true
            }
        }
    }
}

/// The supervisor that a path leads through, and the path from there.
fn step<'a>(
    supervisor: &RunningSupervisor,
    path: &'a str,
) -> Option<(Arc<RunningSupervisor>, &'a str)> {
    let (first, below) = path::split_first(path)?;
    let entry = supervisor.published().own(&first)?;
    Some((entry.runnable().supervisor()?, below))
}

pub(super) fn is_supervisor(entry: &ChildEntry) -> bool {
    matches!(
        entry.runnable().kind(),
        ChildKind::Set | ChildKind::Supervisor
    )
}
