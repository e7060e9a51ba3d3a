use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use breakerbox_core::{Load, State, Verdict};

use super::latency::Latency;
use super::{Endpoint, HealthCheck};
use crate::OwnedPermit;
use crate::breaker::EndpointBreaker;
use crate::moment::Moment;
use crate::supervisor::ChildKey;

/// An endpoint as its pool's callers share it.
///
/// All orderings are relaxed: nothing is published by these numbers, and none
/// of them depends on another.
pub(super) struct Slot<T> {
    /// Not a handle, which would keep the box alive from within.
    pub(super) breaker: EndpointBreaker,
    /// Until when it asked to be left alone; 0 for never.
    busy_until: AtomicU64,
    /// Since the owner last looked.
    calls: AtomicU64,
    pub(super) check: Option<Arc<dyn HealthCheck<T>>>,
    /// The child that checks it, once there is one.
    pub(super) checker: OnceLock<ChildKey>,
    failures: AtomicU64,
    in_flight: AtomicU32,
    latency: Latency,
    max_in_flight: u32,
    pub(super) name: Arc<str>,
    /// From when on it is probed also if there is somebody else; 0 for always.
    no_probe_before: AtomicU64,
    pub(super) value: T,
}

impl<T> Slot<T> {
    pub(super) fn new(endpoint: Endpoint<T>, breaker: EndpointBreaker) -> Self {
        Self {
            breaker,
            busy_until: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            check: endpoint.check,
            checker: OnceLock::new(),
            failures: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            latency: Latency::default(),
            max_in_flight: endpoint.max_in_flight,
            name: endpoint.name,
            no_probe_before: AtomicU64::new(0),
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
            probed_in_vain: until(&self.no_probe_before, now).is_some(),
        })
    }

    /// Whether its breaker rejects for sure.
    pub(super) fn rejects(&self) -> bool {
        self.breaker.rejection().is_some()
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
        let permit = OwnedPermit::try_acquire(&self.breaker).ok();
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

    fn back_off(&self, asked: Duration, now: Instant) {
        let until = now + asked.min(self.breaker.retry_after_cap());
        put_off(&self.busy_until, until);
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

    /// It was probed and its breaker is none the wiser. The next call would be a
    /// probe, too, and the one after that.
    fn note_vain_probe(&self, now: Instant);

    fn leave(&self);
}

impl<T: Send + Sync> Berth for Slot<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn hear(&self, verdict: Verdict, took: Duration, now: Instant) {
        match verdict {
            Verdict::Success => self.latency.observe(took, now),
            Verdict::NotSent | Verdict::Sent | Verdict::ServerError(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.latency.penalize(took.max(PENALTY), now);
            }
            // Nothing that would tell this endpoint from its siblings.
            Verdict::Ambiguous | Verdict::Final | Verdict::OutOfResources => return,
            Verdict::Limited { retry_after } | Verdict::Pushback { retry_after } => {
                match retry_after.filter(|asked| !asked.is_zero()) {
                    Some(asked) => self.back_off(asked, now),
                    None => self.latency.penalize(took.max(BUSY), now),
                }
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn hear_no_end(&self, took: Duration, now: Instant) {
        self.latency.at_least(took, now);
    }

    fn note_vain_probe(&self, now: Instant) {
        put_off(&self.no_probe_before, now + NEXT_PROBE_AFTER);
    }

    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a failure counts for, however fast it came: an endpoint that fails fast
/// must not look like the best one (linkerd's load biaser has such a penalty).
const PENALTY: Duration = Duration::from_secs(1);

/// What pushback counts for from an endpoint that does not say how long it is busy:
/// no breaker opens by it (linkerd's penalty, of five seconds, is for both).
const BUSY: Duration = Duration::from_secs(5);

/// How long after a probe in vain there is another one.
const NEXT_PROBE_AFTER: Duration = Duration::from_secs(1);
