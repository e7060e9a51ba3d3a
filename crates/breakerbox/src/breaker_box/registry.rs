//! The names of a box: which breakers are there, come or go, and which was used last.
//!
//! The registry runs no code of the user and wakes nobody: whoever has ended a change
//! of a name wakes those that wait for it once the lock is released.
//!
//! # Invariants
//!
//! 1. While a name comes or goes nobody has it; whoever asks for it waits.
//! 2. A change of a name is ended only by whoever began it.
//! 3. A breaker leaves only while nobody holds it and it has nothing to remember, or
//!    because somebody has asked for its removal.
//! 4. The breakers that are there or come are at most as many as the box may hold.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use breakerbox_core::BreakerConfig;
use tokio_util::sync::CancellationToken;

use super::BreakerError;
use super::change::{Change, Changes};
use crate::breaker::{Housed, Shared};
use crate::supervisor::ChildKey;

/// The breakers of a box by name.
#[derive(Debug)]
pub(super) struct Registry {
    /// The breakers that are there, by their last use; empty without a maximum.
    by_use: BTreeMap<Use, Housed>,
    changes: Changes,
    /// The configuration that the last breaker was made with: most are made alike.
    last_declared: Option<Arc<BreakerConfig>>,
    maximum: usize,
    names: BTreeMap<Arc<str>, Entry>,
    /// The number of breakers that are there or come.
    taken: usize,
    uses: u64,
}

/// The holder of a name.
#[derive(Debug)]
enum Entry {
    Coming(Change),
    Going(Change),
    There(Resident),
}

#[derive(Debug)]
struct Resident {
    breaker: Housed,
    /// The configuration that it was made with, which may have been changed since.
    declared: Arc<BreakerConfig>,
    /// The instant since which nobody has been found to hold the breaker.
    free_since: Option<Instant>,
    /// True once somebody has asked for the breaker.
    is_wanted: bool,
    last_use: Use,
    owner: ChildKey,
}

/// The last known use of a breaker: its instant, and how many uses came before.
type Use = (Instant, u64);

/// A breaker that has to go, and its owner.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) breaker: Housed,
    pub(super) change: Change,
    pub(super) owner: ChildKey,
}

/// The answer to a request for a breaker.
#[derive(Debug)]
pub(super) enum Answer {
    /// The breaker is there.
    Found(Arc<Shared>),
    /// The name is kept for whoever asked, to make the breaker.
    Make {
        change: Change,
        config: Arc<BreakerConfig>,
        /// The breaker that has to make room for it.
        leaves: Option<Leaving>,
        /// The owner of a former breaker, which may be in the way.
        remains: Option<ChildKey>,
    },
    /// The name comes or goes: ask again once this token is cancelled.
    Wait(CancellationToken),
}

/// The kind of breaker that is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// A breaker that nobody else has.
    New,
    /// The breaker that is there, or a new one.
    Same,
}

impl Registry {
    pub(super) fn new(maximum: usize) -> Self {
        Self {
            by_use: BTreeMap::new(),
            changes: Changes::default(),
            last_declared: None,
            maximum,
            names: BTreeMap::new(),
            taken: 0,
            uses: 0,
        }
    }

    /// Asks for a breaker, which the caller has to make if there is none.
    ///
    /// `is_taken` reports whether something else seems to have the name: then the
    /// name will be refused, and no breaker has to make room.
    pub(super) fn ask(
        &mut self,
        name: &Arc<str>,
        config: &BreakerConfig,
        wanted: Wanted,
        is_taken: impl FnOnce() -> bool,
        now: Instant,
    ) -> Result<Answer, BreakerError> {
        let remains = match self.names.get(name) {
            Some(Entry::Coming(change) | Entry::Going(change)) => {
                return Ok(Answer::Wait(change.done.clone()));
            }
            Some(Entry::There(resident)) if resident.breaker.is_orphaned() => {
                Some(resident.owner.clone())
            }
            Some(Entry::There(_)) if wanted == Wanted::New => {
                return Err(BreakerError::Taken(Arc::clone(name)));
            }
            Some(Entry::There(_)) => {
                let same = self.same(name, config, now);
                return same.map(Answer::Found);
            }
            None => None,
        };
        let has_room = remains.is_some() || self.taken < self.maximum;
        let leaves = match has_room || is_taken() {
            true => None,
            false => Some(self.make_room(now)?),
        };
        // The remains of a former breaker.
        let _dead = self.take_out(name);
        let change = self.changes.begin(name);
        let coming = Entry::Coming(change.clone());
        self.names.insert(Arc::clone(name), coming);
        self.taken += 1;
        Ok(Answer::Make {
            change,
            config: self.share(config),
            leaves,
            remains,
        })
    }

