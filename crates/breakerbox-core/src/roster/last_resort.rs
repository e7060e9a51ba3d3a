//! How many calls go on to an endpoint although every breaker rejects.
//!
//! One page that always fails opens the breaker of each endpoint that is asked for it,
//! and then nobody gets any other page either: the answers said "this request fails",
//! and the breakers heard "this endpoint is down". So a call that every breaker
//! rejects, because of answers alone, still makes one attempt at an endpoint that
//! answers. While most of those attempts fail, the endpoints most likely do fail, and
//! only a few calls go on, to notice when that changes.
//!
//! # Invariants
//!
//! 1. While most recent answers are failures, at most a fifth of the calls go on.
//! 2. Which of them do is drawn anew for each few calls: neither a path that returns
//!    in a rhythm nor the time of day has any influence.

use std::time::{Duration, Instant};

use crate::Dice;

/// Decides which calls go on to an endpoint although every breaker rejects.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use breakerbox_core::LastResort;
///
/// let (mut last_resort, now) = (LastResort::new(7), Instant::now());
/// assert!(last_resort.admit(now), "nothing speaks against it yet");
/// for _ in 0..100 {
///     last_resort.record_failure();
/// }
/// let admitted = (0..600).filter(|_| last_resort.admit(now)).count();
/// assert!(admitted <= 120, "at most a fifth");
/// ```
#[derive(Clone, Debug)]
pub struct LastResort {
    /// The recent calls that went on.
    admitted: u64,
    block: Block,
    /// The recent calls that every breaker rejected.
    calls: u64,
    dice: Dice,
    failures: u64,
    /// When a call last asked.
    latest: Option<Instant>,
    successes: u64,
}

/// A few calls of which one goes on, at a place that was drawn.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// The calls that are left of it.
    left: u64,
    /// How many are left after the one that goes on.
    place: u64,
}

impl LastResort {
    /// Makes one that has seen nothing; which calls go on falls as `seed` says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            admitted: 0,
            block: Block { left: 0, place: 0 },
            calls: 0,
            dice: Dice::seeded(seed),
            failures: 0,
            latest: None,
            successes: 0,
        }
    }

    /// Returns whether a call that every breaker rejects goes on.
    ///
    /// After ten seconds without such a call it begins again: what was seen is from
    /// another outage.
    pub fn admit(&mut self, now: Instant) -> bool {
        let since = self.latest.map(|at| now.saturating_duration_since(at));
        if since.is_some_and(|since| since >= FORGETS_AFTER) {
            *self = Self::new(self.dice.draw());
        }
        self.latest = self.latest.max(Some(now));
        let goes_on = !self.most_fail() || self.is_drawn();
        self.calls += 1;
        self.admitted += u64::from(goes_on);
        if self.calls >= MOST_CALLS {
            self.calls /= 2;
            self.admitted /= 2;
        }
        goes_on
    }

    /// Records that an attempt of a call that went on has failed.
    pub fn record_failure(&mut self) {
        self.failures += 1;
        self.fade();
    }

    /// Records that an attempt of a call that went on has succeeded.
    pub fn record_success(&mut self) {
        self.successes += 1;
        self.fade();
    }

    /// Returns whether most answers are failures, beyond chance: three standard
    /// deviations of a fair coin. A page that is asked for in bursts must not look
    /// like all pages, so it takes a number of answers to say so.
    fn most_fail(&self) -> bool {
        let answers = self.failures + self.successes;
        let more = self.failures.saturating_sub(self.successes);
        answers >= ENOUGH && more * more > 9 * answers
    }

    /// Returns whether the draw for the current block falls on this call.
    fn is_drawn(&mut self) -> bool {
        if self.block.left == 0 {
            let is_behind = self.admitted * 5 > self.calls;
            let size = if is_behind { LONG_BLOCK } else { BLOCK };
            self.block = Block {
                left: size,
                place: self.dice.up_to(size - 1),
            };
        }
        self.block.left -= 1;
        self.block.left == self.block.place
    }

    /// Lets older answers count for less.
    fn fade(&mut self) {
        if self.failures + self.successes >= MOST_ANSWERS {
            self.failures /= 2;
            self.successes /= 2;
        }
    }
}

/// One call of six goes on, which leaves room for the probes below a fifth.
const BLOCK: u64 = 6;

