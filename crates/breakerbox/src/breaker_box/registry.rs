//! The names of a box: who is there, who comes or goes, and who was used last.
//!
//! # Invariants
//!
//! 1. A name that comes or goes is nobody's until that is done; whoever asks for it
//!    waits.
//! 2. A breaker leaves only by its name's leave to go. While that is given nobody
//!    holds the breaker, or somebody has asked for its removal.
//! 3. Of those that are there or come there are at most as many as the box may hold.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::BreakerConfig;
use tokio_util::sync::CancellationToken;

use super::BreakerError;
use crate::breaker::{Housed, Shared};

/// The breakers of a box by name.
#[derive(Debug)]
pub(super) struct Registry {
    /// Who is there, by when they were used; nobody where the box has no maximum.
    by_use: BTreeMap<Use, Arc<str>>,
    /// The configuration that the last breaker was made with: most are made alike.
    last_declared: Option<Arc<BreakerConfig>>,
    maximum: usize,
    names: BTreeMap<Arc<str>, Entry>,
    /// How many are there or come.
    taken: usize,
    uses: u64,
}

/// What has a name.
#[derive(Debug)]
enum Entry {
    Coming(CancellationToken),
    Going(CancellationToken),
    There(Resident),
}

#[derive(Debug)]
struct Resident {
    breaker: Housed,
    /// What it was made with, which may have been changed since.
    declared: Arc<BreakerConfig>,
    /// Since when nobody has been found to hold it.
    free_since: Option<Instant>,
    last_use: Use,
}

/// When a breaker was used as far as is known, and how many uses came before.
type Use = (Instant, u64);

/// What whoever asks for a breaker gets.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is there.
    Found(Arc<Shared>),
    /// The name is theirs to fill. One that has to go for it may be named, and the
    /// remains of one without an owner may be in the way.
    Make {
        config: Arc<BreakerConfig>,
        is_remade: bool,
        makes_room: Option<Arc<str>>,
    },
    /// The name comes or goes: to be asked again once that is done.
    Wait(CancellationToken),
}

/// Whether one that is there will do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// One that nobody else has.
    New,
    /// One that is there, or a new one.
    Same,
}

impl Registry {
    pub(super) fn new(maximum: usize) -> Self {
        Self {
            by_use: BTreeMap::new(),
            last_declared: None,
            maximum,
            names: BTreeMap::new(),
            taken: 0,
            uses: 0,
        }
    }

    /// Asks for a breaker, to be made unless there is one.
    pub(super) fn ask(
        &mut self,
        name: &Arc<str>,
        config: &BreakerConfig,
        wanted: Wanted,
        now: Instant,
    ) -> Result<Answer, BreakerError> {
        match self.names.get(name) {
            Some(Entry::Coming(done) | Entry::Going(done)) => {
                return Ok(Answer::Wait(done.clone()));
            }
            Some(Entry::There(resident)) if !resident.breaker.is_orphaned() => {
                if wanted == Wanted::New {
                    return Err(BreakerError::Taken(Arc::clone(name)));
                }
                let shared = Arc::clone(&resident.breaker);
                if *resident.declared != *config && *shared.config() != *config {
                    return Err(BreakerError::Conflict(Arc::clone(name)));
                }
                self.note_use(name, now);
                return Ok(Answer::Found(shared));
            }
            Some(Entry::There(_)) | None => {}
        }
        let is_remade = self.names.contains_key(name);
        let makes_room = match is_remade || self.taken < self.maximum {
            true => None,
            false => Some(self.make_room(now)?),
        };
        self.take_out(name);
        let coming = Entry::Coming(CancellationToken::new());
        self.names.insert(Arc::clone(name), coming);
        self.taken += 1;
        Ok(Answer::Make {
            config: self.share(config),
            is_remade,
            makes_room,
        })
    }

