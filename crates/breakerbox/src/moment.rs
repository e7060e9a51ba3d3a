//! An instant in 61 bits, so that a word has room for what it is about.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::clock;

/// Nanoseconds since long ago.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(NonZeroU64);

impl Moment {
    pub(crate) fn of(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(*LONG_AGO);
        // Without the 128 bits of `as_nanos`: a rejection in Open pays for this.
        let nanos = since
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(since.subsec_nanos().into())
            .clamp(1, LATEST);
        Self(NonZeroU64::new(nanos).expect("it is at least 1"))
    }

    pub(crate) fn instant(self) -> Instant {
        *LONG_AGO + Duration::from_nanos(self.0.get())
    }

    /// Returns whether the moment has passed.
    ///
    /// It is faster to compare two instants than to find the number of one, so each
    /// thread remembers the instant of the last moment that it asked about. Rejections
    /// by an Open breaker and failures in a window of time pay for this.
    #[inline(never)]
    pub(crate) fn has_passed(self) -> bool {
        let (number, instant) = LAST.get();
        let instant = match instant {
            Some(instant) if number == self.number() => instant,
            _ => self.remember(),
        };
        clock::now() >= instant
    }

    #[cold]
    fn remember(self) -> Instant {
        let instant = self.instant();
        LAST.set((self.number(), Some(instant)));
        instant
    }

    /// Its number, from 1 to below 2^61.
    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }

    /// A moment or none, as a number below 2^61; 0 is none.
    #[inline]
    pub(crate) fn bits(moment: Option<Self>) -> u64 {
        moment.map_or(0, |moment| moment.0.get())
    }

    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self::of(instant)
    }
}

thread_local! {
    // Without a destructor, so that it can be read while a thread ends.
    static LAST: Cell<(u64, Option<Instant>)> = const { Cell::new((0, None)) };
}

/// A day before it is first asked for: before all instants that matter.
static LONG_AGO: LazyLock<Instant> = LazyLock::new(|| {
    let first = Instant::now();
    first.checked_sub(DAY).unwrap_or(first)
});

const DAY: Duration = Duration::from_secs(86_400);

/// 73 years on.
const LATEST: u64 = u64::MAX >> 3;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_moment_passes_at_its_own_time() {
        let now = clock::now();
        let [past, future] = [now, now + DAY].map(Moment::of);
        for _ in 0..2 {
            assert!(past.has_passed());
            assert!(past.has_passed(), "also as the one asked for last");
            assert!(!future.has_passed());
            assert!(!future.has_passed(), "also as the one asked for last");
        }
    }

    #[test]
    fn an_instant_is_the_moment_that_it_was() {
        let now = clock::now();
        assert_eq!(Moment::of(now).instant(), now);
        assert_eq!(Moment::bits(None), 0);
        assert!(Moment::bits(Some(Moment::of(now))) > 0);
    }
}
