mod child_entry;
mod family;

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{ChildId, Phase};
use futures_util::future::join_all;
use tokio::sync::{broadcast, watch};

use super::catch::{self, DropEach};
use super::down_hook::DownHook;
use super::end_time::EndTime;
use super::link::{Link, drop_flat};
use super::report::Account;
use super::{End, Report, Stopped, SupervisorEvent, SupervisorSnapshot, snapshot};
use crate::guarded::Guarded;
use crate::lock;
pub(super) use child_entry::ChildEntry;
use family::Family;

/// What a supervisor publishes, for everybody to read at any time.
pub(super) struct Published {
    end_time: EndTime,
    events: broadcast::WeakSender<SupervisorEvent>,
    inner: Mutex<Inner>,
    name: Arc<str>,
    phase: watch::Sender<Phase>,
}

struct Inner {
    children: BTreeMap<ChildId, Arc<ChildEntry>>,
    /// Why it ends by itself, from the moment that this is decided.
    end: Option<End>,
    ids: HashMap<Arc<str>, ChildId>,
    account: Option<Link<Account>>,
    /// Those that departed stuck and are not gone, also where they are forgotten.
    stuck: Vec<Arc<ChildEntry>>,
}

impl Published {
    pub(super) fn new(
        name: Arc<str>,
        events: &broadcast::Sender<SupervisorEvent>,
        shutdown_within: Option<Duration>,
    ) -> Self {
        Self {
            end_time: EndTime::new(shutdown_within),
            events: events.downgrade(),
            inner: Mutex::new(Inner {
                children: BTreeMap::new(),
                end: None,
                ids: HashMap::new(),
                account: None,
                stuck: Vec::new(),
            }),
            name,
            phase: watch::Sender::new(Phase::Starting),
        }
    }

