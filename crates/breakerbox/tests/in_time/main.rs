//! A breaker opens and comes back in time, whatever the scheduler does.
//!
//! An owner decides when it is scheduled, and that is late exactly when a breaker
//! is needed. So these tests take its turn away: its runtime is blocked, or nobody
//! drives it, or its one thread is kept busy.

#![cfg(test)]

mod comes_back;
mod conditions;
mod does_not_wait;
mod lets_others_run;
mod opens;
mod pools;
mod windows;

use std::time::Duration;

use breakerbox::{Backoff, BreakerConfig, Ratio, TripPolicy, Window};

/// Opens on the third failure in a row, for a second; one probe.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(3))
    .open_for(Backoff::fixed(SECOND))
    .probes(1);

const fn rate(percent: u32, min_calls: u32) -> TripPolicy {
    TripPolicy::failure_rate(Ratio::percent(percent), min_calls)
}

const fn slow_rate(percent: u32, min_calls: u32) -> TripPolicy {
    TripPolicy::slow_rate(Ratio::percent(percent), min_calls)
}

const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