    /// Asks for a breaker that is there; returns None if it is to be made or waited for.
    pub(super) fn ask_for_existing(
        &mut self,
        name: &str,
        config: &BreakerConfig,
        now: Instant,
    ) -> Option<Result<Arc<Shared>, BreakerError>> {
        let is_orphaned = self.resident(name)?.breaker.is_orphaned();
        (!is_orphaned).then(|| self.same(name, config, now))
    }

    /// Returns the breaker of this name, which is there and has an owner, unless it was
    /// made with another configuration.
    fn same(
        &mut self,
        name: &str,
        config: &BreakerConfig,
        now: Instant,
    ) -> Result<Arc<Shared>, BreakerError> {
        let conflict = || BreakerError::Conflict(name.into());
        let resident = self.resident(name).ok_or_else(conflict)?;
        let shared = Arc::clone(&resident.breaker);
        if *resident.declared != *config && *shared.config() != *config {
            return Err(conflict());
        }
        self.note_use(name, now);
        Ok(shared)
    }

    /// Returns the breaker of this name, if it is there and has an owner.
    pub(super) fn find(&mut self, name: &str, now: Instant) -> Option<Arc<Shared>> {
        let resident = self.resident(name)?;
        if resident.breaker.is_orphaned() {
            return None;
        }
        let shared = Arc::clone(&resident.breaker);
        self.note_use(name, now);
        Some(shared)
    }

    /// Returns this very breaker, if it is there and has an owner.
    pub(super) fn find_this(
        &mut self,
        name: &str,
        breaker: &Weak<Shared>,
        now: Instant,
    ) -> Option<Arc<Shared>> {
        let found = Arc::as_ptr(&self.resident(name)?.breaker);
        // Without an upgrade, which would hold the breaker for a moment.
        match std::ptr::eq(found, breaker.as_ptr()) {
            true => self.find(name, now),
            false => None,
        }
    }

    /// Returns all breakers that are there, by name, even those without an owner.
    pub(super) fn all(&self) -> Vec<Housed> {
        let residents = self.names.values().filter_map(Entry::resident);
        residents.map(|resident| resident.breaker.clone()).collect()
    }

    /// Puts in a breaker whose name this change has kept. Returns the breaker that
    /// has to make room for it, if any.
    pub(super) fn arrive(
        &mut self,
        change: &Change,
        breaker: Housed,
        declared: Arc<BreakerConfig>,
        owner: ChildKey,
        now: Instant,
    ) -> Result<Option<Leaving>, BreakerError> {
        let leaves = match self.taken > self.maximum {
            true => Some(self.make_room(now)?),
            false => None,
        };
        let last_use = self.next_use(now);
        if self.may_be_full() {
            self.by_use.insert(last_use, breaker.clone());
        }
        let resident = Resident {
            breaker,
            declared,
            free_since: None,
            is_wanted: false,
            last_use,
            owner,
        };
        self.names
            .insert(Arc::clone(&change.name), Entry::There(resident));
        Ok(leaves)
    }

    /// Lets the breaker of this name go, if there is one and `may_go` says so. While
    /// a breaker comes or goes, returns the token to wait for.
    pub(super) fn let_go(
        &mut self,
        name: &str,
        may_go: impl FnOnce(&Housed) -> bool,
    ) -> Result<Option<Leaving>, CancellationToken> {
        match self.names.get(name) {
            Some(Entry::Coming(change) | Entry::Going(change)) => Err(change.done.clone()),
            Some(Entry::There(resident)) if may_go(&resident.breaker) => Ok(self.take_out(name)),
            Some(Entry::There(_)) | None => Ok(None),
        }
    }

    /// Lets a breaker go that was made for a caller that has stopped waiting, unless
    /// somebody else has asked for it.
    pub(super) fn take_back(&mut self, breaker: &Arc<Shared>) -> Option<Leaving> {
        let resident = self.resident(breaker.name())?;
        let is_it = Arc::ptr_eq(&resident.breaker, breaker);
        if is_it && !resident.is_wanted {
            return self.take_out(breaker.name());
        }
        None
    }

    /// Ends a change, which frees the name unless a breaker has come by it.
    pub(super) fn end(&mut self, change: &Change) {
        match self.names.get(&change.name) {
            Some(Entry::Coming(current)) if current.is(change) => self.taken -= 1,
            Some(Entry::Going(current)) if current.is(change) => {}
            _ => return,
        }
        self.names.remove(&change.name);
    }

