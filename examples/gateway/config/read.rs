//! Reading one value of a file, with errors for the person who wrote it.
//!
//! What derived code says of a wrong value is which Rust type it is not. Here it
//! is said what would be right.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// Reads a text that is `expected` to be something.
pub(super) fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Text { expected, read })
}

/// Reads a whole number within these limits.
pub(super) fn whole<'de, D, T>(deserializer: D, limits: RangeInclusive<T>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Display + PartialOrd + TryFrom<i64>,
{
    deserializer.deserialize_i64(Whole { limits })
}

struct Text<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let read = (self.read)(text);
        read.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

struct Whole<T> {
    limits: RangeInclusive<T>,
}

impl<T: Display + PartialOrd + TryFrom<i64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.limits.start(), self.limits.end());
        write!(f, "a whole number from {least} to {most}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let read = T::try_from(number).ok();
        let read = read.filter(|read| self.limits.contains(read));
        read.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}
