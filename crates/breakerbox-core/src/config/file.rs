//! A configuration as it stands in a file.
//!
//! A typo in a breaker's configuration is found out in an outage, unless it is
//! found when it is read. So unknown keys are refused, each value is checked
//! where it stands (a format that knows positions then reports the right one),
//! and each refusal says what would be right.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use super::{BreakerConfig, ConfigError};
use crate::window::{MAX_CALLS, MAX_SLICES};
use crate::{Abandoned, Backoff, Orphaned, Ramp, Ratio, TripPolicy, Window};

mod read;

use read::{Count, Either, Percent, Reading, Scalar, Span, TextOrTable, parse_span, read_as};

/// A [`BreakerConfig`] as it was read, before its parts are seen together.
///
/// Every key is optional and has the default of [`BreakerConfig::new`]. In TOML:
///
/// ```
/// # let text = r#"
/// window = { rolling = "10s", slices = 10 } # or "unbounded", { fixed = "3s" }, { last = 100 }
/// open_for = { initial = "1s", max = "60s", factor = 2, jitter_percent = 20 } # or "60s"
/// healthy_span = "60s"
/// probes = 3
/// probe_deadline = "30s"                    # or "never"
/// retry_after_cap = "5m"
/// abandoned = "ignored"                     # or "failure", { failure_after = "2s" }
/// orphaned = "admit"                        # or "reject"
///
/// [trip]                                    # any of these opens
/// consecutive_failures = 6
/// failure_rate = { percent = 50, min_calls = 20 }
/// # "#;
/// # let file: breakerbox_core::ConfigFile = toml::from_str(text).unwrap();
/// # assert_eq!(breakerbox_core::BreakerConfig::try_from(file), Ok(breakerbox_core::BreakerConfig::new()));
/// ```
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    abandoned: Option<Abandoned>,
    call_timeout: Option<Span>,
    healthy_span: Option<Span>,
    open_for: Option<Backoff>,
    orphaned: Option<Orphaned>,
    probe_deadline: Option<ProbeDeadline>,
    probes: Option<Count<{ u16::MAX as u32 }>>,
    ramp: Option<Ramp>,
    retry_after_cap: Option<Span>,
    slow_after: Option<Span>,
    trip: Option<TripPolicy>,
    window: Option<Window>,
}

impl TryFrom<ConfigFile> for BreakerConfig {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ConfigError> {
        let default = Self::new();
        let trip_is_default = file.trip.is_none();
        let config = Self {
            abandoned: file.abandoned.unwrap_or(default.abandoned),
            call_timeout: file
                .call_timeout
                .map(|Span(limit)| limit)
                .or(default.call_timeout),
            healthy_span: file
                .healthy_span
                .map_or(default.healthy_span, |Span(span)| span),
            open_for: file.open_for.unwrap_or(default.open_for),
            orphaned: file.orphaned.unwrap_or(default.orphaned),
            probe_deadline: file
                .probe_deadline
                .map_or(default.probe_deadline, |ProbeDeadline(limit)| limit),
            probes: file.probes.map_or(default.probes, |Count(probes)| {
                u16::try_from(probes).expect("the count was read with this limit")
            }),
            ramp: file.ramp.or(default.ramp),
            retry_after_cap: file
                .retry_after_cap
                .map_or(default.retry_after_cap, |Span(cap)| cap),
            slow_after: file
                .slow_after
                .map(|Span(span)| span)
                .or(default.slow_after),
            trip: file.trip.unwrap_or(default.trip),
            window: file.window.unwrap_or(default.window),
        };
        match config.refuse_contradictions() {
            Err(error) if trip_is_default => Err(error.of_a_default()),
            Err(error) => Err(error),
            Ok(()) => Ok(config),
        }
    }
}

