use std::time::{Duration, Instant};

use breakerbox_core::{Counts, Outcome};

use crate::plan::Span;

/// A verdict, and when it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given {
    pub(crate) at: Instant,
    pub(crate) outcome: Outcome,
}

/// All that a window has seen, since it was laid out.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) calls: Vec<Instant>,
    pub(crate) given: Vec<Given>,
    pub(crate) since: Instant,
}

impl Seen {
    pub(crate) fn nothing(since: Instant) -> Self {
        Self {
            calls: Vec::new(),
            given: Vec::new(),
            since,
        }
    }

    /// The verdicts that are inside at `now`, oldest first.
    pub(crate) fn inside(&self, span: Span, now: Instant) -> Vec<Given> {
        match span {
            Span::Fixed(span) => match self.fixed_window(span, now) {
                Some(began) => self.given_if(|given| given.at >= began),
                None => Vec::new(),
            },
            Span::Last(calls) => self.last(calls),
            Span::Rolling(_, slices) => {
                let slice = |at| self.slice(span, at);
                self.given_if(|given| slice(given.at) + u128::from(slices) > slice(now))
            }
            Span::Unbounded => self.given.clone(),
        }
    }

    /// Whether a call or verdict came in the slice that `now` is in.
    pub(crate) fn heard_in_slice_of(&self, span: Span, now: Instant) -> bool {
        let given = self.given.iter().map(|given| given.at);
        let mut heard = self.calls.iter().copied().chain(given);
        heard.any(|at| self.slice(span, at) == self.slice(span, now))
    }

    /// The number of the slice that an instant is in.
    fn slice(&self, span: Span, at: Instant) -> u128 {
        let Span::Rolling(span, slices) = span else {
            return 0;
        };
        let length = span.as_nanos().div_ceil(u128::from(slices));
        (at - self.since).as_nanos() / length
    }

    /// When the fixed window that `now` is in began, if one is running.
    pub(crate) fn fixed_window(&self, span: Duration, now: Instant) -> Option<Instant> {
        let mut heard: Vec<_> = self.calls.clone();
        heard.extend(self.given.iter().map(|given| given.at));
        heard.sort();
        let begins = |began, at| if at >= began + span { at } else { began };
        let began = heard.into_iter().fold(self.since, begins);
        (now < began + span).then_some(began)
    }

    /// The last `calls` judged ones, and all that were ignored.
    fn last(&self, calls: u32) -> Vec<Given> {
        let judged = |given: &Given| given.outcome != Outcome::Ignored;
        let total = self.given.iter().filter(|given| judged(given)).count();
        let mut surplus = total.saturating_sub(calls as usize);
        let mut inside = self.given.clone();
        inside.retain(|given| {
            let leaves = judged(given) && surplus > 0;
            surplus -= usize::from(leaves);
            !leaves
        });
        inside
    }

    fn given_if(&self, inside: impl Fn(&Given) -> bool) -> Vec<Given> {
        self.given
            .iter()
            .copied()
            .filter(|given| inside(given))
            .collect()
    }
}

/// Counts verdicts, oldest first, from scratch.
pub(crate) fn count(given: &[Given]) -> Counts {
    let mut counts = Counts::default();
    for Given { outcome, .. } in given {
        match outcome {
            Outcome::Failure { .. } => {
                counts.failures += 1;
                counts.consecutive_failures += 1;
                counts.consecutive_successes = 0;
            }
            Outcome::Ignored => counts.ignored += 1,
            Outcome::Success => {
                counts.successes += 1;
                counts.consecutive_successes += 1;
                counts.consecutive_failures = 0;
            }
        }
    }
    counts
}
