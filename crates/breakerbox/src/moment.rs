//! An instant in 61 bits, so that a word has room for what it is about.

use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

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

/// A day before it is first asked for: before all instants that matter.
static LONG_AGO: LazyLock<Instant> = LazyLock::new(|| {
    let first = Instant::now();
    first.checked_sub(DAY).unwrap_or(first)
});

const DAY: Duration = Duration::from_secs(86_400);

/// 73 years on.
const LATEST: u64 = u64::MAX >> 3;
