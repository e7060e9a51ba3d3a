use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use breakerbox_core::{EndpointId, Load, RejectReason, State, Verdict};

use super::answer_history::AnswerHistory;
use super::failure_rate::RecentFailures;
use super::latency::Latency;
use super::limits::{Deadline, Limits};
use super::renewal::Renewal;
use super::search::{Pushback, Search};
use super::shared::Shared;
use super::{Endpoint, HealthCheck};
use crate::OwnedPermit;
use crate::breaker::EndpointBreaker;
use crate::moment::Moment;
use crate::supervisor::ChildKey;

/// An endpoint as its pool's callers share it.
///
/// Orderings are relaxed where nothing is published by a number and none depends on
/// another, which is so for all but the counts of calls and failures.
pub(super) struct Slot<T> {
    /// When it last answered; 0 for never.
    answered_at: AtomicU64,
    answers: AnswerHistory,
    /// Not a handle, which would keep the box alive from within.
    pub(super) breaker: EndpointBreaker,
    /// Until when it asked to be left alone.
    busy: Deadline,
    /// How many calls were judged, ever.
    calls: AtomicU64,
    pub(super) check: Option<Arc<dyn HealthCheck<T>>>,
    /// The child that checks it, once there is one.
    pub(super) checker: OnceLock<ChildKey>,
    failures: AtomicU64,
    in_flight: AtomicU32,
    /// When it was last picked; 0 for never.
    last_pick: AtomicU64,
    latency: Latency,
    limits: Limits,
    max_in_flight: u32,
    pub(super) name: Arc<str>,
    /// The instant from which it is probed even while others are available.
    no_probe_before: Deadline,
    pool: Weak<Shared<T>>,
    recent_failures: RecentFailures,
    pub(super) renewal: Option<Renewal<T>>,
    /// The calls and failures that the owner knows.
    score: [AtomicU64; 2],
    pub(super) value: T,
}

impl<T> Slot<T> {
    pub(super) fn new(
        endpoint: Endpoint<T>,
        breaker: EndpointBreaker,
        pool: Weak<Shared<T>>,
    ) -> Self {
        Self {
            answered_at: AtomicU64::new(0),
            answers: AnswerHistory::default(),
            breaker,
            busy: Deadline::default(),
            calls: AtomicU64::new(0),
            check: endpoint.check,
            checker: OnceLock::new(),
            failures: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            last_pick: AtomicU64::new(0),
            latency: Latency::default(),
            limits: Limits::default(),
            max_in_flight: endpoint.max_in_flight,
            name: endpoint.name,
            no_probe_before: Deadline::default(),
            pool,
            recent_failures: RecentFailures::default(),
            renewal: endpoint.renew.map(Renewal::new),
            score: Default::default(),
            value: endpoint.value,
        }
    }

    /// Returns how busy it is; None if it has all the calls that it may have, or wants
    /// to be left alone.
    pub(super) fn load(&self, search: &Search<'_>) -> Option<Load> {
        let in_flight = self.in_flight();
        if in_flight >= self.max_in_flight || self.wants_none_before(search).is_some() {
            return None;
        }
        let now = search.moment;
        Some(Load {
            failure_rate: self.recent_failures.rate(now),
            in_flight,
            // One call at a time may find out anew.
            latency: match in_flight {
                0 => self.latency.recent(now),
                _ => self.latency.estimate(now),
            },
            probed_in_vain: self.no_probe_before.at(now).is_some(),
            since_pick: self.since_pick(now),
        })
    }

    /// Returns until when it wants to be left alone, if it does.
    fn wants_none_before(&self, search: &Search<'_>) -> Option<Instant> {
        let limited = self.limits.until(search.wish.key, search.moment);
        match search.pushback {
            Pushback::Obeyed => limited.max(self.busy.at(search.moment)),
            Pushback::Overruled => limited,
        }
    }

    /// Returns why it did not take a call.
    pub(super) fn obstacle(&self, search: &Search<'_>) -> Obstacle {
        if self.rejects() || self.is_limited(search) {
            Obstacle::Rejects
        } else if self.busy.at(search.moment).is_some() {
            Obstacle::Busy
        } else if self.in_flight() >= self.max_in_flight {
            Obstacle::Full
        } else {
            // Its breaker was asked, and admits some calls only, as one that ramps.
            Obstacle::Rejects
        }
    }