/// The size of a block while more than a fifth of the calls have gone on.
const LONG_BLOCK: u64 = 12;

const ENOUGH: u64 = 70;

const FORGETS_AFTER: Duration = Duration::from_secs(10);

/// Older answers and calls count half once there are so many.
const MOST_ANSWERS: u64 = 1_024;
const MOST_CALLS: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::tests::epoch;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// Makes a thousand calls a second for a minute, of which so many in a hundred are
    /// for a page that fails, by a draw or in a rhythm. Returns the calls that went on.
    fn play(seed: u64, share: u64, is_bad: impl Fn(u64, &mut Dice) -> bool) -> Vec<u64> {
        let (mut last_resort, mut dice) = (LastResort::new(seed), Dice::seeded(seed + share));
        let start = epoch();
        let mut went_on = Vec::new();
        for call in 0..60_000 {
            let is_bad = is_bad(call, &mut dice);
            if !last_resort.admit(start + MILLISECOND * u32::try_from(call).unwrap()) {
                continue;
            }
            went_on.push(call);
            match is_bad {
                true => last_resort.record_failure(),
                false => last_resort.record_success(),
            }
        }
        went_on
    }

    type IsBad = fn(u64, u64, &mut Dice) -> bool;

    const DRAWN: IsBad = |share, _, dice| dice.up_to(99) < share;

    const IN_BURSTS: IsBad = |share, call, _| call % 100 < share;

    const IN_TURNS: IsBad = |share, call, _| call % 20 * 5 < share;

    #[test]
    fn r62_all_calls_go_on_while_less_than_half_of_them_fail() {
        for seed in 0..3 {
            for share in [1, 10, 25, 40, 45] {
                for is_bad in [DRAWN, IN_BURSTS, IN_TURNS] {
                    let went_on = play(seed, share, |call, dice| is_bad(share, call, dice));
                    assert_eq!(went_on.len(), 60_000, "{share} % fail, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn r62_a_fifth_of_the_calls_go_on_evenly_while_most_of_them_fail() {
        for seed in 0..3 {
            for share in [60, 75, 90, 100] {
                for is_bad in [DRAWN, IN_BURSTS, IN_TURNS] {
                    let went_on = play(seed, share, |call, dice| is_bad(share, call, dice));
                    let all = went_on.len();
                    assert!(all <= 12_000, "{share} % fail, seed {seed}: {all}");
                    for second in 5..60 {
                        let of_second = went_on.iter().filter(|call| **call / 1_000 == second);
                        let count = of_second.count();
                        assert!((60..=200).contains(&count), "{share} %: {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn r62_which_calls_go_on_has_nothing_to_do_with_their_path() {
        for period in [2, 3, 5, 6, 10, 12] {
            let went_on = play(1, 100, |_, _| true);
            let of_path = |path| {
                went_on
                    .iter()
                    .filter(|call| **call % period == path)
                    .count()
            };
            let due = went_on.len() as u64 / period;
            for path in 0..period {
                let count = of_path(path) as u64;
                assert!(
                    count > due * 4 / 5,
                    "{count} of {due} for {path} of {period}"
                );
            }
        }
    }

    #[test]
    fn r62_all_calls_go_on_again_once_most_succeed() {
        let (mut last_resort, now) = (LastResort::new(1), epoch());
        (0..2_000).for_each(|_| last_resort.record_failure());
        let count =
            |last_resort: &mut LastResort| (0..600).filter(|_| last_resort.admit(now)).count();
        assert!(count(&mut last_resort) <= 120);
        (0..2_000).for_each(|_| last_resort.record_success());
        assert_eq!(count(&mut last_resort), 600);
    }

    #[test]
    fn r62_what_an_outage_showed_is_forgotten_with_it() {
        let (mut last_resort, now) = (LastResort::new(1), epoch());
        assert!(last_resort.admit(now));
        (0..2_000).for_each(|_| last_resort.record_failure());
        let soon = now + FORGETS_AFTER - MILLISECOND;
        assert!((0..600).filter(|_| last_resort.admit(soon)).count() <= 120);
        let later = soon + FORGETS_AFTER;
        assert_eq!((0..600).filter(|_| last_resort.admit(later)).count(), 600);
    }
}
