//! Reading one value of a file, with errors for the person who wrote it.
//!
//! What derived code says of a wrong value is which Rust type it is not. Here
//! each kind of value says what it may look like instead.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

use crate::{Ratio, span};

/// What is a word in the simple case and a table in the other.
pub(super) trait TextOrTable: Sized {
    type Table: for<'de> Deserialize<'de>;
    const EXPECTED: &'static str;

    fn from_table(table: Self::Table) -> Result<Self, String>;
    fn from_text(text: &str) -> Result<Self, String>;
}

/// What is one word or one number; None where it is not even of that kind.
pub(super) trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn from_number(_number: f64) -> Option<Result<Self, String>> {
        None
    }

    fn from_text(_text: &str) -> Option<Result<Self, String>> {
        None
    }
}

/// Reads with messages that say what is expected, not which Rust type is.
pub(super) struct Reading<T>(PhantomData<T>);

pub(super) struct Either<T>(PhantomData<T>);

impl<T> Either<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, T: TextOrTable> Visitor<'de> for Either<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let table = T::Table::deserialize(MapAccessDeserializer::new(map))?;
        T::from_table(table).map_err(A::Error::custom)
    }
}

impl<T: Scalar> Reading<T> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }

    fn accept<E: Error>(
        &self,
        read: Option<Result<T, String>>,
        found: Unexpected<'_>,
    ) -> Result<T, E> {
        match read {
            Some(Ok(value)) => Ok(value),
            Some(Err(refusal)) => Err(E::custom(refusal)),
            None => Err(E::invalid_value(found, &T::EXPECTED)),
        }
    }
}

impl<T: Scalar> Visitor<'_> for Reading<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        self.accept(T::from_number(number), Unexpected::Float(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.accept(T::from_number(number as f64), Unexpected::Signed(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.accept(T::from_text(text), Unexpected::Str(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.accept(T::from_number(number as f64), Unexpected::Unsigned(number))
    }
}

/// A span such as `"250ms"`.
#[derive(Clone, Debug)]
pub(super) struct Span(pub(super) Duration);

impl Scalar for Span {
    const EXPECTED: &'static str = r#"a duration such as "250ms""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(parse_span(text).map(Self))
    }
}

/// A number from 1 to `MOST`.
#[derive(Clone, Debug)]
pub(super) struct Count<const MOST: u32>(pub(super) u32);

impl<const MOST: u32> Scalar for Count<MOST> {
    const EXPECTED: &'static str = "a whole number of at least 1";

    fn from_number(number: f64) -> Option<Result<Self, String>> {
        if number.fract() != 0.0 {
            return None;
        }
        // A float holds every number up to the limit exactly.
        let within = (1.0..=f64::from(MOST)).contains(&number);
        let refused = || format!("{number} is out of range, expected 1 to {MOST}");
        Some(within.then_some(Self(number as u32)).ok_or_else(refused))
    }
}

/// A number from 0 to 100, with decimals where they are wanted.
#[derive(Clone, Debug)]
pub(super) struct Percent(pub(super) Ratio);

impl Scalar for Percent {
    const EXPECTED: &'static str = "a number from 0 to 100";

    fn from_number(percent: f64) -> Option<Result<Self, String>> {
        if !(0.0..=100.0).contains(&percent) {
            return Some(Err(format!(
                "{percent} is no percentage, expected 0 to 100"
            )));
        }
        // In range by the check above, so the cast only rounds.
        let parts = (percent * 10_000.0).round() as u32;
        Some(Ok(Self(Ratio::parts_per_million(parts))))
    }
}

pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| {
        format!(
            r#"{text:?} is no duration ({error}), expected one like "250ms", "10s" or "1m 30s""#
        )
    })?;
    if span.is_zero() || span > span::LONGEST {
        return Err(format!(
            "{text:?} is out of range, expected more than 0s and at most 100 years"
        ));
    }
    Ok(span)
}

/// Makes types readable: as `Either` a word or a table, or as a scalar `Reading`.
macro_rules! read_as {
    ($visitor:ident: $($read:ty),+) => {$(
        impl<'de> serde::Deserialize<'de> for $read {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor::new())
            }
        }
    )+};
}
pub(super) use read_as;

read_as!(Reading: Percent, Span);

impl<'de, const MOST: u32> Deserialize<'de> for Count<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading::new())
    }
}
