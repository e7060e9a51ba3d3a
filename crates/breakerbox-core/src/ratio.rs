use std::fmt;

/// A share of a whole, kept as parts per million so that it compares exactly.
///
/// Nothing in a breaker's decision is a float: "50 % of 20 calls" is compared
/// by cross-multiplying integers, never by rounding a quotient.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ratio {
    parts_per_million: u32,
}

impl Ratio {
    /// A ratio of `percent` in a hundred, 0 to 100.
    ///
    /// # Panics
    ///
    /// Above 100, at compile time where the value is a constant.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        assert!(percent <= 100, "a ratio is at most 100 percent");
        Self {
            parts_per_million: percent * (WHOLE / 100),
        }
    }

    /// A ratio of `parts` in a million, 0 to 1 000 000.
    ///
    /// # Panics
    ///
    /// Above 1 000 000, at compile time where the value is a constant.
    #[must_use]
    pub const fn parts_per_million(parts: u32) -> Self {
        assert!(
            parts <= WHOLE,
            "a ratio is at most 1 000 000 parts per million"
        );
        Self {
            parts_per_million: parts,
        }
    }

    /// Whether this is none of the whole.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.parts_per_million == 0
    }

    /// Whether `part` of `whole` is this share or more; nothing of nothing is.
    #[must_use]
    pub fn is_reached_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * u128::from(WHOLE)
            >= u128::from(whole) * u128::from(self.parts_per_million)
    }

    /// The least part that can reach this share beside `rest`, in a whole of at
    /// least `min_whole`; None where no part can.
    ///
    /// Any larger `rest` needs at least as much, so a part below this is safe
    /// whatever is added to the rest.
    pub(crate) fn least_part(self, rest: u64, min_whole: u64) -> Option<u64> {
        let (share, other) = (
            u128::from(self.parts_per_million),
            u128::from(WHOLE - self.parts_per_million),
        );
        let beside_rest = match (rest, other) {
            (0, _) => 0,
            (_, 0) => return None,
            _ => (share * u128::from(rest)).div_ceil(other),
        };
        let of_least_whole = (share * u128::from(min_whole)).div_ceil(u128::from(WHOLE));
        Some(u64::try_from(beside_rest.max(of_least_whole)).unwrap_or(u64::MAX))
    }

    /// This share of `whole`, rounded down.
    #[must_use]
    pub const fn of(self, whole: u64) -> u64 {
        // The quotient is at most `whole`, so it fits.
        (whole as u128 * self.parts_per_million as u128 / WHOLE as u128) as u64
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (
            self.parts_per_million / 10_000,
            self.parts_per_million % 10_000,
        );
        if part == 0 {
            return write!(f, "{whole} %");
        }
        let digits = format!("{part:04}");
        write!(f, "{whole}.{} %", digits.trim_end_matches('0'))
    }
}

const WHOLE: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_compared_without_rounding() {
        let third = Ratio::parts_per_million(333_333);
        assert!(third.is_reached_by(1, 3));
        assert!(!Ratio::parts_per_million(333_334).is_reached_by(1, 3));
        assert!(!Ratio::percent(50).is_reached_by(495, 991));
        assert!(Ratio::percent(100).is_reached_by(u64::MAX, u64::MAX));
    }

    #[test]
    fn it_reads_as_a_percentage() {
        assert_eq!(Ratio::percent(50).to_string(), "50 %");
        assert_eq!(Ratio::parts_per_million(2_500).to_string(), "0.25 %");
    }
}
