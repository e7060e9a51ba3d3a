use std::time::Duration;

use crate::trip::Signal;
use crate::window::Shape;
use crate::{Abandoned, Backoff, Orphaned, Ramp, Ratio, TripPolicy, Window, span};

mod error;
#[cfg(feature = "serde")]
mod file;

pub use error::ConfigError;
#[cfg(feature = "serde")]
pub use file::ConfigFile;

/// How a breaker judges: a `Copy` value, made where it is used or in a `const`.
///
/// Single values that make no sense, such as a window of no length, panic in
/// the function that takes them, which in a `const` is at compile time. Values
/// that make no sense together are refused with a [`ConfigError`] by whatever
/// is to use the configuration.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use breakerbox_core::{Backoff, BreakerConfig, Ratio, TripPolicy, Window};
///
/// const PAYMENTS: BreakerConfig = BreakerConfig::new()
///     .trip_on(TripPolicy::consecutive_failures(6).or(TripPolicy::failure_rate(Ratio::percent(50), 20)))
///     .window(Window::rolling(Duration::from_secs(10), 10))
///     .open_for(Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60)))
///     .probes(3);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a configuration does nothing until a breaker is given it"]
pub struct BreakerConfig {
    pub(crate) abandoned: Abandoned,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) healthy_span: Duration,
    pub(crate) open_for: Backoff,
    pub(crate) orphaned: Orphaned,
    pub(crate) probe_deadline: Option<Duration>,
    pub(crate) probes: u16,
    pub(crate) ramp: Option<Ramp>,
    pub(crate) retry_after_cap: Duration,
    pub(crate) slow_after: Option<Duration>,
    pub(crate) trip: TripPolicy,
    pub(crate) window: Window,
}