    /// How long its end may take.
    pub(super) const fn end_time(&self) -> &EndTime {
        &self.end_time
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn id(&self, child: &str) -> Option<ChildId> {
        lock::with(&self.inner, |inner| inner.ids.get(child).copied())
    }

    /// The child of this name, which is no path.
    pub(super) fn own(&self, name: &str) -> Option<Arc<ChildEntry>> {
        lock::with(&self.inner, |inner| {
            let id = inner.ids.get(name)?;
            inner.children.get(id).cloned()
        })
    }

    pub(super) fn insert(&self, child: ChildId, entry: Arc<ChildEntry>) {
        lock::with(&self.inner, |inner| {
            inner.ids.insert(Arc::clone(entry.name()), child);
            inner.children.insert(child, entry);
        });
    }

    /// Forgets a child; whoever calls this drops its recipe.
    pub(super) fn remove(&self, child: ChildId) {
        let removed = lock::with(&self.inner, |inner| {
            let entry = inner.children.remove(&child)?;
            inner.ids.remove(entry.name());
            Some(entry)
        });
        if let Some(entry) = removed {
            entry.close_removed();
        }
    }

    pub(super) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Returns the phase for somebody who waits for the next one.
    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Enters this phase if it lies ahead, and returns whether it does.
    ///
    /// Whoever decides the end enters `Stopping` in that very step: the actor, which
    /// carries the end out, may be polled much later.
    pub(super) fn enter(&self, next: Phase) -> bool {
        let is_ahead = self.phase.send_if_modified(|phase| {
            let is_ahead = matches!(
                (*phase, next),
                (Phase::Starting, Phase::Up)
                    | (Phase::Starting | Phase::Up, Phase::Stopping)
                    | (Phase::Starting | Phase::Up | Phase::Stopping, Phase::Down)
            );
            if is_ahead {
                *phase = next;
            }
            is_ahead
        });
        if is_ahead && next == Phase::Stopping {
            self.end_time.begin();
        }
        is_ahead
    }

    /// Publishes that the supervisor ends by itself, and why.
    pub(super) fn begin_to_end(&self, end: End) {
        lock::with(&self.inner, |inner| inner.end = Some(end));
        self.enter(Phase::Stopping);
    }

    /// Returns why it ends by itself, if it does.
    pub(super) fn end(&self) -> Option<End> {
        lock::with(&self.inner, |inner| inner.end.clone())
    }

    /// Publishes that the supervisor has ended, however it did.
    fn close(&self) {
        let children = lock::with(&self.inner, |inner| inner.children.clone());
        for entry in children.values() {
            entry.close_with_supervisor();
        }
        self.enter(Phase::Down);
        let recipes = children.values().map(ChildEntry::recipe);
        catch::drop_apart(DropEach(recipes.collect()));
    }

    /// Waits until it is in such a phase.
    pub(super) async fn entered(&self, is: impl Fn(Phase) -> bool) {
        let mut phases = self.phase.subscribe();
        // The sender is right here, so it is not gone.
        let _phase = Guarded::new(phases.wait_for(|phase| is(*phase))).await;
    }

    /// Waits until nothing more will be published.
    pub(super) async fn closed(&self) {
        self.entered(|phase| phase == Phase::Down).await;
    }

    /// Waits until nothing is left of the children.
    pub(super) async fn gone(&self) {
        gone(self.all()).await;
    }

    /// The children of which something is left after so long.
    pub(super) async fn stuck_after(&self, timeout: Duration) -> Vec<Stopped> {
        stuck_after(self.all(), timeout).await
    }

    /// Those that departed stuck, and have not ended yet.
    pub(super) fn stuck(&self) -> Vec<Arc<ChildEntry>> {
        lock::with(&self.inner, |inner| inner.stuck.clone())
    }

    /// A child that was stuck has ended.
    pub(super) fn forget_stuck(&self, ended: &Arc<ChildEntry>) {
        let is_left = |entry: &Arc<ChildEntry>| !Arc::ptr_eq(entry, ended);
        lock::with(&self.inner, |inner| inner.stuck.retain(is_left));
    }

    /// The children, and those that were removed and are stuck.
    fn all(&self) -> Vec<Arc<ChildEntry>> {
        lock::with(&self.inner, |inner| {
            let mut all: Vec<_> = inner.children.values().cloned().collect();
            for entry in &inner.stuck {
                if !contains(&all, entry) {
                    all.push(Arc::clone(entry));
                }
            }
            all
        })
    }

    pub(super) fn set_account(&self, account: Account) {
        let account = Link::new(Arc::new(account));
        lock::with(&self.inner, |inner| inner.account = Some(account));
    }

    /// Returns how the supervisor ended; none if it was killed.
    pub(super) fn account(&self) -> Option<Link<Account>> {
        lock::with(&self.inner, |inner| inner.account.clone())
    }

    pub(super) fn report(&self) -> Option<Report> {
        self.account().map(|account| account.report())
    }

    pub(super) fn snapshot(&self) -> SupervisorSnapshot {
        let phase = self.phase();
        let children = snapshot::build(self.children(), ChildEntry::children, |entry, below| {
            entry.snapshot(below)
        });
        SupervisorSnapshot {
            children,
            name: Arc::clone(&self.name),
            phase,
        }
    }

    /// The children, in the order in which they were added.
    fn children(&self) -> Vec<Arc<ChildEntry>> {
        lock::with(&self.inner, |inner| {
            inner.children.values().cloned().collect()
        })
    }

    pub(super) fn events(&self) -> broadcast::Receiver<SupervisorEvent> {
        self.events.upgrade().map_or_else(
            // A channel whose sender is gone: nothing will happen any more.
            || broadcast::Sender::new(1).subscribe(),
            |events| events.subscribe(),
        )
    }
}

/// Children that are supervisors keep theirs alive, so a deep tree is a long chain.
impl Drop for Published {
    fn drop(&mut self) {
        lock::with(&self.inner, |inner| {
            drop_flat((
                std::mem::take(&mut inner.children),
                std::mem::take(&mut inner.stuck),
            ));
        });
    }
}

/// What a supervisor publishes by; dropping it publishes the supervisor's end.
pub(super) struct Publisher {
    /// Called when this is dropped, after the end is published.
    _end_hook: DownHook,
    published: Arc<Published>,
}

impl Publisher {
    pub(super) const fn new(published: Arc<Published>, end_hook: DownHook) -> Self {
        Self {
            _end_hook: end_hook,
            published,
        }
    }

    pub(super) const fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// Keeps a child that departed stuck in mind until it has ended.
    /// Then it is said to be gone.
    pub(super) fn keep_stuck(
        &self,
        stuck: &Arc<ChildEntry>,
        is_gone: impl FnOnce() + Send + 'static,
    ) {
        let (published, stuck) = (Arc::clone(&self.published), Arc::clone(stuck));
        lock::with(&published.inner, |inner| {
            if !contains(&inner.stuck, &stuck) {
                inner.stuck.push(Arc::clone(&stuck));
            }
        });
        tokio::spawn(async move {
            gone(vec![Arc::clone(&stuck)]).await;
            published.forget_stuck(&stuck);
            is_gone();
        });
    }
}

impl Deref for Publisher {
    type Target = Published;

    fn deref(&self) -> &Published {
        &self.published
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.close();
    }
}

fn contains(children: &[Arc<ChildEntry>], child: &Arc<ChildEntry>) -> bool {
    children.iter().any(|other| Arc::ptr_eq(other, child))
}

/// Those of these children, and of the ones below them, that are left after so long.
pub(super) async fn stuck_after(children: Vec<Arc<ChildEntry>>, timeout: Duration) -> Vec<Stopped> {
    let family = Family::of(children);
    let gone = family
        .members
        .iter()
        .map(|member| member.is_gone_after(timeout));
    let gone = join_all(gone).await;
    family.stuck(&gone)
}

/// Waits until nothing is left of these children, and of those below them.
async fn gone(children: Vec<Arc<ChildEntry>>) {
    let mut left = children;
    while let Some(entry) = left.pop() {
        entry.gone().await;
        left.extend(entry.all_below());
    }
}
