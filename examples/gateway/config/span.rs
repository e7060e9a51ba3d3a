use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A span of time as pools take it, such as `"5s"`: not zero, at most 100 years.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let span: Duration = humantime_serde::deserialize(deserializer)?;
        if span.is_zero() || span > LONGEST {
            return Err(de::Error::custom(format!(
                "{span:?} is out of range, expected more than 0s and at most 100 years"
            )));
        }
        Ok(Self(span))
    }
}

const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