impl BreakerConfig {
    /// What you would run in production, for a call that takes under a second.
    ///
    /// | what | default | why, and whose |
    /// |---|---|---|
    /// | [`trip_on`](Self::trip_on) | 6 failures in a row, or 50 % failed of at least 20 | the first finds a dead peer in a quiet service (gobreaker's default), the second a sick one in a busy service (Hystrix's) |
    /// | [`window`](Self::window) | rolling, 10 s in 10 slices | long enough for 20 calls at 2 a second, short enough to forget the last outage (Hystrix's) |
    /// | [`open_for`](Self::open_for) | 1 s doubling to 60 s, jitter 20 % | a restarted peer is found within a second, one that stays down is asked once a minute (gobreaker's 60 s), and a fleet does not ask in step |
    /// | [`healthy_span`](Self::healthy_span) | 60 s | a breaker that flaps keeps its long openings until it has held for a minute each (Envoy's ejection multiplier decays like this) |
    /// | [`probes`](Self::probes) | 3 | one lucky answer is no recovery |
    /// | [`probe_deadline`](Self::probe_deadline) | 30 s | a probe that never returns must not wedge the breaker; longer than most timeouts, so that it is the call's own timeout that judges |
    /// | [`ramp`](Self::ramp) | none | the probes have shown that the peer answers; for one with cold caches set a ramp |
    /// | [`abandoned`](Self::abandoned) | ignored | who hangs up says nothing about the other side |
    /// | [`retry_after_cap`](Self::retry_after_cap) | 300 s | a peer that asks for an hour by mistake is asked again after five minutes |
    /// | [`call_timeout`](Self::call_timeout), [`slow_after`](Self::slow_after) | none | your HTTP client has a timeout of its own, and timing a call costs more than all else a breaker does |
    /// | [`orphaned`](Self::orphaned) | admit | a breaker that lost its owner must not become the outage |
    pub const fn new() -> Self {
        Self {
            abandoned: Abandoned::Ignored,
            call_timeout: None,
            healthy_span: Duration::from_secs(60),
            open_for: Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60))
                .jitter(Ratio::percent(20)),
            orphaned: Orphaned::Admit,
            probe_deadline: Some(Duration::from_secs(30)),
            probes: 3,
            ramp: None,
            retry_after_cap: Duration::from_secs(300),
            slow_after: None,
            trip: TripPolicy::consecutive_failures(6)
                .or(TripPolicy::failure_rate(Ratio::percent(50), 20)),
            window: Window::rolling(Duration::from_secs(10), 10),
        }
    }

    /// The defaults of `sony/gobreaker`, for who comes from there.
    ///
    /// Opens on the 6th failure in a row, without a window, for 60 s each time;
    /// one probe decides, however long it takes. For gobreaker's rolling
    /// window set [`window`](Self::window).
    pub const fn gobreaker() -> Self {
        Self {
            open_for: Backoff::fixed(Duration::from_secs(60)),
            probe_deadline: None,
            probes: 1,
            trip: TripPolicy::consecutive_failures(6),
            window: Window::unbounded(),
            ..Self::new()
        }
    }

    /// What a permit counts as that is dropped unsettled.
    pub const fn abandoned(mut self, abandoned: Abandoned) -> Self {
        self.abandoned = abandoned;
        self
    }

    /// How long [`call`](../breakerbox/struct.Breaker.html#method.call) waits
    /// for a call before it gives it up as a failure; no limit unless set.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = Some(span::checked(limit));
        self
    }

    /// After how long in Closed without a trip one past opening is forgotten.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn healthy_span(mut self, span: Duration) -> Self {
        self.healthy_span = span::checked(span);
        self
    }

    /// How long the breaker stays Open, the n-th time in a row.
    pub const fn open_for(mut self, backoff: Backoff) -> Self {
        self.open_for = backoff;
        self
    }

    /// What callers get if the breaker's owner keeps crashing and is given up.
    pub const fn orphaned(mut self, orphaned: Orphaned) -> Self {
        self.orphaned = orphaned;
        self
    }

    /// How long a probe may take before it counts as a failure.
    ///
    /// One whose answer is streamed, and has begun by half of that time, counts as
    /// a success then: its end may be hours away.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn probe_deadline(mut self, span: Duration) -> Self {
        self.probe_deadline = Some(span::checked(span));
        self
    }

    /// How many calls HalfOpen admits, and how many of them must succeed: all.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub const fn probes(mut self, probes: u16) -> Self {
        assert!(
            probes > 0,
            "a breaker needs at least 1 probe to close again"
        );
        self.probes = probes;
        self
    }

    /// How admission grows after closing; all at once unless set.
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// How far a failure's `retry_after` may lengthen an opening.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn retry_after_cap(mut self, cap: Duration) -> Self {
        self.retry_after_cap = span::checked(cap);
        self
    }

    /// From how long on a call is slow; calls are not timed unless set.
    ///
    /// Of an answer that is streamed the beginning counts: how fast it is read on
    /// is up to its reader.
    ///
    /// Only [`TripPolicy::slow_rate`] does something about it; without that
    /// signal slow calls are counted and no more. Each call then reads the clock
    /// twice.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    pub const fn slow_after(mut self, span: Duration) -> Self {
        self.slow_after = Some(span::checked(span));
        self
    }

    /// When the breaker opens.
    pub const fn trip_on(mut self, policy: TripPolicy) -> Self {
        self.trip = policy;
        self
    }

    /// Lets a probe take as long as it likes, as gobreaker does.
    ///
    /// A probe that never returns then keeps its place for ever, and with all
    /// of them gone the breaker stays HalfOpen until it is reset.
    pub const fn without_probe_deadline(mut self) -> Self {
        self.probe_deadline = None;
        self
    }

    /// Which verdicts the trip policy sees.
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Refuses what makes sense by itself but not together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the first contradiction.
    pub fn refuse_contradictions(&self) -> Result<(), ConfigError> {
        if self.trip.watches_pace() {
            self.refuse_if_nothing_is_slow()?;
        }
        let Shape::Last { calls } = self.window.0 else {
            return Ok(());
        };
        for signal in self.trip.signals() {
            let (key, needed) = match signal {
                Signal::ConsecutiveFailures { failures } => ("trip.consecutive_failures", failures),
                Signal::FailureRate { min_calls, .. } => ("trip.failure_rate", min_calls),
                Signal::SlowRate { min_calls, .. } => ("trip.slow_rate", min_calls),
                Signal::Custom(_) | Signal::InFlight { .. } => continue,
            };
            if needed > calls {
                return Err(ConfigError::never_trips(key, needed, calls));
            }
        }
        Ok(())
    }

    fn refuse_if_nothing_is_slow(&self) -> Result<(), ConfigError> {
        match (self.slow_after, self.call_timeout) {
            (None, _) => Err(ConfigError::nothing_is_slow()),
            (Some(slow), Some(limit)) if slow > limit => {
                Err(ConfigError::cut_off_before_slow(slow, limit))
            }
            (Some(_), _) => Ok(()),
        }
    }

    /// How long a call may take, if there is a limit.
    #[must_use]
    pub const fn limit_of_calls(&self) -> Option<Duration> {
        self.call_timeout
    }

    /// How far a `retry_after` is obeyed.
    #[must_use]
    pub const fn most_retry_after(&self) -> Duration {
        self.retry_after_cap
    }

    /// From how long on a call is slow, if calls are timed.
    #[must_use]
    pub const fn slowness(&self) -> Option<Duration> {
        self.slow_after
    }

    /// Whether it matters how long calls take, so that they read the clock.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.slow_after.is_some() || matches!(self.abandoned, Abandoned::FailureAfter(_))
    }

    /// What a permit counts as that is dropped unsettled.
    #[must_use]
    pub const fn on_abandoned(&self) -> Abandoned {
        self.abandoned
    }

    /// What callers get if the owner is gone for good.
    #[must_use]
    pub const fn on_orphaned(&self) -> Orphaned {
        self.orphaned
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self::new()
    }
}
