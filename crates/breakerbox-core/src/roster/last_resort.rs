//! This module decides which calls go on to an endpoint although every breaker rejects.
//!
//! One page that always fails opens the breaker of each endpoint that is asked for it,
//! and then nobody gets any other page either: the answers said "this request fails",
//! and the breakers heard "this endpoint is down". So a call that every breaker
//! rejects, because of answers alone, still makes one attempt at an endpoint that
//! answers. While most answers are failures, the endpoints most likely do fail, and
//! only a few calls go on, to notice when that changes.
//!
//! # Invariants
//!
//! 1. Once it is clear that most recent answers are failures, one call of six goes on: a
//!    fifth, with the probes. That takes at least seventy answers, and more of them
//!    where nearly half are successes.
//! 2. Each block of calls draws the one that goes on: neither a path that returns in a
//!    rhythm nor the time of day has any influence.
//! 3. What happened before the last twenty seconds counts only where there have been
//!    less than 140 answers since.

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
///     last_resort.record_failure(now);
/// }
/// let admitted = (0..600).filter(|_| last_resort.admit(now)).count();
/// assert!(admitted <= 120, "at most a fifth");
/// ```
#[derive(Clone, Debug)]
pub struct LastResort {
    answers: RecentAnswers,
    dice: Dice,
    /// The instant at which a call last asked.
    latest: Option<Instant>,
    mode: Mode,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    AllGoOn,
    FewGoOn(Block),
}

/// A few calls of which one goes on, at a place that was drawn.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// The calls that are left of it.
    left: u64,
    /// The number of calls after the one that goes on.
    place: u64,
}

impl LastResort {
    /// Makes one that has seen nothing; which calls go on falls as `seed` says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            answers: RecentAnswers::NONE,
            dice: Dice::seeded(seed),
            latest: None,
            mode: Mode::AllGoOn,
        }
    }

    /// Returns whether a call that every breaker rejects goes on.
    ///
    /// After thirty seconds without such a call it begins again: what was seen is from
    /// another outage.
    pub fn admit(&mut self, now: Instant) -> bool {
        if !self.is_asked(now) {
            *self = Self::new(self.dice.draw());
        }
        self.latest = self.latest.max(Some(now));
        self.mode = match self.mode {
            Mode::AllGoOn if self.answers.most_failed() => Mode::FewGoOn(Block::default()),
            Mode::FewGoOn(_) if self.answers.most_succeeded() => Mode::AllGoOn,
            mode => mode,
        };
        match &mut self.mode {
            Mode::AllGoOn => true,
            Mode::FewGoOn(block) => block.draws(&mut self.dice),
        }
    }

    /// Records that a call has failed at an endpoint whose breaker rejects, whoever
    /// admitted it.
    pub fn record_failure(&mut self, now: Instant) {
        if self.is_asked(now) {
            self.answers.current(now).failures += 1;
        }
    }

    /// Records that a call has succeeded at an endpoint whose breaker rejects, whoever
    /// admitted it.
    pub fn record_success(&mut self, now: Instant) {
        if self.is_asked(now) {
            self.answers.current(now).successes += 1;
        }
    }

    /// Returns whether calls go on or did until a moment ago. An endpoint that fails for
    /// hours beside others that do not says nothing about these.
    fn is_asked(&self, now: Instant) -> bool {
        let since = self.latest.map(|at| now.saturating_duration_since(at));
        since.is_some_and(|since| since < FORGETS_AFTER)
    }
}

impl Block {
    /// Returns whether the draw falls on this call.
    fn draws(&mut self, dice: &mut Dice) -> bool {
        if self.left == 0 {
            *self = Self {
                left: BLOCK,
                place: dice.up_to(BLOCK - 1),
            };
        }
        self.left -= 1;
        self.left == self.place
    }
}

/// The answers of two spans, the current one and the one before. A span ends after ten
/// seconds if it has enough answers, however many these are.
#[derive(Clone, Copy, Debug)]
struct RecentAnswers {
    before: Answers,
    /// The instant at which the current span began.
    began: Option<Instant>,
    now: Answers,
}

#[derive(Clone, Copy, Debug)]
struct Answers {
    failures: u64,
    successes: u64,
}

impl RecentAnswers {
    const NONE: Self = Self {
        before: Answers::NONE,
        began: None,
        now: Answers::NONE,
    };

    /// Returns the current span.
    fn current(&mut self, now: Instant) -> &mut Answers {
        let began = *self.began.get_or_insert(now);
        let is_over = now.saturating_duration_since(began) >= SPAN;
        if is_over && self.now.count() >= ENOUGH {
            *self = Self {
                before: self.now,
                began: Some(now),
                now: Answers::NONE,
            };
        }
        &mut self.now
    }

    /// Returns whether most answers are failures, beyond chance: three standard
    /// deviations of a fair coin. A page that is asked for in bursts must not look
    /// like all pages, so it takes a number of answers to say so.
    fn most_failed(&self) -> bool {
        let all = self.all();
        let more = all.failures.saturating_sub(all.successes);
        all.count() >= ENOUGH && more * more > 9 * all.count()
    }

    /// Returns whether most answers are successes: one standard deviation, because
    /// until that is seen good calls are turned away.
    fn most_succeeded(&self) -> bool {
        let all = self.all();
        let more = all.successes.saturating_sub(all.failures);
        more * more > all.count()
    }

    fn all(&self) -> Answers {
        Answers {
            failures: self.before.failures + self.now.failures,
            successes: self.before.successes + self.now.successes,
        }
    }
}

impl Answers {
    const NONE: Self = Self {
        failures: 0,
        successes: 0,
    };

    const fn count(self) -> u64 {
        self.failures + self.successes
    }
}

