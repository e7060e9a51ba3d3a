use std::time::Duration;

use crate::Ratio;
use crate::span;

/// How long to wait, the n-th time in a row: longer each time, up to a limit.
///
/// Used for how long a breaker stays open and for how long a supervisor waits
/// before it starts a child again. What it gives is shortened by a random part
/// of up to `jitter`, because a fleet that trips together must not come back
/// together; so `max` is really the most that is ever waited.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use breakerbox_core::{Backoff, Ratio};
///
/// const OPEN_FOR: Backoff =
///     Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60)).jitter(Ratio::percent(20));
/// assert_eq!(OPEN_FOR.longest(3), Duration::from_secs(4));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Backoff {
    factor: u32,
    initial: Duration,
    jitter: Ratio,
    max: Duration,
}

impl Backoff {
    /// The same span every time, without jitter.
    ///
    /// # Panics
    ///
    /// If the span is zero or longer than 100 years.
    #[must_use]
    pub const fn fixed(span: Duration) -> Self {
        Self {
            factor: 1,
            initial: span::checked(span),
            jitter: Ratio::percent(0),
            max: span,
        }
    }

    /// Doubles from `initial` up to `max`, without jitter.
    ///
    /// # Panics
    ///
    /// If a span is zero or longer than 100 years, or `initial` exceeds `max`.
    #[must_use]
    pub const fn exponential(initial: Duration, max: Duration) -> Self {
        assert!(
            initial.as_nanos() <= max.as_nanos(),
            "a backoff's initial span is at most its max"
        );
        Self {
            factor: 2,
            initial: span::checked(initial),
            jitter: Ratio::percent(0),
            max: span::checked(max),
        }
    }

    /// Multiplies by `factor` from one time to the next; 2 unless set.
    ///
    /// # Panics
    ///
    /// If the factor is zero.
    #[must_use]
    pub const fn factor(mut self, factor: u32) -> Self {
        assert!(factor > 0, "a backoff's factor is at least 1");
        self.factor = factor;
        self
    }

    /// Shortens each wait by a random part of up to `jitter`; none unless set.
    ///
    /// 100 % is what the AWS architecture blog calls full jitter ("Exponential
    /// Backoff And Jitter", 2015).
    #[must_use]
    pub const fn jitter(mut self, jitter: Ratio) -> Self {
        self.jitter = jitter;
        self
    }

    /// The wait before jitter, the `nth` time in a row, counted from 1.
    #[must_use]
    pub fn longest(&self, nth: u32) -> Duration {
        let steps = nth.saturating_sub(1);
        let factor = u128::from(self.factor).saturating_pow(steps);
        let nanos = self.initial.as_nanos().saturating_mul(factor);
        span::from_nanos(nanos.min(self.max.as_nanos()))
    }

    /// The wait, the `nth` time in a row, shortened by what `dice` say.
    #[must_use]
    pub fn wait(&self, nth: u32, dice: &mut Dice) -> Duration {
        let longest = self.longest(nth);
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        longest - Duration::from_nanos(dice.up_to(self.jitter.of(nanos)))
    }
}

/// A seeded source of jitter: the same seed gives the same waits.
///
/// The generator is `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014): a
/// counter and a mixing function, which is all that spreading deadlines needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice that fall as `seed` says.
    #[must_use]
    #[inline]
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number from 0 to `most`, both included.
    #[inline]
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        let scaled = u128::from(self.draw()) * (u128::from(most) + 1);
        u64::try_from(scaled >> 64)
            .expect("a 64-bit number times at most 2^64 has its high half in 64 bits")
    }

    /// 64 random bits.
    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_grows_by_its_factor_up_to_its_max() {
        let tripling = Backoff::exponential(SECOND, 30 * SECOND).factor(3);
        let waits: Vec<_> = (1..=5).map(|nth| tripling.longest(nth).as_secs()).collect();
        assert_eq!(waits, [1, 3, 9, 27, 30]);
        assert_eq!(tripling.longest(u32::MAX), 30 * SECOND);
    }

    #[test]
    fn jitter_shortens_within_its_share_and_follows_the_seed() {
        let backoff = Backoff::fixed(10 * SECOND).jitter(Ratio::percent(20));
        let waits = |seed| -> Vec<_> {
            let mut dice = Dice::seeded(seed);
            (0..1_000).map(|_| backoff.wait(1, &mut dice)).collect()
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
        assert!(
            waits(7)
                .iter()
                .all(|wait| (8 * SECOND..=10 * SECOND).contains(wait))
        );
        assert!(
            waits(7)
                .iter()
                .any(|wait| *wait < Duration::from_millis(8_100))
        );
        assert!(
            waits(7)
                .iter()
                .any(|wait| *wait > Duration::from_millis(9_900))
        );
    }

    #[test]
    fn without_jitter_it_is_exact() {
        assert_eq!(Backoff::fixed(SECOND).wait(9, &mut Dice::seeded(1)), SECOND);
    }
}