    fn is_limited(&self, search: &Search<'_>) -> bool {
        self.limits.until(search.wish.key, search.moment).is_some()
    }

    /// Returns how good a last resort it is, the best one least; None if it is none: its
    /// breaker was not opened by answers alone, it is full, or it limits the key.
    ///
    /// One that fails on and on comes last: it fails fast, so it is never busy, and has
    /// always answered a moment ago.
    pub(super) fn rank_as_last_resort(&self, search: &Search<'_>, tier: u8) -> Option<Rank> {
        let reason = self.breaker.rejection()?.reason();
        let is_open = matches!(reason, RejectReason::HalfOpen | RejectReason::Open);
        let in_flight = self.in_flight();
        let may = in_flight < self.max_in_flight && !self.is_limited(search);
        let rank = Rank {
            fails: self.recent_failures.rate(search.moment).fails_on_and_on(),
            is_busy: self.busy.at(search.moment).is_some(),
            tier,
            in_flight,
            answered_at: Reverse(self.answered_at.load(Ordering::Relaxed)),
        };
        let answers = self.answers.fails_by_answers() && self.breaker.is_opened_by_failures();
        (is_open && may && answers).then_some(rank)
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
        self.recent_failures.forget();
    }

    /// Returns the instant from which it is worth another try; None where nobody knows.
    pub(super) fn retry_at(&self, search: &Search<'_>) -> Option<Instant> {
        self.wants_none_before(search).max(self.breaker.retry_at())
    }

    /// In nanoseconds; None if it never was picked.
    fn since_pick(&self, now: Moment) -> Option<u64> {
        let last = Moment::from_bits(self.last_pick.load(Ordering::Relaxed))?;
        Some(now.number().saturating_sub(last.number()))
    }

    /// Takes part in one call more, if it may and its breaker admits it.
    pub(super) fn enter(&self, now: Moment) -> Option<OwnedPermit> {
        if !self.enter_beside_breaker() {
            return None;
        }
        let permit = OwnedPermit::try_acquire(&self.breaker).ok();
        if permit.is_some() {
            self.last_pick.store(now.number(), Ordering::Relaxed);
        } else {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        permit
    }

    /// Takes part in one call more, if it may, without asking its breaker. Returns
    /// whether it does.
    pub(super) fn enter_beside_breaker(&self) -> bool {
        let one_more = |calls| (calls < self.max_in_flight).then(|| calls + 1);
        let entered = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        entered.is_ok()
    }

    /// Lets go of the connections that opened the breaker, if this call is a probe of
    /// it and no other has done so. Connections that bring answers are alive.
    pub(super) fn renew_for(&self, permit: &OwnedPermit) {
        if let Some(renewal) = &self.renewal
            && let Some(generation) = permit.probe_generation()
            && !self.answers.fails_by_answers()
        {
            renewal.before_probe(generation, &self.value);
        }
    }

    /// Returns the calls and the failures since this was last asked, which only the
    /// owner does.
    pub(super) fn take_score(&self) -> (u64, u64) {
        // A failure whose call is yet to be counted counts as one the next time.
        let now = [&self.failures, &self.calls].map(|number| number.load(Ordering::Relaxed));
        let before = [0, 1].map(|which| self.score[which].swap(now[which], Ordering::Relaxed));
        let [failures, calls] = [0, 1].map(|which| now[which] - before[which]);
        (calls.max(failures), failures)
    }

    /// Returns how many calls were judged, ever, and how many of them succeeded.
    pub(super) fn judged(&self) -> (u64, u64) {
        // The calls first. A failure is counted before its call, so one that happens
        // meanwhile never looks like a success. Acquire: pairs with `record`.
        let calls = self.calls.load(Ordering::Acquire);
        let failures = self.failures.load(Ordering::Relaxed);
        (calls, calls.saturating_sub(failures))
    }

    /// What its breaker does with calls, whoever says so.
    pub(super) fn state(&self) -> State {
        self.breaker.effective_state()
    }

    /// Returns until when it wants to be left alone that asks for so long.
    fn back_at(&self, asked: Duration, now: Instant) -> Instant {
        now + asked.min(self.breaker.retry_after_cap())
    }
}

/// Why an endpoint that may serve did not take a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Obstacle {
    /// It asked to be left alone.
    Busy,
    /// It has all the calls that it may have.
    Full,
    /// Its breaker rejects, or it limits the key of the call.
    Rejects,
}

