use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::moment::Moment;

/// When this process was last out of something that the pool's calls needed.
///
/// A process without files fails each of its calls, and a line for each would be worse
/// than none. So there is one for each time that it happens, which ends when nothing
/// has failed for a minute.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    /// 0 for never.
    latest: AtomicU64,
}

impl Shortage {
    /// A call failed by it. Returns whether it is the first of a time.
    pub(super) fn is_new(&self, now: Instant) -> bool {
        let bits = Moment::bits(Some(Moment::of(now)));
        // Relaxed: it stands alone.
        let before = self.latest.fetch_max(bits, Ordering::Relaxed);
        let before = Moment::from_bits(before).map(Moment::instant);
        before.is_none_or(|before| now.saturating_duration_since(before) >= OVER_AFTER)
    }
}

const OVER_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r61_a_shortage_is_new_once_in_a_time() {
        let (shortage, now) = (Shortage::default(), Instant::now());
        let after = |seconds| shortage.is_new(now + Duration::from_secs(seconds));
        let told = [0, 0, 59, 118, 178, 179].map(after);
        assert_eq!(told, [true, false, false, false, true, false]);
    }
}