    /// The breaker of this name, if it is there and has an owner.
    pub(super) fn find(&mut self, name: &str, now: Instant) -> Option<Arc<Shared>> {
        let resident = self.resident(name)?;
        if resident.breaker.is_orphaned() {
            return None;
        }
        let shared = Arc::clone(&resident.breaker);
        self.note_use(name, now);
        Some(shared)
    }

    /// Whether it is this very breaker that is there, and has an owner.
    pub(super) fn holds(&mut self, breaker: &Arc<Shared>, now: Instant) -> bool {
        let found = self.find(breaker.name(), now);
        found.is_some_and(|found| Arc::ptr_eq(&found, breaker))
    }

    /// All that are there, by name, also those without an owner.
    pub(super) fn all(&self) -> Vec<Arc<Shared>> {
        let residents = self.names.values().filter_map(Entry::resident);
        residents
            .map(|resident| Arc::clone(&resident.breaker))
            .collect()
    }

    /// A breaker has come.
    pub(super) fn arrive(&mut self, breaker: Housed, declared: Arc<BreakerConfig>, now: Instant) {
        let name = Arc::clone(breaker.name());
        let last_use = self.next_use(now);
        if self.may_be_full() {
            self.by_use.insert(last_use, Arc::clone(&name));
        }
        let resident = Resident {
            breaker,
            declared,
            free_since: None,
            last_use,
        };
        let entry = self.names.insert(name, Entry::There(resident));
        if let Some(Entry::Coming(done)) = entry {
            done.cancel();
        }
    }

    /// Lets a breaker go. Returns it, or None if there is none; who comes or goes is
    /// to be waited for.
    pub(super) fn let_go(&mut self, name: &str) -> Result<Option<Arc<Shared>>, CancellationToken> {
        match self.names.get(name) {
            Some(Entry::Coming(done) | Entry::Going(done)) => Err(done.clone()),
            Some(Entry::There(_)) => Ok(self.take_out(name)),
            None => Ok(None),
        }
    }

    /// Lets this breaker go if nobody but one has it.
    pub(super) fn let_go_if_unshared(&mut self, breaker: &Arc<Shared>) -> bool {
        let resident = self.resident(breaker.name());
        let is_unshared = resident.is_some_and(|resident| {
            Arc::ptr_eq(&resident.breaker, breaker) && resident.breaker.holders() == 1
        });
        is_unshared && self.take_out(breaker.name()).is_some()
    }

    /// Whoever had a name's turn has done: unless a breaker has come, the name is free.
    pub(super) fn free(&mut self, name: &str) {
        let done = match self.names.get(name) {
            Some(Entry::Coming(done)) => {
                self.taken -= 1;
                done.clone()
            }
            Some(Entry::Going(done)) => done.clone(),
            Some(Entry::There(_)) | None => return,
        };
        self.names.remove(name);
        done.cancel();
    }

    /// Lets those go that nobody has held or used for `span`, of the first ones
    /// behind `last`. Returns them, and the name to go on behind.
    pub(super) fn retire(
        &mut self,
        last: Option<&Arc<str>>,
        span: Duration,
        now: Instant,
    ) -> (Vec<Arc<str>>, Option<Arc<str>>) {
        let behind = last.map_or(Bound::Unbounded, |last| Bound::Excluded(Arc::clone(last)));
        let entries = self.names.range_mut((behind, Bound::Unbounded));
        let (mut idle, mut last) = (Vec::new(), None);
        for (looked_at, (name, entry)) in entries.enumerate() {
            if looked_at == AT_ONCE {
                break;
            }
            last = Some(Arc::clone(name));
            if let Entry::There(resident) = entry
                && resident.is_idle(span, now)
            {
                idle.push(Arc::clone(name));
            }
        }
        for name in &idle {
            self.take_out(name);
        }
        (idle, last)
    }

