mod boarding;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use arc_swap::ArcSwap;
use breakerbox_core::{
    Check, Duty, Ending, EndpointId, EndpointSpec, Judged, PoolConfig, Roster, RosterChange,
    Verdict,
};
use ractor::ActorRef;
use tokio::sync::{Notify, broadcast};

use super::calling::CallLimits;
use super::explain::Memory;
use super::extras::Extras;
use super::judge::Judge;
use super::lineup::Lineup;
use super::log;
use super::owner::PoolMessage;
use super::quantile::Quantile;
use super::slot::Slot;
use super::{EndpointSnapshot, PoolEvent, PoolSnapshot};
use crate::breaker_box::{BoxContext, Kind, Leftover};
use crate::bus::Bus;
use crate::supervisor::ChildKey;
use crate::{breaker, clock, lock};

/// What a pool's owner and its callers have in common.
///
/// The roster is behind a lock so that it outlives its owner; only the owner
/// changes it, and callers never wait for it.
pub(super) struct Shared<T> {
    actor: Mutex<Option<ActorRef<PoolMessage<T>>>>,
    /// Held while a change is made.
    pub(super) changing: tokio::sync::Mutex<()>,
    config: ArcSwap<PoolConfig>,
    desk: Mutex<Desk<T>>,
    events: Bus<PoolEvent>,
    pub(super) extras: Extras,
    /// The child that follows a stream, if it does.
    pub(super) follower: Mutex<Option<ChildKey>>,
    /// How many handles there are.
    handles: AtomicUsize,
    /// Whether it was closed, or is being so.
    pub(super) is_closed: AtomicBool,
    pub(super) judge: Judge,
    lineup: ArcSwap<Lineup<T>>,
    pub(super) memory: Memory,
    pub(super) name: Arc<str>,
    /// The child that owns it, once there is one.
    pub(super) owner: OnceLock<ChildKey>,
    pub(super) quantile: Quantile,
    /// Told of each new configuration.
    pub(super) reconfigured: Notify,
    turns: AtomicU64,
}

/// The roster and whom its numbers stand for.
struct Desk<T> {
    roster: Roster,
    slots: BTreeMap<EndpointId, Arc<Slot<T>>>,
}