/// One call of six goes on, which leaves room for the probes below a fifth.
const BLOCK: u64 = 6;

/// More than a burst of one page.
const ENOUGH: u64 = 70;

const FORGETS_AFTER: Duration = Duration::from_secs(30);

const SPAN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::tests::epoch;

    const SECOND: Duration = Duration::from_secs(1);

    /// Calls that every breaker rejects, one after another.
    struct Calls {
        at: Instant,
        dice: Dice,
        last_resort: LastResort,
        made: u32,
        /// How many there are in a second.
        rate: u32,
    }

    type IsBad = fn(share: u32, call: u32, &mut Dice) -> bool;

    const DRAWN: IsBad = |share, _, dice| dice.up_to(99) < u64::from(share);

    const IN_BURSTS: IsBad = |share, call, _| call % 100 < share;

    const IN_TURNS: IsBad = |share, call, _| call % 20 * 5 < share;

    impl Calls {
        fn of_rate(rate: u32, seed: u64) -> Self {
            Self {
                at: epoch(),
                dice: Dice::seeded(seed),
                last_resort: LastResort::new(!seed),
                made: 0,
                rate,
            }
        }

        /// Makes calls for so many seconds, of which so many in a hundred are for a page
        /// that fails. Returns those that went on.
        fn play(&mut self, seconds: u32, share: u32, is_bad: IsBad) -> Vec<u32> {
            let mut went_on = Vec::new();
            for call in self.made..self.made + seconds * self.rate {
                self.at += SECOND / self.rate;
                let is_bad = is_bad(share, call, &mut self.dice);
                if !self.last_resort.admit(self.at) {
                    continue;
                }
                went_on.push(call);
                match is_bad {
                    true => self.last_resort.record_failure(self.at),
                    false => self.last_resort.record_success(self.at),
                }
            }
            self.made += seconds * self.rate;
            went_on
        }
    }

    #[test]
    fn r62_all_calls_go_on_while_less_than_half_of_them_fail() {
        for (rate, seconds) in [(1_000, 60), (20, 600), (1, 3_600)] {
            for seed in 0..3 {
                for share in [1, 10, 25, 40, 45] {
                    for is_bad in [DRAWN, IN_BURSTS, IN_TURNS] {
                        let went_on = Calls::of_rate(rate, seed).play(seconds, share, is_bad);
                        let all = (rate * seconds) as usize;
                        assert_eq!(went_on.len(), all, "{share} % of {rate}, seed {seed}");
                    }
                }
            }
        }
    }

    #[test]
    fn r62_a_sixth_of_the_calls_go_on_once_it_is_clear_that_most_of_them_fail() {
        // The nearer to half, the longer that takes.
        for (share, until_clear) in [(60, 800), (75, 200), (90, 120), (100, 70)] {
            for (rate, seconds) in [(1_000, 60), (20, 600), (1, 3_600)] {
                for seed in 0..5 {
                    for is_bad in [DRAWN, IN_BURSTS, IN_TURNS] {
                        let went_on = Calls::of_rate(rate, seed).play(seconds, share, is_bad);
                        let most = rate * seconds / 6 + until_clear;
                        let went_on = went_on.len() as u32;
                        assert!(
                            went_on <= most,
                            "{share} % of {rate}, seed {seed}: {went_on}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn r62_calls_go_on_evenly_in_time() {
        for share in [60, 100] {
            let went_on = Calls::of_rate(1_000, 1).play(60, share, DRAWN);
            for second in 5..60 {
                let of_second = went_on.iter().filter(|call| **call / 1_000 == second);
                let count = of_second.count();
                assert!((60..=200).contains(&count), "{share} %: {count}");
            }
        }
    }

    #[test]
    fn r62_which_calls_go_on_has_nothing_to_do_with_their_path() {
        for period in [2, 3, 5, 6, 10, 12] {
            let went_on = Calls::of_rate(1_000, 1).play(60, 100, DRAWN);
            let of_path = |path| {
                went_on
                    .iter()
                    .filter(|call| **call % period == path)
                    .count()
            };
            let due = went_on.len() / period as usize;
            for path in 0..period {
                let count = of_path(path);
                assert!(
                    count > due * 4 / 5,
                    "{count} of {due} for {path} of {period}"
                );
            }
        }
    }

    #[test]
    fn r62_all_calls_go_on_soon_after_most_of_them_succeed_again() {
        for (rate, within) in [(1_000, 20), (20, 30), (5, 120)] {
            for share in [0, 10, 30] {
                let mut calls = Calls::of_rate(rate, 3);
                calls.play(600, 100, DRAWN);
                calls.play(within, share, DRAWN);
                let went_on = calls.play(60, share, DRAWN);
                assert_eq!(went_on.len() as u32, 60 * rate, "{share} % of {rate}");
            }
        }
    }

    #[test]
    fn r62_bursts_of_failures_do_not_begin_anew_each_time() {
        let mut calls = Calls::of_rate(100, 1);
        let mut went_on = 0;
        for _ in 0..100 {
            went_on += calls.play(1, 100, DRAWN).len();
            calls.at += 11 * SECOND;
        }
        assert!(went_on <= 10_000 / 5, "{went_on}");
    }

    #[test]
    fn r62_what_an_outage_showed_is_forgotten_with_it() {
        let mut calls = Calls::of_rate(1_000, 1);
        assert!(calls.play(60, 100, DRAWN).len() < 12_000);
        calls.at += FORGETS_AFTER;
        // An endpoint whose breaker rejects, beside others whose breakers do not.
        (0..1_000).for_each(|_| calls.last_resort.record_failure(calls.at));
        assert_eq!(calls.play(60, 30, DRAWN).len(), 60_000);
    }
}