    /// Lets the one go that was used least recently, of those that nobody holds and
    /// that have nothing to forget.
    ///
    /// The order is by what was known of each when it was last looked at: who turns
    /// out to have been used since then takes its right place first, and who is found
    /// in use, or with something to forget, counts as used now.
    fn make_room(&mut self, now: Instant) -> Result<Arc<str>, BreakerError> {
        // Each at most twice: to take its right place, and there.
        for _ in 0..2 * self.by_use.len() {
            let Some((known, name)) = self.by_use.pop_first() else {
                break;
            };
            let last_use = self.resident(&name).and_then(|resident| {
                let idle_since = resident.idle_since(now)?;
                Some((idle_since.max(known.0), known.1))
            });
            let is_first = last_use.is_some_and(|last_use| {
                let next = self.by_use.first_key_value();
                next.is_none_or(|(next, _)| last_use <= *next)
            });
            let last_use = last_use.unwrap_or_else(|| self.next_use(now));
            self.by_use.insert(last_use, Arc::clone(&name));
            if let Some(Entry::There(resident)) = self.names.get_mut(&name) {
                resident.last_use = last_use;
            }
            if is_first {
                self.take_out(&name);
                return Ok(name);
            }
        }
        Err(BreakerError::Full(self.maximum))
    }

    /// Takes a breaker out whose name is going from now on.
    fn take_out(&mut self, name: &str) -> Option<Arc<Shared>> {
        let entry = self.names.get_mut(name)?;
        let going = Entry::Going(CancellationToken::new());
        let Entry::There(resident) = std::mem::replace(entry, going) else {
            return None;
        };
        self.by_use.remove(&resident.last_use);
        self.taken -= 1;
        Some(Arc::clone(&resident.breaker))
    }

    /// The configuration as others share it, if the last breaker was made alike.
    fn share(&mut self, config: &BreakerConfig) -> Arc<BreakerConfig> {
        let last = self.last_declared.take();
        let shared = last.filter(|last| **last == *config);
        let shared = shared.unwrap_or_else(|| Arc::new(*config));
        self.last_declared = Some(Arc::clone(&shared));
        shared
    }

    /// Whether it will ever matter who was used least recently.
    fn may_be_full(&self) -> bool {
        self.maximum < usize::MAX
    }

    fn resident(&self, name: &str) -> Option<&Resident> {
        self.names.get(name)?.resident()
    }

    fn note_use(&mut self, name: &str, now: Instant) {
        let last_use = self.next_use(now);
        if let Some(Entry::There(resident)) = self.names.get_mut(name) {
            resident.free_since = None;
            let before = std::mem::replace(&mut resident.last_use, last_use);
            if let Some(name) = self.by_use.remove(&before) {
                self.by_use.insert(last_use, name);
            }
        }
    }

    fn next_use(&mut self, now: Instant) -> Use {
        self.uses += 1;
        (now, self.uses)
    }
}

impl Entry {
    fn resident(&self) -> Option<&Resident> {
        match self {
            Self::There(resident) => Some(resident),
            Self::Coming(_) | Self::Going(_) => None,
        }
    }
}

impl Resident {
    /// Since when it has not been used; None while somebody holds it, and where it has
    /// something to forget.
    fn idle_since(&self, now: Instant) -> Option<Instant> {
        if self.breaker.is_in_use() {
            return None;
        }
        self.breaker.idle_since(now)
    }

    /// Whether nobody has held or used it for `span`, and it has nothing to forget.
    ///
    /// Nobody tells when the last handle goes, so that is known only from when this
    /// is first asked after it.
    fn is_idle(&mut self, span: Duration, now: Instant) -> bool {
        let is_over = |since| now.saturating_duration_since(since) >= span;
        let Some(idle_since) = self.idle_since(now) else {
            self.free_since = None;
            return false;
        };
        let free_since = *self.free_since.get_or_insert(now);
        is_over(free_since) && is_over(self.last_use.0) && is_over(idle_since)
    }
}

/// How many are looked at before others get the lock.
const AT_ONCE: usize = 100;
