use std::fmt;

use crate::{Counts, Ratio};

/// When a Closed breaker opens: on the first of up to eight signals.
///
/// It is asked when a failure has been counted, with that one included, and at
/// no other time: a success never opens a breaker. Custom signals are asked
/// last, and only where no other signal has opened the breaker.
///
/// # Examples
///
/// ```
/// use breakerbox_core::{Ratio, TripPolicy};
///
/// const TRIP: TripPolicy =
///     TripPolicy::consecutive_failures(6).or(TripPolicy::failure_rate(Ratio::percent(50), 20));
/// assert_eq!(TRIP.to_string(), "6 failures in a row, or 50 % failed of at least 20");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TripPolicy {
    signals: [Option<Signal>; MAX_SIGNALS],
}

impl TripPolicy {
    /// Opens on the `failures`-th failure in a row inside the window.
    ///
    /// # Panics
    ///
    /// If `failures` is zero.
    #[must_use]
    pub const fn consecutive_failures(failures: u32) -> Self {
        assert!(
            failures > 0,
            "a breaker opens on at least 1 failure in a row"
        );
        Self::on(Signal::ConsecutiveFailures { failures })
    }

    /// Opens when `decide` says so of the counts in the window.
    ///
    /// `decide` is called by the breaker's owner, never under a lock. Until it
    /// has answered, callers that await their verdict wait and other calls are
    /// admitted. If it panics the failure stays counted, the owner is restarted
    /// with all it knew, and `decide` is asked again on the next failure.
    ///
    /// Two custom policies are equal when they are the same function, which the
    /// compiler may merge with another one of the same code.
    #[must_use]
    pub const fn custom(decide: fn(&Counts) -> bool) -> Self {
        Self::on(Signal::Custom(Custom { decide }))
    }

    /// Opens when `rate` of at least `min_calls` successes and failures failed.
    ///
    /// Ignored calls and calls in flight are in neither number.
    ///
    /// # Panics
    ///
    /// If `rate` is zero, which any failure would reach, or `min_calls` is.
    #[must_use]
    pub const fn failure_rate(rate: Ratio, min_calls: u32) -> Self {
        assert!(!rate.is_zero(), "a failure rate is more than 0 percent");
        assert!(min_calls > 0, "a failure rate is taken of at least 1 call");
        Self::on(Signal::FailureRate { min_calls, rate })
    }

    /// Opens with the call that makes it `calls` in flight, which is admitted.
    ///
    /// Every call of such a breaker takes a place and gives it back, in a word
    /// that all callers share. It counts the calls of the living generation.
    ///
    /// # Panics
    ///
    /// If `calls` is less than 2, with which every call would open.
    #[must_use]
    pub const fn in_flight(calls: u16) -> Self {
        assert!(calls > 1, "a breaker opens on at least 2 calls in flight");
        Self::on(Signal::InFlight { calls })
    }

    /// Opens on either, and names the first that applies: this one before
    /// `other`, and custom ones after all others.
    ///
    /// # Panics
    ///
    /// If the two have more than eight signals together.
    #[must_use]
    pub const fn or(mut self, other: Self) -> Self {
        let mut from = 0;
        while from < MAX_SIGNALS {
            if let Some(signal) = other.signals[from] {
                let place = self.len();
                assert!(place < MAX_SIGNALS, "a trip policy has at most 8 signals");
                self.signals[place] = Some(signal);
            }
            from += 1;
        }
        self
    }

    /// Opens when `rate` of at least `min_calls` successes and failures were slow.
    ///
    /// What is slow is said by [`slow_after`](crate::BreakerConfig::slow_after).
    /// With this signal the policy is also asked when a slow call has succeeded,
    /// and a slow probe counts as a failed one.
    ///
    /// # Panics
    ///
    /// If `rate` is zero, or `min_calls` is.
    #[must_use]
    pub const fn slow_rate(rate: Ratio, min_calls: u32) -> Self {
        assert!(
            !rate.is_zero(),
            "a rate of slow calls is more than 0 percent"
        );
        assert!(
            min_calls > 0,
            "a rate of slow calls is taken of at least 1 call"
        );
        Self::on(Signal::SlowRate { min_calls, rate })
    }