impl<'de> Deserialize<'de> for BreakerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(ConfigFile::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl TextOrTable for Abandoned {
    type Table = AbandonedTable;
    const EXPECTED: &'static str = r#""ignored", "failure" or { failure_after = "2s" }"#;

    fn from_table(table: Self::Table) -> Result<Self, String> {
        Ok(Self::FailureAfter(table.failure_after.0))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "failure" => Ok(Self::Failure),
            "ignored" => Ok(Self::Ignored),
            other => Err(format!("{other:?} is unknown, expected {}", Self::EXPECTED)),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AbandonedTable {
    failure_after: Span,
}

impl TextOrTable for Backoff {
    type Table = BackoffTable;
    const EXPECTED: &'static str =
        r#""60s" or { initial = "1s", max = "60s", factor = 2, jitter_percent = 20 }"#;

    fn from_table(table: Self::Table) -> Result<Self, String> {
        let (Span(initial), Span(max)) = (table.initial, table.max);
        if initial > max {
            return Err(format!(
                "initial = {initial:?} is longer than max = {max:?}"
            ));
        }
        let mut backoff = Self::exponential(initial, max);
        if let Some(Count(factor)) = table.factor {
            backoff = backoff.factor(factor);
        }
        if let Some(Percent(jitter)) = table.jitter_percent {
            backoff = backoff.jitter(jitter);
        }
        Ok(backoff)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        parse_span(text).map(Self::fixed)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct BackoffTable {
    initial: Span,
    max: Span,
    factor: Option<Count<1_000>>,
    jitter_percent: Option<Percent>,
}

impl TextOrTable for Ramp {
    type Table = RampTable;
    const EXPECTED: &'static str = r#"{ from_percent = 10, over = "10s" }"#;

    fn from_table(table: Self::Table) -> Result<Self, String> {
        let (Percent(from), Span(over)) = (table.from_percent, table.over);
        if from < Ratio::percent(1) {
            return Err("from_percent is less than 1, expected 1 to 100".into());
        }
        Ok(Self::linear(from, over))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Err(format!("{text:?} is no ramp, expected {}", Self::EXPECTED))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RampTable {
    from_percent: Percent,
    over: Span,
}

impl TextOrTable for Window {
    type Table = WindowTable;
    const EXPECTED: &'static str =
        r#""unbounded", { fixed = "3s" }, { rolling = "10s", slices = 10 } or { last = 100 }"#;

    fn from_table(table: Self::Table) -> Result<Self, String> {
        match table {
            WindowTable {
                fixed: Some(Span(span)),
                rolling: None,
                slices: None,
                last: None,
            } => Ok(Self::fixed(span)),
            WindowTable {
                fixed: None,
                rolling: Some(Span(span)),
                slices: Some(Count(slices)),
                last: None,
            } => {
                let slices = u16::try_from(slices).expect("the count was read with a lower limit");
                Ok(Self::rolling(span, slices))
            }
            WindowTable {
                fixed: None,
                rolling: None,
                slices: None,
                last: Some(Count(calls)),
            } => Ok(Self::last(calls)),
            _ => Err(format!(
                "these keys do not make a window, expected {}",
                Self::EXPECTED
            )),
        }
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "unbounded" => Ok(Self::unbounded()),
            other => Err(format!(
                "{other:?} is no window, expected {}",
                Self::EXPECTED
            )),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowTable {
    fixed: Option<Span>,
    rolling: Option<Span>,
    slices: Option<Count<{ MAX_SLICES as u32 }>>,
    last: Option<Count<MAX_CALLS>>,
}

impl TextOrTable for TripPolicy {
    type Table = TripTable;
    const EXPECTED: &'static str = "a table with consecutive_failures = 6 or failure_rate = { percent = 50, min_calls = 20 } or both";

    fn from_table(table: Self::Table) -> Result<Self, String> {
        let in_a_row = table
            .consecutive_failures
            .map(|Count(failures)| Self::consecutive_failures(failures));
        let rate = table
            .failure_rate
            .map(|Rate { percent, min_calls }| Self::failure_rate(percent, min_calls));
        let slow = table
            .slow_rate
            .map(|Rate { percent, min_calls }| Self::slow_rate(percent, min_calls));
        let in_flight = match table.in_flight {
            Some(Count(1)) => {
                return Err("in_flight = 1 would open on every call, expected 2 or more".into());
            }
            Some(Count(calls)) => {
                let calls = u16::try_from(calls).expect("the count was read with this limit");
                Some(Self::in_flight(calls))
            }
            None => None,
        };
        let signals = in_a_row
            .into_iter()
            .chain(rate)
            .chain(slow)
            .chain(in_flight);
        signals.reduce(Self::or).ok_or_else(|| {
            format!(
                "without a signal the breaker would never open, expected {}",
                Self::EXPECTED
            )
        })
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Err(format!(
            "{text:?} is no trip policy, expected {}",
            Self::EXPECTED
        ))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TripTable {
    consecutive_failures: Option<Count<{ u32::MAX }>>,
    failure_rate: Option<Rate>,
    in_flight: Option<Count<{ u16::MAX as u32 }>>,
    slow_rate: Option<Rate>,
}

/// A share of the calls, and of how many at least.
struct Rate {
    percent: Ratio,
    min_calls: u32,
}

impl TextOrTable for Rate {
    type Table = RateTable;
    const EXPECTED: &'static str = "{ percent = 50, min_calls = 20 }";

    fn from_table(table: Self::Table) -> Result<Self, String> {
        let (Percent(percent), Count(min_calls)) = (table.percent, table.min_calls);
        if percent.is_zero() {
            return Err("percent = 0 would open the breaker on the first occasion, \
                        expected more than 0 and at most 100"
                .into());
        }
        Ok(Self { percent, min_calls })
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Err(format!("{text:?} is no rate, expected {}", Self::EXPECTED))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTable {
    percent: Percent,
    min_calls: Count<{ u32::MAX }>,
}

impl Scalar for Orphaned {
    const EXPECTED: &'static str = r#""admit" or "reject""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        match text {
            "admit" => Some(Ok(Self::Admit)),
            "reject" => Some(Ok(Self::Reject)),
            _ => None,
        }
    }
}

/// The `probe_deadline`: a span, or `"never"`.
#[derive(Clone, Debug)]
struct ProbeDeadline(Option<Duration>);

impl Scalar for ProbeDeadline {
    const EXPECTED: &'static str = r#""never" or a duration such as "30s""#;

    fn from_text(text: &str) -> Option<Result<Self, String>> {
        Some(match text {
            "never" => Ok(Self(None)),
            text => parse_span(text).map(|span| Self(Some(span))),
        })
    }
}

read_as!(Either: Abandoned, Backoff, Ramp, Rate, TripPolicy, Window);
read_as!(Reading: Orphaned, ProbeDeadline);

#[cfg(test)]
mod tests;
