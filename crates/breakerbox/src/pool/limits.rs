use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::lock;
use crate::moment::Moment;

/// Until when an endpoint wants nothing more of a key, or of anybody.
///
/// An upstream that limits a customer does not limit the others, so a limit holds for
/// the key of the call that met it. A call without a key stands for all.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The end of the last limit of any key. After that a pick does not look for its own
    /// key.
    any_key: Deadline,
    everybody: Deadline,
    keys: Mutex<BTreeMap<u64, Instant>>,
}

impl Limits {
    /// Puts a limit on the calls of this key, or on all.
    pub(super) fn limit(&self, key: Option<u64>, until: Instant, now: Instant) {
        let Some(key) = key else {
            return self.everybody.put_off(until);
        };
        lock::with(&self.keys, |keys| {
            if keys.len() >= MOST_KEYS {
                keys.retain(|_, until| *until > now);
            }
            if keys.len() < MOST_KEYS || keys.contains_key(&key) {
                let at = keys.entry(key).or_insert(until);
                *at = (*at).max(until);
            }
        });
        // A pick that does not see it yet is one that came before.
        self.any_key.put_off(until);
    }

    /// Returns until when calls of this key are not wanted, if they are not.
    pub(super) fn until(&self, key: Option<u64>, now: impl Into<Moment>) -> Option<Instant> {
        let now = now.into();
        let everybody = self.everybody.at(now);
        let Some(key) = key.filter(|_| self.any_key.at(now).is_some()) else {
            return everybody;
        };
        let until = lock::with(&self.keys, |keys| keys.get(&key).copied());
        everybody.max(until.filter(|until| *until > now.instant()))
    }
}

/// An instant that is only ever put off; none to begin with.
#[derive(Debug, Default)]
pub(super) struct Deadline(AtomicU64);

impl Deadline {
    /// Returns the instant, if it is still to come.
    pub(super) fn at(&self, now: impl Into<Moment>) -> Option<Instant> {
        let at = Moment::from_bits(self.0.load(Ordering::Relaxed))?;
        (at.number() > now.into().number()).then(|| at.instant())
    }

    pub(super) fn put_off(&self, until: Instant) {
        let bits = Moment::bits(Some(Moment::of(until)));
        self.0.fetch_max(bits, Ordering::Relaxed);
    }
}

/// How many keys an endpoint may limit at once. Beyond that a limited key is asked
/// again, which its upstream answers with the limit.
const MOST_KEYS: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn r60_a_limit_holds_for_its_key_and_one_without_a_key_for_all() {
        let (limits, now) = (Limits::default(), Instant::now());
        limits.limit(Some(1), now + 5 * SECOND, now);
        limits.limit(Some(1), now + 3 * SECOND, now);
        let left = |key, now: Instant| limits.until(key, now).map(|until| (until - now).as_secs());
        assert_eq!(left(Some(1), now), Some(5));
        assert_eq!([left(Some(2), now), left(None, now)], [None, None]);
        assert_eq!(left(Some(1), now + 5 * SECOND), None);
        limits.limit(None, now + 2 * SECOND, now);
        assert_eq!(left(Some(2), now), Some(2));
        assert_eq!(left(Some(1), now), Some(5));
    }

    #[test]
    fn r60_keys_that_are_limited_take_a_bounded_memory() {
        let (limits, now) = (Limits::default(), Instant::now());
        for key in 0..2 * MOST_KEYS as u64 {
            limits.limit(Some(key), now + SECOND, now);
        }
        let kept = lock::with(&limits.keys, |keys| keys.len());
        assert_eq!(kept, MOST_KEYS);
        limits.limit(Some(u64::MAX), now + 5 * SECOND, now + 2 * SECOND);
        let later = now + 2 * SECOND;
        assert!(limits.until(Some(u64::MAX), later).is_some());
        assert_eq!(lock::with(&limits.keys, |keys| keys.len()), 1);
    }
}
