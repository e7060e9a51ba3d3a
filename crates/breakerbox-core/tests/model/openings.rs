use std::time::{Duration, Instant};

use breakerbox_core::Dice;

use crate::plan::Plan;

/// When a breaker opened, those times in a row that are not forgotten.
#[derive(Debug)]
pub(crate) struct Openings {
    at: Vec<Instant>,
    dice: Dice,
}

impl Openings {
    pub(crate) const fn none(seed: u64) -> Self {
        Self {
            at: Vec::new(),
            dice: Dice::seeded(seed),
        }
    }

    pub(crate) fn forget_all(&mut self) {
        self.at.clear();
    }

    /// Forgets one for each healthy span, and says how many.
    pub(crate) fn forget(&mut self, mut healthy: Duration, span: Duration) -> usize {
        let mut forgotten = 0;
        while healthy >= span && self.at.pop().is_some() {
            healthy -= span;
            forgotten += 1;
        }
        forgotten
    }

    /// How many there are in a row with one more, and how long that one lasts.
    pub(crate) fn add(&mut self, now: Instant, plan: &Plan) -> (usize, Duration) {
        self.at.push(now);
        let nth = self.at.len();
        let most = longest(nth, plan);
        let times = u32::try_from(nth).expect("a history is short");
        let wait = plan.backoff().wait(times, &mut self.dice);
        let least = most * (100 - plan.jitter) / 100;
        assert!(wait <= most && wait >= least, "{wait:?} for opening {nth}");
        (nth, wait)
    }
}

/// What the backoff says of the `nth` opening in a row, before jitter.
pub(crate) fn longest(nth: usize, plan: &Plan) -> Duration {
    (1..nth).fold(plan.initial, |span, _| {
        (span * plan.factor).min(plan.longest)
    })
}
