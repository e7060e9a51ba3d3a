use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::quote::Quote;

/// All orders that were placed, in the order in which they were answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    pub(crate) answers: Vec<Answer>,
    pub(crate) placed: usize,
}

impl Orders {
    /// The first answer since a time that rests on this server's price.
    pub(crate) fn first_by(&self, server: &str, since: Instant) -> Option<&Answer> {
        self.by(server, since).next()
    }

    /// How many answers since a time rest on this server's price.
    pub(crate) fn count_by(&self, server: &str, since: Instant) -> usize {
        self.by(server, since).count()
    }

    fn by(&self, server: &str, since: Instant) -> impl Iterator<Item = &Answer> {
        self.answers
            .iter()
            .filter(move |answer| answer.at >= since && answer.is_by(server))
    }
}

/// What a customer got.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) at: Instant,
    /// Or what the customer got instead of one.
    pub(crate) quote: Result<Quote, String>,
    pub(crate) took: Duration,
}

impl Answer {
    fn is_by(&self, server: &str) -> bool {
        self.quote
            .as_ref()
            .is_ok_and(|quote| quote.served_by == server)
    }
}

/// Who served how many of some answers.
#[derive(Default)]
pub(crate) struct Mix {
    pub(crate) failed: usize,
    /// Answered by a second server, when the first had been asked in vain.
    pub(crate) repeated: usize,
    pub(crate) served: BTreeMap<String, usize>,
    pub(crate) undiscounted: usize,
}

impl Mix {
    pub(crate) fn of(answers: &[Answer]) -> Self {
        let mut mix = Self::default();
        for answer in answers {
            match &answer.quote {
                Ok(quote) => mix.add(quote),
                Err(_) => mix.failed += 1,
            }
        }
        mix
    }

    /// Whether a person would call it the same, whatever the numbers.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.served.keys().eq(other.served.keys())
            && (self.repeated == 0) == (other.repeated == 0)
            && (self.failed == 0) == (other.failed == 0)
    }

    fn add(&mut self, quote: &Quote) {
        *self.served.entry(quote.served_by.clone()).or_default() += 1;
        if quote.attempts > 1 {
            self.repeated += 1;
        }
        if quote.discount_percent.is_none() {
            self.undiscounted += 1;
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("served by")?;
        if self.served.is_empty() {
            f.write_str(" nobody")?;
        }
        for (place, (server, orders)) in self.served.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma} {server} {orders}")?;
        }
        if self.repeated > 0 {
            write!(f, "; {} asked twice", self.repeated)?;
        }
        if self.failed > 0 {
            write!(f, "; {} FAILED", self.failed)?;
        }
        Ok(())
    }
}
