//! A rejection, small enough to cost nothing.
//!
//! A breaker that is Open is asked the more, the worse things are, and an
//! instant takes longer to compute than the rest of a rejection. So this is one
//! word, and what it means is computed when somebody asks.

use std::error::Error;
use std::fmt;
use std::time::{Duration, Instant};

use breakerbox_core::RejectReason;

use crate::clock;
use crate::moment::Moment;

/// A call was not admitted.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Rejected {
    /// `moment:61 reason:3`.
    word: u64,
}

impl Rejected {
    #[inline]
    pub(crate) fn new(reason: RejectReason, hint: Option<Moment>) -> Self {
        Self {
            word: Moment::bits(hint) << REASON_BITS | reason.code() as u64,
        }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> RejectReason {
        RejectReason::ALL[(self.word & ((1 << REASON_BITS) - 1)) as usize]
    }

    /// How long until another try is worth it, from now; None where nobody knows.
    ///
    /// A caller that waits exactly so long is admitted then, if a place is free.
    /// This reads the clock, and is at least a nanosecond.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.told().retry_after(clock::now())
    }

    /// From when on another try is worth it; None where nobody knows.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        Moment::from_bits(self.word >> REASON_BITS).map(Moment::instant)
    }

    /// The same, as the core tells it.
    fn told(&self) -> breakerbox_core::Rejected {
        breakerbox_core::Rejected::new(self.reason(), self.retry_at())
    }
}

impl Error for Rejected {}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

const REASON_BITS: u32 = 3;
const _: () = assert!(
    RejectReason::ALL.len() <= 1 << REASON_BITS,
    "the word has no room for so many reasons"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let now = Instant::now();
        for reason in RejectReason::ALL {
            let rejected = Rejected::new(reason, Some(Moment::of(now)));
            assert_eq!(rejected.reason(), reason);
            assert_eq!(rejected.retry_at(), Some(now));
            assert_eq!(Rejected::new(reason, None).retry_at(), None);
        }
    }
}