    /// The first built-in signal that says open, of counts that have just gained a
    /// failure.
    pub(crate) fn judge(&self, counts: &Counts) -> Option<TripReason> {
        self.signals()
            .find(|signal| signal.is_reached_by(counts))
            .map(Signal::reason)
    }

    /// Whether a custom signal says open. This runs the user's code.
    pub(crate) fn ask_custom(&self, counts: &Counts) -> bool {
        self.signals().any(|signal| match signal {
            Signal::Custom(Custom { decide }) => decide(counts),
            _ => false,
        })
    }

    pub(crate) fn has_custom(&self) -> bool {
        self.signals()
            .any(|signal| matches!(signal, Signal::Custom(_)))
    }

    /// How many failures cannot open by their number, on top of these counts.
    ///
    /// None where failures must be judged one by one.
    pub(crate) fn folds(&self, counts: &Counts) -> Option<u64> {
        self.signals()
            .map(|signal| signal.folds(counts))
            .try_fold(u64::MAX, |least, folds| folds.map(|folds| least.min(folds)))
    }

    /// The shortest run of failures that opens, if one does.
    pub(crate) fn streak_at(&self) -> Option<u32> {
        let runs = self.signals().filter_map(|signal| match signal {
            Signal::ConsecutiveFailures { failures } => Some(failures),
            _ => None,
        });
        runs.min()
    }

    /// How many calls in flight open it, if that does.
    pub(crate) fn in_flight_limit(&self) -> Option<u16> {
        let limits = self.signals().filter_map(|signal| match signal {
            Signal::InFlight { calls } => Some(calls),
            _ => None,
        });
        limits.min()
    }

    /// Whether it matters how long calls take.
    pub(crate) fn watches_pace(&self) -> bool {
        self.signals()
            .any(|signal| matches!(signal, Signal::SlowRate { .. }))
    }

    pub(crate) fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        self.signals.iter().copied().flatten()
    }

    const fn on(signal: Signal) -> Self {
        let mut signals = [None; MAX_SIGNALS];
        signals[0] = Some(signal);
        Self { signals }
    }

    const fn len(&self) -> usize {
        let mut len = 0;
        while len < MAX_SIGNALS && self.signals[len].is_some() {
            len += 1;
        }
        len
    }
}

impl fmt::Display for TripPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, signal) in self.signals().enumerate() {
            if place > 0 {
                f.write_str(", or ")?;
            }
            signal.fmt(f)?;
        }
        Ok(())
    }
}

/// Which signal opened a breaker.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TripReason {
    /// Enough failures in a row.
    ConsecutiveFailures,
    /// A policy of the user's own.
    Custom,
    /// Too large a share of the calls failed.
    FailureRate,
    /// Too many calls were in flight.
    InFlight,
    /// Too large a share of the calls took long.
    SlowRate,
}

impl TripReason {
    /// The name on the wire, such as `consecutive_failures`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::Custom => "custom",
            Self::FailureRate => "failure_rate",
            Self::InFlight => "in_flight",
            Self::SlowRate => "slow_rate",
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    ConsecutiveFailures { failures: u32 },
    Custom(Custom),
    FailureRate { min_calls: u32, rate: Ratio },
    InFlight { calls: u16 },
    SlowRate { min_calls: u32, rate: Ratio },
}

