use std::time::Duration;

/// A big random number that is used up digit by digit.
///
/// Strategies put together for each step cost more than playing it. So a step is
/// one number, which shrinks towards zero, and zero is the simplest choice.
pub(crate) struct Draw(u128);

impl Draw {
    pub(crate) const fn from(number: u128) -> Self {
        Self(number)
    }

    /// A number from 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let digit = self.0 % u128::from(limit);
        self.0 /= u128::from(limit);
        u32::try_from(digit).expect("it is below a limit of 32 bits")
    }

    /// A number from 1 to `most`.
    pub(crate) fn up_to(&mut self, most: u32) -> u32 {
        self.below(most) + 1
    }

    /// Whether one of so many falls.
    pub(crate) fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == many - 1
    }

    /// The choice of which the weight falls.
    pub(crate) fn choose<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let all = choices.iter().map(|(weight, _)| weight).sum();
        let mut place = self.below(all);
        for (weight, choice) in choices {
            if place < *weight {
                return *choice;
            }
            place -= weight;
        }
        unreachable!("a place below the sum of all weights falls to one of them")
    }

    /// Whole seconds mostly, so that deadlines often coincide.
    pub(crate) fn span(&mut self) -> Duration {
        match self.below(8) {
            6 => Duration::from_nanos(self.up_to(9).into()),
            7 => Duration::from_nanos(self.up_to(u32::MAX).into()) * 2,
            _ => Duration::from_secs(self.up_to(8).into()),
        }
    }
}
