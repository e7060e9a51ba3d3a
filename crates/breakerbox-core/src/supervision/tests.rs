mod auto_shutdown;
mod boot;
mod command;
mod costs;
mod counts;
mod exit;
mod group;
mod harness;
mod histories;
mod levels;
mod limit;
mod model;
mod pause;
mod restart;
mod shutdown;
mod stuck;
mod table;

use std::time::{Duration, Instant};

use super::*;
use crate::{Backoff, Ratio};
use harness::Harness;

const SECOND: Duration = Duration::from_secs(1);
const GENEROUS: RestartIntensity = RestartIntensity::new(1_000, SECOND);

fn backing_off() -> ChildPolicy {
    ChildPolicy::new().backoff(Backoff::fixed(SECOND))
}

fn epoch() -> Instant {
    // The one clock reading: any instant will do.
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(now_from_the_outside)
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an Instant"
)]
fn now_from_the_outside() -> Instant {
    Instant::now()
}
