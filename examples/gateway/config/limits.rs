use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::read;
use super::span::Span;

/// What clients may take of the gateway.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// The largest body of a request, in bytes.
    #[serde(deserialize_with = "body_bytes")]
    pub(crate) body_bytes: u64,
    /// How many clients may be connected at once, and how many requests may be under way.
    #[serde(deserialize_with = "connections")]
    pub(crate) connections: usize,
    /// The largest head of a request, in bytes.
    #[serde(deserialize_with = "head_bytes")]
    pub(crate) head_bytes: u32,
    head_timeout: Span,
    send_timeout: Span,
}

impl Limits {
    /// Returns how long the head of a request may take, and so the pause between two.
    pub(crate) const fn head_timeout(&self) -> Duration {
        self.head_timeout.0
    }

    /// Returns how long a client may take to read on.
    pub(crate) const fn send_timeout(&self) -> Duration {
        self.send_timeout.0
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 100 * 1_024 * 1_024,
            connections: half_of_the_files(),
            head_bytes: 64 * 1_024,
            head_timeout: Span(Duration::from_secs(10)),
            send_timeout: Span(Duration::from_secs(60)),
        }
    }
}

/// Returns how many clients leave as many files for the connections to servers, and
/// some for everything else.
fn half_of_the_files() -> usize {
    let files = files().unwrap_or(FILES);
    (files.saturating_sub(OTHER_FILES) / 2).clamp(1, MOST_CONNECTIONS)
}

/// Returns how many files this process may have open, where the system says so.
fn files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn body_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    read::whole(deserializer, 1..=i64::MAX.unsigned_abs())
}

fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read::whole(deserializer, 1..=MOST_CONNECTIONS)
}

fn head_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    // hyper's buffer is no smaller.
    read::whole(deserializer, 8_192..=1_048_576)
}

/// What a shell allows unless it is told otherwise.
const FILES: usize = 1_024;
const MOST_CONNECTIONS: usize = 1_000_000;
/// Libraries, standard streams, the listener, health checks, clients turned away.
const OTHER_FILES: usize = 48;
