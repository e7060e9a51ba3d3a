use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The timers of one scope.
///
/// A timer that is due waits in the scope's queue by its key. What makes its message
/// stays here until it is the message's turn, so a timer can be cancelled until then.
pub(super) struct Timers<M> {
    deadlines: BTreeSet<(Instant, TimerKey)>,
    latest: TimerKey,
    timers: HashMap<TimerKey, Timer<M>>,
}

/// A number that tells the timers of a scope apart.
pub(super) type TimerKey = u64;

struct Timer<M> {
    make: Make<M>,
    /// Whether it is in the scope's queue.
    waits: bool,
}

/// The user's function that makes the messages of a timer.
pub(super) enum Make<M> {
    Each(Arc<dyn Fn() -> M + Send + Sync>, Duration),
    Once(Box<dyn FnOnce() -> M + Send>),
}

impl<M> Timers<M> {
    pub(super) fn none() -> Self {
        Self {
            deadlines: BTreeSet::new(),
            latest: 0,
            timers: HashMap::new(),
        }
    }

    /// Returns whether no timer has been set yet.
    pub(super) const fn is_new(&self) -> bool {
        self.latest == 0
    }

    pub(super) fn set(&mut self, at: Instant, make: Make<M>) -> TimerKey {
        self.latest += 1;
        let timer = Timer { make, waits: false };
        self.timers.insert(self.latest, timer);
        self.deadlines.insert((at, self.latest));
        self.latest
    }

    /// Returns the timers that are due and do not wait yet, in the order of their deadlines.
    pub(super) fn due(&mut self, now: Instant) -> Vec<TimerKey> {
        let mut due = Vec::new();
        while let Some(&(at, key)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            let Some(timer) = self.timers.get_mut(&key) else {
                continue;
            };
            if !std::mem::replace(&mut timer.waits, true) {
                due.push(key);
            }
            if let Make::Each(_, period) = timer.make {
                self.deadlines.insert((next_tick(at, period, now), key));
            }
        }
        due
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes what makes the message of one that waits, if it was not cancelled.
    pub(super) fn take(&mut self, key: TimerKey) -> Option<Box<dyn FnOnce() -> M + Send>>
    where
        M: 'static,
    {
        let timer = self.timers.get_mut(&key)?;
        timer.waits = false;
        if let Make::Each(make, _) = &timer.make {
            let make = Arc::clone(make);
            return Some(Box::new(move || make()));
        }
        match self.timers.remove(&key)?.make {
            Make::Once(make) => Some(make),
            Make::Each(..) => None,
        }
    }

    /// Takes one out, whose function the caller drops.
    pub(super) fn cancel(&mut self, key: TimerKey) -> Option<Make<M>> {
        self.deadlines.retain(|(_, it)| *it != key);
        self.timers.remove(&key).map(|timer| timer.make)
    }

    /// Takes all out, whose functions the caller drops.
    pub(super) fn into_functions(self) -> impl Iterator<Item = Make<M>> {
        self.timers.into_values().map(|timer| timer.make)
    }
}

/// Returns the first tick after now; those in between are skipped.
fn next_tick(at: Instant, period: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(at);
    let since = late.as_nanos() % period.as_nanos();
    // A period is at most 100 years, and less than 2^64 ns are 584.
    now + (period - u64::try_from(since).map_or(Duration::ZERO, Duration::from_nanos))
}
