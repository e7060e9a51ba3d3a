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
    /// What each supervisor on the way is called by the one above it.
    names: Vec<Arc<str>>,
    root: Arc<RunningSupervisor>,
    /// What it calls itself.
    supervisor_name: Arc<str>,
}

impl SupervisorPath {
    /// The way to this one, from as far above as there is a supervisor still.
    pub(super) fn to(supervisor: &Arc<RunningSupervisor>) -> Arc<Self> {
        let mut names = Vec::new();
        let mut root = Arc::clone(supervisor);
        while let Some((above, name)) = root.above() {
            names.push(name);
            root = above;
        }
        names.reverse();
        Arc::new(Self {
            latest: Mutex::new(Arc::clone(supervisor)),
            names,
            root,
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
        self.names.is_empty()
    }

    /// Returns whether this is the same way in the same tree.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.root, &other.root) && self.names == other.names
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
        for name in &self.names {
            let entry = running.published().own(name)?;
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
        for name in &self.names {
            let Some(entry) = running.published().own(name) else {
                return running.may_change().await;
            };
            let (status, seen) = entry.versioned_status();
            match entry.runnable().supervisor() {
                Some(next) if !next.is_over() => running = next,
                _ if entry.is_closed() => return running.may_change().await,
                _ if status.phase == Phase::Down => return false,
                _ => {
                    entry.changed_since(seen).await;
                    return true;
                }
            }
        }
        match running.published().own(child) {
            None => running.may_change().await,
            Some(entry) if entry.is_closed() => {
                // So is the supervisor in a moment.
                running.published().closed().await;
                !self.is_root()
            }
            // It has come since the caller looked.
            Some(_) => true,
        }
    }
}

impl RunningSupervisor {
    /// Waits until it has booted or ended, if it is about to; false if it is not, and
    /// no other one follows it.
    async fn may_change(&self) -> bool {
        match self.published().phase() {
            Phase::Down => self.above().is_some(),
            Phase::Up => false,
            now => {
                self.published().entered(|phase| phase != now).await;
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
