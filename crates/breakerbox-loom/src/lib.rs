//! The call path of a breaker, compiled for loom.
//!
//! tokio cannot be built with `--cfg loom` from outside, so the models cannot
//! live in the crate of the code that they try. This crate takes the same files
//! in, with loom's atomics, and nothing else:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release -p breakerbox-loom
//! ```
#![cfg(all(loom, test))]
#![expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the models need not all of it"
)]

#[path = "../../breakerbox/src/breaker"]
mod breaker {
    mod call_path;
}
#[path = "../../breakerbox/src/lock.rs"]
mod lock;
#[path = "../../breakerbox/src/moment.rs"]
mod moment;
#[path = "../../breakerbox/src/rejected.rs"]
mod rejected;
#[path = "../../breakerbox/src/sync.rs"]
mod sync;

pub(crate) use rejected::Rejected;

/// Tokio's clock, without tokio.
mod clock {
    pub(crate) fn now() -> std::time::Instant {
        std::time::Instant::now()
    }
}
