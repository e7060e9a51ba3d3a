//! Times as a log writes them: decimal milliseconds, to the nanosecond.
//!
//! A float cannot hold most decimal fractions, nor the nanoseconds of a Unix
//! timestamp, and a call that lands one nanosecond before a deadline is decided
//! otherwise than one at it. So text becomes a [`Duration`] digit by digit, and
//! a `Duration` text.

use std::fmt;
use std::time::Duration;

/// Milliseconds, without an exponent and with the decimals that are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Millis(pub(crate) Duration);

impl Millis {
    /// Reads `31`, `31.5` and the like; digits beyond the nanosecond are rounded.
    ///
    /// Rounded, not refused: a float's `31.299999999999997` is what many loggers
    /// write, and rounding keeps the order of what is rounded.
    pub(crate) fn parse(text: &str) -> Result<Self, NotMillis> {
        if text.strip_prefix('-').is_some_and(is_decimal) {
            return Err(NotMillis::Negative);
        }
        if !is_decimal(text) {
            return Err(NotMillis::NoNumber);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.parse().map_err(|_| NotMillis::TooLarge)?;
        let time = Duration::from_millis(whole)
            .checked_add(Duration::from_nanos(nanos_of(fraction.as_bytes())))
            .filter(|time| *time <= LONGEST)
            .ok_or(NotMillis::TooLarge)?;
        Ok(Self(time))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.as_secs() * 1_000 + u64::from(self.0.subsec_millis());
        let mut fraction = self.0.subsec_nanos() % NANOS_PER_MILLI;
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let mut digits = 6;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{fraction:0digits$}")
    }
}

/// Why a text is no time of a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotMillis {
    Negative,
    NoNumber,
    TooLarge,
}

impl fmt::Display for NotMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negative => "is negative",
            Self::NoNumber => "is no decimal number",
            Self::TooLarge => "is too large",
        })?;
        write!(
            f,
            ", expected milliseconds such as 31 or 31.5, from 0 to {} (100 years)",
            Millis(LONGEST)
        )
    }
}

/// Seconds for people, cut off after the millisecond: `12.031s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        f.pad(&format!("{seconds}.{millis:03}s"))
    }
}

fn is_decimal(text: &str) -> bool {
    let all_digits =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => all_digits(text),
    }
}

/// The nanoseconds that the digits after the point of a millisecond are.
fn nanos_of(digits: &[u8]) -> u64 {
    let kept = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
    let nanos = kept.fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0'));
    let rounds_up = digits.get(6).is_some_and(|digit| *digit >= b'5');
    nanos + u64::from(rounds_up)
}

/// Far enough for Unix timestamps, and near enough that no instant overflows.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
const NANOS_PER_MILLI: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_its_nearest_nanosecond_and_prints_without_noise() {
        for (text, nanos, printed) in [
            ("0", 0, "0"),
            ("31", 31_000_000, "31"),
            ("31.0", 31_000_000, "31"),
            ("007", 7_000_000, "7"),
            ("0.1", 100_000, "0.1"),
            ("31.500", 31_500_000, "31.5"),
            ("0.000001", 1, "0.000001"),
            ("0.0000004", 0, "0"),
            ("0.0000005", 1, "0.000001"),
            ("0.9999999", 1_000_000, "1"),
            ("31.299999999999997", 31_300_000, "31.3"),
            (
                "1763884296123.456789",
                1_763_884_296_123_456_789,
                "1763884296123.456789",
            ),
            ("3153600000000", 3_153_600_000_000_000_000, "3153600000000"),
        ] {
            let Millis(time) = Millis::parse(text).unwrap();
            assert_eq!(time.as_nanos(), nanos, "{text}");
            assert_eq!(Millis(time).to_string(), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_for_what_it_is() {
        for (refused, texts) in [
            (NotMillis::Negative, &["-1", "-0.5", "-0"][..]),
            (
                NotMillis::NoNumber,
                &[
                    "", " 1", "1 ", "+1", "1.", ".5", ".", "-", "1e3", "0x1f", "NaN", "inf", "1,5",
                    "1.2.3", "٣", "--1", "1_000",
                ],
            ),
            (
                NotMillis::TooLarge,
                &[
                    "3153600000000.000001",
                    "99999999999999999999999",
                    "18446744073709551615.9",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(
                    Millis::parse(text).map(|Millis(time)| time),
                    Err(refused),
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn seconds_are_for_people() {
        for (nanos, printed) in [
            (0, "    0.000s"),
            (31_599_999, "    0.031s"),
            (12_031_000_000, "   12.031s"),
        ] {
            let seconds = Seconds(Duration::from_nanos(nanos));
            assert_eq!(format!("{seconds:>10}"), printed);
        }
    }
}
