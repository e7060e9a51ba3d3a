//! The call path of a breaker, compiled for loom.
//!
//! tokio cannot be built with `--cfg loom` from outside, so the models cannot
//! live in the crate of the code that they try. This crate takes the same files
//! in, with loom's atomics, and nothing else:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --profile bench -p breakerbox-loom
//! ```
#![cfg(all(loom, test))]
#![expect(dead_code, unreachable_pub, reason = "the models need not all of it")]

#[path = "../../breakerbox/src/breaker"]
mod breaker {
    mod answers;
    mod call_path;
    mod packed_ticket;
}
#[path = "../../breakerbox/src/failure.rs"]
mod failure;
#[path = "../../breakerbox/src/lock.rs"]
mod lock;
#[path = "../../breakerbox/src/moment.rs"]
mod moment;
#[path = "../../breakerbox/src/rejected.rs"]
mod rejected;
#[path = "../../breakerbox/src/sync.rs"]
mod sync;
#[path = "../../breakerbox/src/text.rs"]
mod text;

pub(crate) use failure::{Judgement, LastFailure};
pub(crate) use rejected::Rejected;

/// In no model a waker panics.
mod guarded {
    use std::task::Waker;

    pub(crate) fn waker(waker: &Waker) -> Waker {
        waker.clone()
    }
}

/// A clock that stands still until a model lets time pass.
///
/// Loom runs all threads of a model on one of the operating system's, so they
/// share this clock, and time passes in every schedule at the same place.
mod clock {
    use std::cell::Cell;
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    pub(crate) fn now() -> Instant {
        *EPOCH + PASSED.get()
    }

    /// Lets so much time have passed since the epoch.
    pub(crate) fn set(passed: Duration) {
        PASSED.set(passed);
    }

    static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

    thread_local! {
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }
}