impl Signal {
    fn is_reached_by(&self, counts: &Counts) -> bool {
        match *self {
            Self::ConsecutiveFailures { failures } => {
                counts.consecutive_failures >= failures.into()
            }
            Self::FailureRate { min_calls, rate } => {
                let judged = counts.judged();
                judged >= min_calls.into() && rate.is_reached_by(counts.failures, judged)
            }
            // One is asked by the owner, the other at admission.
            Self::Custom(_) | Self::InFlight { .. } => false,
            Self::SlowRate { min_calls, rate } => {
                let judged = counts.judged();
                judged >= min_calls.into() && rate.is_reached_by(counts.slow, judged)
            }
        }
    }

    /// How many failures it bears on top of these counts; None: it must be asked.
    ///
    /// A run of failures is bounded by [`TripPolicy::streak_at`] instead.
    fn folds(self, counts: &Counts) -> Option<u64> {
        match self {
            Self::ConsecutiveFailures { .. } | Self::InFlight { .. } => Some(u64::MAX),
            Self::Custom(_) => None,
            Self::FailureRate { min_calls, rate } => {
                let needed = rate.least_part(counts.successes, min_calls.into());
                Some(needed.map_or(u64::MAX, |needed| {
                    needed.saturating_sub(counts.failures + 1)
                }))
            }
            // Failures that are fast only make the share of slow ones smaller,
            // once there are enough calls at all.
            Self::SlowRate { min_calls, rate } => {
                let whole = u64::from(min_calls).max(counts.judged() + 1);
                let may_open = rate.is_reached_by(counts.slow, whole);
                Some(if may_open { 0 } else { u64::MAX })
            }
        }
    }

    fn reason(self) -> TripReason {
        match self {
            Self::ConsecutiveFailures { .. } => TripReason::ConsecutiveFailures,
            Self::Custom(_) => TripReason::Custom,
            Self::FailureRate { .. } => TripReason::FailureRate,
            Self::InFlight { .. } => TripReason::InFlight,
            Self::SlowRate { .. } => TripReason::SlowRate,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsecutiveFailures { failures } => write!(f, "{failures} failures in a row"),
            Self::Custom(_) => f.write_str("a policy of your own"),
            Self::FailureRate { min_calls, rate } => {
                write!(f, "{rate} failed of at least {min_calls}")
            }
            Self::InFlight { calls } => write!(f, "{calls} calls in flight"),
            Self::SlowRate { min_calls, rate } => {
                write!(f, "{rate} slow of at least {min_calls}")
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq)]
pub(crate) struct Custom {
    decide: fn(&Counts) -> bool,
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.decide, other.decide)
    }
}

const MAX_SIGNALS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: TripPolicy = TripPolicy::failure_rate(Ratio::percent(60), 5);

    #[test]
    fn r04_a_rate_is_of_successes_and_failures_and_never_rounded() {
        for (successes, failures, ignored, opens) in [
            (0, 4, 100, false),
            (0, 5, 0, true),
            (2, 3, 0, true),
            (3, 3, 0, false),
            (400_001, 600_000, 0, false),
            (400_000, 600_000, 0, true),
        ] {
            let counts = Counts {
                successes,
                failures,
                ignored,
                ..Counts::default()
            };
            assert_eq!(RATE.judge(&counts).is_some(), opens, "{counts:?}");
        }
    }

    #[test]
    fn the_first_signal_that_applies_is_the_reason() {
        let policy = TripPolicy::consecutive_failures(3)
            .or(RATE)
            .or(TripPolicy::custom(|_| true));
        let judge = |failures, consecutive_failures| {
            policy.judge(&Counts {
                failures,
                consecutive_failures,
                ..Counts::default()
            })
        };
        assert_eq!(judge(3, 3), Some(TripReason::ConsecutiveFailures));
        assert_eq!(judge(5, 2), Some(TripReason::FailureRate));
        assert_eq!(judge(1, 1), None, "a custom signal is asked apart");
    }

    #[test]
    #[should_panic(expected = "at most 8 signals")]
    fn a_ninth_signal_is_refused() {
        let four = RATE.or(RATE).or(RATE).or(RATE);
        let _ = four.or(four).or(RATE);
    }
}
