//! What a custom trip policy is still to be asked.
//!
//! A policy of the user's own may be slow, and may panic. So the circuit never
//! calls it where a verdict is recorded: it hands out the question, and takes the
//! answer when there is one.

use crate::{BreakerConfig, Counts, Generation};

/// A question to a custom trip policy: do these counts open the breaker?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "a policy that is not asked opens nothing"]
pub struct Question {
    counts: Counts,
    generation: Generation,
}

impl Question {
    pub(crate) const fn new(counts: Counts, generation: Generation) -> Self {
        Self { counts, generation }
    }

    /// Asks the custom signals of the trip policy, which runs the user's code.
    ///
    /// # Panics
    ///
    /// When a custom signal does.
    #[must_use]
    pub fn ask(&self, config: &BreakerConfig) -> bool {
        config.trip.ask_custom(&self.counts)
    }

    /// Returns the generation whose counts these are; an answer is void after it.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }
}
