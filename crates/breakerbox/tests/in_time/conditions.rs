//! What an owner's runtime may be doing while a breaker is needed.

use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use breakerbox::{Breaker, BreakerBox, BreakerConfig};
use tokio::runtime::{Builder, EnterGuard, Runtime};

/// What the runtime of the owner does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// Both its workers run code that blocks.
    Blocked,
    /// Its workers have nothing else to do.
    Idle,
    /// Nobody drives it: the owner is never polled. Its clock is paused.
    Undriven,
}

impl Condition {
    pub(crate) const ALL: [Self; 3] = [Self::Blocked, Self::Idle, Self::Undriven];
}

/// A runtime with a breaker on it, in a condition.
pub(crate) struct Place {
    pub(crate) breaker: Breaker,
    pub(crate) breakers: BreakerBox,
    release: Option<Arc<Barrier>>,
    runtime: Runtime,
}

impl Place {
    pub(crate) fn new(condition: Condition, config: BreakerConfig) -> Self {
        let runtime = match condition {
            Condition::Undriven => Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build(),
            Condition::Blocked | Condition::Idle => Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .enable_all()
                .build(),
        };
        let runtime = runtime.unwrap();
        let (breakers, breaker) = runtime.block_on(async {
            let breakers = BreakerBox::start("in time").await.unwrap();
            let breaker = breakers.breaker("peer", config).await.unwrap();
            (breakers, breaker)
        });
        let release = match condition {
            Condition::Blocked => Some(block(&runtime)),
            Condition::Idle | Condition::Undriven => None,
        };
        Self {
            breaker,
            breakers,
            release,
            runtime,
        }
    }

    /// Where the owner is never polled: makes its clock the one of this thread.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Lets the owner run again, and does something on its runtime.
    pub(crate) fn run<T>(&mut self, something: impl Future<Output = T>) -> T {
        self.release();
        self.runtime.block_on(something)
    }

    fn release(&mut self) {
        if let Some(release) = self.release.take() {
            release.wait();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.release();
        self.runtime.block_on(self.breakers.shutdown());
    }
}

/// One thread, two, and one in simulated time.
pub(crate) fn runtimes() -> [Runtime; 3] {
    let mut single = Builder::new_current_thread();
    let mut double = Builder::new_multi_thread();
    let mut simulated = Builder::new_current_thread();
    [
        single.enable_time(),
        double.worker_threads(WORKERS).enable_time(),
        simulated.enable_time().start_paused(true),
    ]
    .map(|builder| builder.build().unwrap())
}

/// Blocks all workers until somebody waits at what is returned.
///
/// One after the other: a worker that takes two of these tasks at once blocks in
/// the first and keeps the second.
fn block(runtime: &Runtime) -> Arc<Barrier> {
    let release = Arc::new(Barrier::new(WORKERS + 1));
    for _ in 0..WORKERS {
        let blocks = Arc::new(Barrier::new(2));
        let (begins, release) = (Arc::clone(&blocks), Arc::clone(&release));
        runtime.spawn(async move {
            begins.wait();
            release.wait();
        });
        blocks.wait();
    }
    release
}

/// What a future is ready with when it is polled once.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Lets paused time pass, and nothing else happen.
pub(crate) fn pass(span: Duration) {
    // It has passed; what is left is to give others a turn.
    let _pending = at_once(tokio::time::advance(span));
}

const WORKERS: usize = 2;
