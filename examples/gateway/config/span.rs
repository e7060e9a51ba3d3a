use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::read;

/// A span of time as pools take it, such as `"5s"`: not zero, at most 100 years.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read::text(deserializer, EXPECTED, |text| {
            let span = humantime::parse_duration(text).ok()?;
            let is_usable = !span.is_zero() && span <= LONGEST;
            is_usable.then_some(Self(span))
        })
    }
}

const EXPECTED: &str = "a duration of more than 0s and at most 100 years, \
                        such as \"250ms\", \"10s\" or \"1m 30s\"";
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
