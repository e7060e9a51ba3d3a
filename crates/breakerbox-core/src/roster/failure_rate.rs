use std::time::Duration;

/// How many of an endpoint's recent calls failed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FailureRate {
    calls: u32,
    failures: u32,
    in_a_row: u32,
}

impl FailureRate {
    /// No call has ended.
    pub const UNKNOWN: Self = Self::of(0, 0);

    /// So many failures of so many calls.
    ///
    /// # Panics
    ///
    /// If there are more failures than calls.
    #[must_use]
    #[inline]
    pub const fn of(failures: u32, calls: u32) -> Self {
        assert!(failures <= calls, "only calls fail");
        Self {
            calls,
            failures,
            in_a_row: 0,
        }
    }

    /// The same, where so many of the failures came last, one after another.
    #[must_use]
    #[inline]
    pub const fn in_a_row(mut self, failures: u32) -> Self {
        self.in_a_row = failures;
        self
    }

    /// Returns how many calls failed.
    #[must_use]
    pub const fn failures(self) -> u32 {
        self.failures
    }

    /// Returns how many calls there were.
    #[must_use]
    pub const fn calls(self) -> u32 {
        self.calls
    }

    /// Returns whether so many of the latest calls failed, one after another, that it is
    /// hardly by chance.
    #[must_use]
    pub const fn fails_on_and_on(self) -> bool {
        self.in_a_row >= ON_AND_ON
    }

    /// Returns whether the latest call failed.
    #[inline]
    pub(super) fn failed_last(self) -> bool {
        self.in_a_row > 0
    }

    /// Returns whether the latest calls failed: two of them, because one alone happens to
    /// any endpoint.
    #[inline]
    pub(super) fn is_failing(self) -> bool {
        self.in_a_row >= 2
    }

    /// Returns how much latency the failures of two endpoints are worth when these are
    /// compared, in nanoseconds.
    ///
    /// Failures that chance explains are worth nothing. Where it does not, a failure is
    /// worth [`PENALTY`], as often as there is one.
    #[inline]
    pub(super) fn penalties(self, other: Self) -> [u64; 2] {
        if self.failures == 0 && other.failures == 0 {
            return [0, 0];
        }
        let differs = self.differs_from(other);
        [(self, other), (other, self)].map(|(own, others)| {
            if own.has_died_beside(others) {
                PENALTY.as_nanos() as u64
            } else if differs {
                own.penalty()
            } else {
                0
            }
        })
    }

    /// Returns whether the failures in a row would be one chance in 67 million for an
    /// endpoint that fails as often as the other one: four of them beside one that fails
    /// once in a hundred calls, six beside one that fails five times.
    fn has_died_beside(self, other: Self) -> bool {
        let row = self.in_a_row.min(LONGEST_ROW);
        // Few calls tell little, so a hundred more are assumed, one of which failed.
        let failures = u128::from(other.failures) + 1;
        let calls = u128::from(other.calls) + 100;
        row > 0 && failures.pow(row) << 26 < calls.pow(row)
    }

    /// Returns whether two endpoints fail at different rates, as far as so few calls
    /// can tell.
    ///
    /// Of two that fail alike one always happens to have failed more often. If that
    /// decided, it would get no calls, and then the other one. So the difference has
    /// to be four times its standard error: this is the pooled test of two
    /// proportions, with the divisions multiplied out. The worse one has one failure
    /// forgiven, because a single failure of few calls proves nothing.
    fn differs_from(self, other: Self) -> bool {
        let [a, b] = [self, other].map(|it| (u64::from(it.failures), u64::from(it.calls)));
        let (worse, better) = if a.0 * b.1 > b.0 * a.1 {
            (a, b)
        } else {
            (b, a)
        };
        let forgiven = (worse.0.saturating_sub(1), worse.1);
        let difference = (forgiven.0 * better.1).saturating_sub(better.0 * forgiven.1);
        let (failures, calls) = (forgiven.0 + better.0, forgiven.1 + better.1);
        let chance = u128::from(failures * (calls - failures)) * u128::from(worse.1 * better.1);
        let squared = u128::from(difference) * u128::from(difference);
        difference > 0 && squared * u128::from(calls) > SQUARED_STANDARD_ERRORS * chance
    }

    fn penalty(self) -> u64 {
        let penalty = PENALTY.as_nanos() as u64 * u64::from(self.failures);
        penalty / u64::from(self.calls.max(1))
    }
}

/// The latency that a failure is worth, however fast it came: an endpoint that fails
/// fast must not look like the best one. (linkerd's load biaser has this penalty.)
const PENALTY: Duration = Duration::from_secs(5);

/// Of four: endpoints that are alike differ by that every few hours, if they are busy.
const SQUARED_STANDARD_ERRORS: u128 = 16;

/// More than opens a breaker that nobody configured. One chance in 3,000 where 45 of 100
/// calls fail.
const ON_AND_ON: u32 = 10;

/// Every breaker of a pool that nobody configured has opened by then.
const LONGEST_ROW: u32 = 6;
