use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use breakerbox_core::{ChildId, ChildStatus, Exit, Phase};
use ractor::ActorCell;
use tokio::sync::{broadcast, watch};

use super::life::Life;
use super::{ChildSnapshot, Report, SupervisorEvent, SupervisorSnapshot};
use crate::{clock, lock};

/// What a supervisor publishes, for everybody to read at any time.
pub(super) struct Board {
    closed: watch::Sender<bool>,
    events: broadcast::WeakSender<SupervisorEvent>,
    name: Arc<str>,
    posted: Mutex<Posted>,
}

struct Posted {
    ids: HashMap<Arc<str>, ChildId>,
    phase: Phase,
    places: BTreeMap<ChildId, Arc<Place>>,
    report: Option<Report>,
}

impl Board {
    pub(super) fn new(name: Arc<str>, events: &broadcast::Sender<SupervisorEvent>) -> Self {
        Self {
            closed: watch::Sender::new(false),
            events: events.downgrade(),
            name,
            posted: Mutex::new(Posted {
                ids: HashMap::new(),
                phase: Phase::Starting,
                places: BTreeMap::new(),
                report: None,
            }),
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn id(&self, child: &str) -> Option<ChildId> {
        lock::with(&self.posted, |posted| posted.ids.get(child).copied())
    }

    pub(super) fn place(&self, child: &str) -> Option<Arc<Place>> {
        lock::with(&self.posted, |posted| {
            let id = posted.ids.get(child)?;
            posted.places.get(id).cloned()
        })
    }

    pub(super) fn put_up(&self, child: ChildId, place: Arc<Place>) {
        lock::with(&self.posted, |posted| {
            posted.ids.insert(Arc::clone(&place.name), child);
            posted.places.insert(child, place);
        });
    }

    pub(super) fn take_down(&self, child: ChildId) {
        let taken = lock::with(&self.posted, |posted| {
            let place = posted.places.remove(&child)?;
            posted.ids.remove(&place.name);
            Some(place)
        });
        if let Some(place) = taken {
            place.close();
        }
    }

    pub(super) fn phase(&self) -> Phase {
        lock::with(&self.posted, |posted| posted.phase)
    }

    pub(super) fn enter(&self, phase: Phase) {
        lock::with(&self.posted, |posted| posted.phase = phase);
    }

    /// Posts what is true when the supervisor is gone, however it went.
    pub(super) fn close(&self) {
        let places = lock::with(&self.posted, |posted| {
            posted.phase = Phase::Down;
            posted.places.clone()
        });
        for place in places.values() {
            place.close();
        }
        self.closed.send_replace(true);
    }

    /// Waits until nothing will be posted any more.
    pub(super) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender is right here, so it is not gone.
        let _closed = closed.wait_for(|closed| *closed).await;
    }

    pub(super) fn file(&self, report: Report) {
        lock::with(&self.posted, |posted| posted.report = Some(report));
    }

    pub(super) fn report(&self) -> Option<Report> {
        lock::with(&self.posted, |posted| posted.report.clone())
    }

    pub(super) fn snapshot(&self) -> SupervisorSnapshot {
        let (phase, places) =
            lock::with(&self.posted, |posted| (posted.phase, posted.places.clone()));
        let children = places.values().map(|place| ChildSnapshot {
            name: Arc::clone(&place.name),
            status: place.status(),
        });
        SupervisorSnapshot {
            children: children.collect(),
            name: Arc::clone(&self.name),
            phase,
        }
    }

    pub(super) fn events(&self) -> broadcast::Receiver<SupervisorEvent> {
        self.events.upgrade().map_or_else(
            // A channel whose sender is gone: nothing will happen any more.
            || broadcast::Sender::new(1).subscribe(),
            |events| events.subscribe(),
        )
    }
}

/// Where one child is posted.
pub(super) struct Place {
    life: Arc<dyn Life>,
    name: Arc<str>,
    status: Mutex<ChildStatus>,
}

impl Place {
    pub(super) fn new(name: Arc<str>, life: Arc<dyn Life>, status: ChildStatus) -> Self {
        Self {
            life,
            name,
            status: Mutex::new(status),
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) const fn life(&self) -> &Arc<dyn Life> {
        &self.life
    }

    pub(super) fn shell(&self) -> Option<ActorCell> {
        self.life.shell()
    }

    pub(super) fn status(&self) -> ChildStatus {
        lock::with(&self.status, |status| status.clone())
    }

    pub(super) fn post(&self, status: ChildStatus) {
        let former = lock::with(&self.status, |posted| std::mem::replace(posted, status));
        drop(former);
    }

    /// Posts that nobody looks after the child any more.
    fn close(&self) {
        lock::with(&self.status, |status| {
            if status.phase != Phase::Down {
                status.last_exit = Some(Exit::Killed);
                status.phase = Phase::Down;
                status.since = clock::now();
            }
        });
    }
}
