use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::moment::Moment;

/// The most that a number has been of late: for about a second, then half of that
/// for each second more.
///
/// `most:32 at:32`, in units of about 134 ms (wraps after 18 years). All orderings
/// are relaxed: it stands alone.
#[derive(Debug, Default)]
pub(super) struct Peak(AtomicU64);

impl Peak {
    /// The number is this now.
    pub(super) fn raise(&self, number: u64, now: Instant) {
        let tick = tick(now);
        if number < self.most_at(tick) {
            return;
        }
        let number = number.min(u64::from(u32::MAX));
        // One that is raised by two at once may lose a little, for a moment.
        self.0
            .store(number << 32 | u64::from(tick), Ordering::Relaxed);
    }

    pub(super) fn most(&self, now: Instant) -> u64 {
        self.most_at(tick(now))
    }

    fn most_at(&self, tick: u32) -> u64 {
        let word = self.0.load(Ordering::Relaxed);
        // Another thread may have read the clock later, and have been here before.
        let age = tick.saturating_sub(word as u32);
        (word >> 32) >> (age / A_SECOND).min(32)
    }
}

fn tick(now: Instant) -> u32 {
    (Moment::bits(Some(Moment::of(now))) >> 27) as u32
}

/// In ticks.
const A_SECOND: u32 = 8;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn r53_what_was_in_flight_a_second_ago_still_counts_and_then_less_and_less() {
        let (now, peak) = (Instant::now(), Peak::default());
        peak.raise(100, now);
        peak.raise(3, now);
        let after = |millis| peak.most(now + Duration::from_millis(millis));
        assert_eq!([after(0), after(900), after(1_400)], [100, 100, 50]);
        assert_eq!(after(60_000), 0);
        peak.raise(60, now + Duration::from_millis(1_400));
        assert_eq!(after(1_400), 60);
    }
}