    /// Lets the breakers go that nobody has held or used for `span`, of the first few
    /// after `last`. Returns them, and the name after which to continue.
    pub(super) fn retire(
        &mut self,
        last: Option<&Arc<str>>,
        span: Duration,
        now: Instant,
    ) -> (Vec<Leaving>, Option<Arc<str>>) {
        let behind = last.map_or(Bound::Unbounded, |last| Bound::Excluded(Arc::clone(last)));
        let entries = self.names.range_mut((behind, Bound::Unbounded));
        let (mut idle, mut last) = (Vec::new(), None);
        for (name, entry) in entries.take(AT_ONCE) {
            last = Some(Arc::clone(name));
            if let Entry::There(resident) = entry
                && resident.is_idle(span, now)
            {
                idle.push(Arc::clone(name));
            }
        }
        let gone = idle.iter().filter_map(|name| self.take_out(name));
        (gone.collect(), last)
    }

    /// Lets the least recently used breaker go, of those that nobody holds and that
    /// have nothing to remember.
    ///
    /// Breakers are sorted by the last use that was known when each was last looked at,
    /// which is never later than the real one. So the search ends at the first known
    /// use that is not before that of the best one found.
    fn make_room(&mut self, now: Instant) -> Result<Leaving, BreakerError> {
        let mut best: Option<(Use, Arc<str>)> = None;
        let mut used_later = Vec::new();
        for (known, breaker) in &self.by_use {
            if best.as_ref().is_some_and(|(last_use, _)| last_use <= known) {
                break;
            }
            let idle_since = match breaker.is_in_use() {
                true => None,
                false => breaker.idle_since(now),
            };
            let Some(idle_since) = idle_since else {
                continue;
            };
            let last_use = (idle_since.max(known.0), known.1);
            if last_use > *known {
                used_later.push((*known, last_use.0));
            }
            if best.as_ref().is_none_or(|(other, _)| last_use < *other) {
                best = Some((last_use, Arc::clone(breaker.name())));
            }
        }
        let (_, name) = best.ok_or(BreakerError::Full(self.maximum))?;
        // Moves them behind those that were used before them, so that these are
        // looked at first; only a few at a time, or one request would pay for all.
        for (known, last_used) in used_later.into_iter().take(AT_ONCE) {
            self.move_use(known, (last_used, known.1));
        }
        self.take_out(&name).ok_or(BreakerError::Full(self.maximum))
    }

    /// Takes out a breaker, whose name is going from now on.
    fn take_out(&mut self, name: &str) -> Option<Leaving> {
        let (name, Entry::There(_)) = self.names.get_key_value(name)? else {
            return None;
        };
        let name = Arc::clone(name);
        let change = self.changes.begin(&name);
        let going = Entry::Going(change.clone());
        let Some(Entry::There(resident)) = self.names.insert(name, going) else {
            unreachable!("it was there");
        };
        self.by_use.remove(&resident.last_use);
        self.taken -= 1;
        Some(Leaving {
            breaker: resident.breaker,
            change,
            owner: resident.owner,
        })
    }

    /// Returns the configuration, shared with the last breaker if the two are equal.
    fn share(&mut self, config: &BreakerConfig) -> Arc<BreakerConfig> {
        let last = self.last_declared.take();
        let shared = last.filter(|last| **last == *config);
        let shared = shared.unwrap_or_else(|| Arc::new(*config));
        self.last_declared = Some(Arc::clone(&shared));
        shared
    }

    /// Reports whether it can ever matter which breaker was used least recently.
    fn may_be_full(&self) -> bool {
        self.maximum < usize::MAX
    }

    fn resident(&self, name: &str) -> Option<&Resident> {
        self.names.get(name)?.resident()
    }

    /// Records that somebody asks for a breaker.
    fn note_use(&mut self, name: &str, now: Instant) {
        let last_use = self.next_use(now);
        if let Some(Entry::There(resident)) = self.names.get_mut(name) {
            resident.free_since = None;
            resident.is_wanted = true;
            let known = std::mem::replace(&mut resident.last_use, last_use);
            self.move_use(known, last_use);
        }
    }

    /// Replaces the known use of a breaker with a later one.
    fn move_use(&mut self, known: Use, last_use: Use) {
        let Some(breaker) = self.by_use.remove(&known) else {
            return;
        };
        if let Some(Entry::There(resident)) = self.names.get_mut(breaker.name()) {
            resident.last_use = last_use;
        }
        self.by_use.insert(last_use, breaker);
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
    /// Reports whether nobody has held or used the breaker for `span`, and it has
    /// nothing to remember.
    ///
    /// The drop of the last handle is not reported, so it is known only from the
    /// first call after it.
    fn is_idle(&mut self, span: Duration, now: Instant) -> bool {
        let is_over = |since| now.saturating_duration_since(since) >= span;
        if self.breaker.is_in_use() {
            self.free_since = None;
            return false;
        }
        let free_since = *self.free_since.get_or_insert(now);
        let is_left = is_over(free_since) && is_over(self.last_use.0);
        is_left && self.breaker.idle_since(now).is_some_and(is_over)
    }
}

/// The number of breakers that are looked at before others get the lock.
const AT_ONCE: usize = 100;