/// How good a last resort an endpoint is. What comes first matters most.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Rank {
    fails: bool,
    is_busy: bool,
    tier: u8,
    in_flight: u32,
    answered_at: Reverse<u64>,
}

/// An endpoint in the eyes of a call that is at it, whatever its value.
pub(super) trait Berth: Send + Sync {
    fn name(&self) -> &str;

    /// Records that the endpoint gave an answer, whose end may still be to come.
    fn record_answer(&self, now: Instant);

    /// Records what a call says about the others that breakers reject.
    fn record_evidence(&self, verdict: Verdict, now: Instant);

    /// Records that a call of `key` was answered after so long, and ended like this.
    fn record(&self, verdict: Verdict, key: Option<u64>, took: Duration, now: Instant);

    /// Returns whether a call that began then and is dropped now is the endpoint's
    /// failure.
    fn fails_by_abandoned(&self, since: Instant) -> bool;

    /// Records that a call was given up after so long, which is the least it would have
    /// taken.
    fn record_no_end(&self, took: Duration, now: Instant);

    /// Records that it was probed and its breaker is none the wiser. The next call
    /// would be a probe, too, and the one after that.
    fn record_vain_probe(&self, now: Instant);

    /// Returns what an exchange counts as that broke off while its client had a part in
    /// it.
    fn judge_break(&self, id: EndpointId, client: Option<u64>) -> Verdict;

    fn leave(&self);
}

impl<T: Send + Sync> Berth for Slot<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn record_answer(&self, now: Instant) {
        self.answered_at
            .store(Moment::of(now).number(), Ordering::Relaxed);
    }

    fn record_evidence(&self, verdict: Verdict, now: Instant) {
        if self.rejects()
            && let Some(pool) = self.pool.upgrade()
        {
            pool.judge.record_while_rejecting(verdict, now);
        }
    }

    fn record(&self, verdict: Verdict, key: Option<u64>, took: Duration, now: Instant) {
        let moment = Moment::of(now);
        if verdict.is_answer() {
            self.answered_at.store(moment.number(), Ordering::Relaxed);
        }
        match verdict {
            // Nothing that would tell this endpoint from its siblings.
            Verdict::Ambiguous | Verdict::Final => return,
            Verdict::OutOfResources => {
                if let Some(pool) = self.pool.upgrade() {
                    pool.judge.warn_of_shortage(&pool.name, now);
                }
                return;
            }
            Verdict::Success => {
                self.answers.record_success(|| self.rejects());
                self.latency.observe(took, moment);
                self.recent_failures.record_success(moment);
            }
            Verdict::NotSent | Verdict::Sent => {
                self.answers.record_silence();
                self.record_failure(moment);
            }
            Verdict::ServerError(_) => {
                self.answers.record_answer();
                self.record_failure(moment);
            }
            Verdict::Limited { retry_after } => match retry_after {
                Some(asked) if !asked.is_zero() => {
                    self.limits.limit(key, self.back_at(asked, now), now);
                }
                _ => self.latency.penalize(took.max(BUSY), moment),
            },
            Verdict::Pushback { retry_after } => match retry_after {
                Some(asked) if !asked.is_zero() => self.busy.put_off(self.back_at(asked, now)),
                _ => self.latency.penalize(took.max(BUSY), moment),
            },
        }
        // Release: whoever sees the call sees its failure; see `judged`.
        self.calls.fetch_add(1, Ordering::Release);
    }

    fn fails_by_abandoned(&self, since: Instant) -> bool {
        self.breaker.abandoned(Some(since)).is_failure()
    }

    fn record_no_end(&self, took: Duration, now: Instant) {
        self.latency.at_least(took, now);
    }

    fn record_vain_probe(&self, now: Instant) {
        self.no_probe_before.put_off(now + NEXT_PROBE_AFTER);
    }

    fn judge_break(&self, id: EndpointId, client: Option<u64>) -> Verdict {
        let pool = self.pool.upgrade();
        pool.map_or(Verdict::Ambiguous, |pool| pool.judge_break(id, client))
    }

    fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> Slot<T> {
    fn record_failure(&self, now: Moment) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.recent_failures.record_failure(now);
    }
}

/// What pushback counts for from an endpoint that does not say how long it is busy:
/// no breaker opens by it. It is what an endpoint counts for that always fails.
const BUSY: Duration = Duration::from_secs(5);

/// How long after a probe in vain there is another one.
const NEXT_PROBE_AFTER: Duration = Duration::from_secs(1);
