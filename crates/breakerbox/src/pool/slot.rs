use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakerbox_core::{Load, State, Verdict};

use super::latency::Latency;
use super::{Endpoint, HealthCheck};
use crate::moment::Moment;
use crate::{Breaker, OwnedPermit};

/// An endpoint as its pool's callers share it.
///
/// All orderings are relaxed: nothing is published by these numbers, and none
/// of them depends on another.
pub(super) struct Slot<T> {
    pub(super) breaker: Breaker,
    /// Until when it asked to be left alone; 0 for never.
    busy_until: AtomicU64,
    /// Since the owner last looked.
    calls: AtomicU64,
    pub(super) check: Option<Arc<dyn HealthCheck<T>>>,
    failures: AtomicU64,
    in_flight: AtomicU32,
    latency: Latency,
    max_in_flight: u32,
    pub(super) name: Arc<str>,
    /// Until when it is not asked if there is somebody else; 0 for never.
    reluctant_until: AtomicU64,
    pub(super) value: T,
}

impl<T> Slot<T> {
    pub(super) fn new(endpoint: Endpoint<T>, breaker: Breaker) -> Self {
        Self {
            breaker,
            busy_until: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            check: endpoint.check,
            failures: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            latency: Latency::default(),
            max_in_flight: endpoint.max_in_flight,
            name: endpoint.name,
            reluctant_until: AtomicU64::new(0),
            value: endpoint.value,
        }
    }

    /// How busy it is; None if it has all the calls that it may have, or has
    /// asked to be left alone.
    pub(super) fn load(&self, now: Instant) -> Option<Load> {
        let in_flight = self.in_flight();
        let may = in_flight < self.max_in_flight && until(&self.busy_until, now).is_none();
        may.then(|| Load {
            in_flight,
            // One call at a time may find out anew.
            latency: match in_flight {
                0 => self.latency.recent(now),
                _ => self.latency.estimate(now),
            },
            reluctant: until(&self.reluctant_until, now).is_some(),
        })
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn latency(&self, now: Instant) -> Option<Duration> {
        self.latency.estimate(now).map(Duration::from_nanos)
    }

    /// It may be used again: how it did before it fell says nothing any more.
    pub(super) fn begin_anew(&self) {
        self.latency.forget();
    }

    /// From when on it is worth another try; None where nobody knows.
    pub(super) fn retry_at(&self, now: Instant) -> Option<Instant> {
        let busy = until(&self.busy_until, now);
        busy.max(self.breaker.retry_at())
    }

    /// Takes part in one call more, if it may and its breaker admits it.
    pub(super) fn enter(&self) -> Option<OwnedPermit> {
        let one_more = |calls| (calls < self.max_in_flight).then(|| calls + 1);
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        let permit = self.breaker.try_acquire_owned().ok();
        if permit.is_none() {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        permit
    }

    /// Calls and failures since this was last asked.
    pub(super) fn take_score(&self) -> (u64, u64) {
        // A failure whose call is yet to be counted counts as one.
        let failures = self.failures.swap(0, Ordering::Relaxed);
        (
            self.calls.swap(0, Ordering::Relaxed).max(failures),
            failures,
        )
    }

    /// What its breaker does with calls, whoever says so.
    pub(super) fn state(&self) -> State {
        self.breaker.effective_state()
    }

    fn back_off(&self, retry_after: Option<Duration>, now: Instant) {
        let asked = retry_after.unwrap_or_default();
        let until = now + asked.min(self.breaker.retry_after_cap());
        put_off(&self.busy_until, until);
    }

    /// A call has ended of which its breaker learns nothing. Where that waits for
    /// a probe, the next call would be one too, and the one after that.
    fn note_silence(&self, now: Instant) {
        if self.state() != State::Closed {
            put_off(&self.reluctant_until, now + RELUCTANCE);
        }
    }
}

/// The instant that a word holds, if it is still to come.
fn until(word: &AtomicU64, now: Instant) -> Option<Instant> {
    let until = Moment::from_bits(word.load(Ordering::Relaxed)).map(Moment::instant);
    until.filter(|until| *until > now)
}

fn put_off(word: &AtomicU64, until: Instant) {
    let bits = Moment::bits(Some(Moment::of(until)));
    word.fetch_max(bits, Ordering::Relaxed);
}

/// An endpoint in the eyes of a call that is at it, whatever its value.
pub(super) trait Berth: Send + Sync {
    fn name(&self) -> &str;

    /// A call was answered after so long, and ended like this.
    fn hear(&self, verdict: Verdict, took: Duration, now: Instant);

    /// A call was given up after so long, which is the least it would have taken.
    fn hear_no_end(&self, took: Duration, now: Instant);

    fn leave(&self);
}

impl<T: Send + Sync> Berth for Slot<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn hear(&self, verdict: Verdict, took: Duration, now: Instant) {
        match verdict {
            Verdict::Success => self.latency.observe(took, now),
            Verdict::Final => {
                self.latency.observe(took, now);
                self.note_silence(now);
            }
            Verdict::NotSent | Verdict::Sent => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.latency.penalize(took.max(PENALTY), now);
            }
            Verdict::Pushback { retry_after } => {
                self.back_off(retry_after, now);
                // Also if it did not say for how long.
                put_off(&self.reluctant_until, now + RELUCTANCE);
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn hear_no_end(&self, took: Duration, now: Instant) {
        self.latency.at_least(took, now);
        self.note_silence(now);
    }

    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a failure counts for, however fast it came: an endpoint that fails fast
/// must not look like the best one (linkerd's load biaser has such a penalty).
const PENALTY: Duration = Duration::from_secs(1);

/// For how long others are asked rather than who was asked to no avail.
const RELUCTANCE: Duration = Duration::from_secs(1);