impl<T> Shared<T> {
    pub(super) fn new(name: Arc<str>, config: PoolConfig) -> Self {
        let roster = Roster::new(config, fastrand::u64(..));
        Self {
            actor: Mutex::new(None),
            changing: tokio::sync::Mutex::new(()),
            config: ArcSwap::from_pointee(config),
            events: Bus::new(),
            extras: Extras::default(),
            follower: Mutex::new(None),
            handles: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            judge: Judge::new(),
            lineup: ArcSwap::from_pointee(Lineup::new(roster.rotation(), Vec::new())),
            desk: Mutex::new(Desk {
                roster,
                slots: BTreeMap::new(),
            }),
            memory: Memory::default(),
            name,
            owner: OnceLock::new(),
            quantile: Quantile::new(),
            reconfigured: Notify::new(),
            turns: AtomicU64::new(0),
        }
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> impl Deref<Target = Arc<PoolConfig>> {
        self.config.load()
    }

    /// The limits of time that are in force.
    pub(super) fn limits(&self) -> CallLimits {
        CallLimits::of(&self.config.load())
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<PoolEvent> {
        self.events.subscribe()
    }

    /// Its owner is gone for good, for this reason.
    ///
    /// At the end of the box, whoever still has the pool is warned.
    pub(super) fn end(self: &Arc<Self>, why: Ending, context: &BoxContext)
    where
        T: Send + Sync + 'static,
    {
        if why == Ending::ShutDown && self.has_handles() {
            let shared = Arc::clone(self);
            let _already_ended = context.leftovers.add(Leftover {
                is_in_use: Box::new(move || shared.has_handles()),
                kind: Kind::Pool,
                name: Arc::clone(&self.name),
            });
        }
        self.events.close();
    }

    pub(super) fn add_handle(&self) {
        self.handles.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_handle(&self) {
        self.handles.fetch_sub(1, Ordering::Relaxed);
    }

    fn has_handles(&self) -> bool {
        // Relaxed: only a number.
        self.handles.load(Ordering::Relaxed) > 0
    }

    pub(super) fn actor(&self) -> Option<ActorRef<PoolMessage<T>>> {
        lock::with(&self.actor, |actor| actor.clone())
    }

    pub(super) fn set_actor(&self, actor: ActorRef<PoolMessage<T>>) {
        lock::with(&self.actor, |place| *place = Some(actor));
    }

    pub(super) fn snapshot(&self) -> PoolSnapshot {
        let now = clock::now();
        lock::with(&self.desk, |desk| PoolSnapshot {
            active: self.extras.active(),
            endpoints: desk
                .roster
                .endpoints()
                .map(|view| EndpointSnapshot::new(&view, &desk.slots[&view.id], now))
                .collect(),
            extra: self.extras.extra(),
            last_resort: self.judge.last_resorts(),
            name: Arc::clone(&self.name),
            tiers: desk.roster.loads().to_vec(),
        })
    }

    /// The endpoint of this name, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<(EndpointId, Arc<Slot<T>>)> {
        lock::with(&self.desk, |desk| {
            let mut slots = desk.slots.iter();
            let (id, slot) = slots.find(|(_, slot)| *slot.name == *name)?;
            Some((*id, Arc::clone(slot)))
        })
    }

    pub(super) fn slot(&self, id: EndpointId) -> Option<Arc<Slot<T>>> {
        lock::with(&self.desk, |desk| desk.slots.get(&id).cloned())
    }

    pub(super) fn breakers(&self) -> Vec<Arc<breaker::Shared>> {
        lock::with(&self.desk, |desk| {
            let slots = desk.slots.values();
            slots.map(|slot| Arc::clone(&slot.breaker)).collect()
        })
    }

    pub(super) fn names(&self) -> Vec<Arc<str>> {
        lock::with(&self.desk, |desk| {
            let names = desk.slots.values();
            names.map(|slot| Arc::clone(&slot.name)).collect()
        })
    }
}

/// What attempts leave behind for those after them.
impl<T> Shared<T> {
    /// Returns what an exchange counts as that broke off while its client had a part in
    /// it.
    pub(super) fn judge_break(&self, id: EndpointId, client: Option<u64>) -> Verdict {
        let judged = lock::with(&self.desk, |desk| {
            let here = desk.slots.get(&id).map_or(0, |slot| slot.judged().0);
            let others = desk.slots.iter().filter(|(other, _)| **other != id);
            Judged {
                here,
                successes_elsewhere: others.map(|(_, slot)| slot.judged().1).sum(),
            }
        });
        self.judge.judge_break(id, client, judged)
    }
}

/// What only the owner does.
impl<T> Shared<T> {
    /// An endpoint that serves at once, or that ramps.
    pub(super) fn admit(&self, slot: Slot<T>, spec: EndpointSpec, joins: Joins) -> EndpointId {
        let slot = Arc::new(slot);
        let endpoint = Arc::clone(&slot.name);
        let id = self.act(|desk, now| {
            let id = match joins {
                Joins::AtStart => desk.roster.add(&slot.name, spec, now),
                Joins::Later => desk.roster.join(&slot.name, spec, now),
            };
            desk.roster.breaker_changed(id, slot.state(), now);
            desk.slots.insert(id, slot);
            id
        });
        self.tell(PoolEvent::Added { endpoint });
        id
    }

    pub(super) fn forget(&self, id: EndpointId) {
        let gone = self.act(|desk, now| {
            desk.roster.remove(id, now);
            desk.slots.remove(&id)
        });
        if let Some(slot) = gone {
            let endpoint = Arc::clone(&slot.name);
            self.tell(PoolEvent::Removed { endpoint });
        }
    }

    pub(super) fn adjust(&self, id: EndpointId, spec: EndpointSpec) {
        self.act(|desk, now| desk.roster.adjust(id, spec, now));
    }

    pub(super) fn assign(&self, id: EndpointId, duty: Duty) {
        self.act(|desk, now| desk.roster.assign(id, duty, now));
    }

    pub(super) fn reconfigure(&self, config: PoolConfig) {
        self.config.store(Arc::new(config));
        self.act(|desk, now| desk.roster.reconfigure(config, now));
        self.reconfigured.notify_waiters();
    }

    pub(super) fn checked(&self, id: EndpointId, check: Check) -> Option<std::time::Duration> {
        self.act(|desk, now| desk.roster.checked(id, check, now))
    }

    /// Deals with what is due.
    pub(super) fn handle_deadline(&self) {
        self.act(|desk, now| desk.roster.handle_deadline(now));
    }

    /// The state of any breaker may have changed.
    pub(super) fn look_at_breakers(&self) {
        self.act(|desk, now| {
            let states = desk.slots.iter().map(|(id, slot)| (*id, slot.state()));
            desk.roster.breakers_changed(states, now);
        });
    }

    /// The state of one breaker may have changed.
    pub(super) fn breaker_changed(&self, breaker: &str) {
        self.act(|desk, now| {
            let mut slots = desk.slots.iter();
            let found = slots.find(|(_, slot)| **slot.breaker.name() == *breaker);
            if let Some((id, state)) = found.map(|(id, slot)| (*id, slot.state())) {
                desk.roster.breaker_changed(id, state, now);
            }
        });
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        lock::with(&self.desk, |desk| desk.roster.next_deadline())
    }

    /// Does something to the roster and publishes what follows.
    fn act<R>(&self, act: impl FnOnce(&mut Desk<T>, Instant) -> R) -> R {
        let now = clock::now();
        let (done, events) = lock::with(&self.desk, |desk| {
            for (id, slot) in &desk.slots {
                let (calls, failures) = slot.take_score();
                desk.roster.absorb(*id, calls, failures);
            }
            let done = act(desk, now);
            let slots = desk.slots.values().cloned().collect();
            let lineup = Lineup::new(desk.roster.rotation(), slots);
            self.lineup.store(Arc::new(lineup));
            let mut events = Vec::new();
            while let Some(change) = desk.roster.poll_change() {
                events.extend(desk.event_of(change));
            }
            (done, events)
        });
        for event in events {
            self.tell(event);
        }
        done
    }

    fn tell(&self, event: PoolEvent) {
        if let PoolEvent::Changed { endpoint, from, to } = &event {
            log::changed(&self.name, endpoint, *from, *to);
        }
        self.events.send(event);
    }
}

impl<T> Desk<T> {
    fn event_of(&self, change: RosterChange) -> Option<PoolEvent> {
        match change {
            RosterChange::Endpoint { from, id, to } => {
                let slot = self.slots.get(&id)?;
                if to.is_available() {
                    slot.begin_anew();
                }
                let endpoint = Arc::clone(&slot.name);
                Some(PoolEvent::Changed { endpoint, from, to })
            }
            RosterChange::Loads(loads) => Some(PoolEvent::Loads(loads)),
            _ => None,
        }
    }
}

/// When an endpoint comes to a pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Joins {
    AtStart,
    Later,
}
