//! A thousand callers, a third of their calls failing, and an owner that is
//! killed a hundred times on the way: nothing is lost, nothing counts twice.
//!
//! The callers run on four threads, their futures polled in turn; the owner and
//! its supervisor on a fifth, with paused time, so that a hundred kills are not
//! too many for the limit on restarts.

#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use breakerbox::{Breaker, BreakerBox, BreakerConfig, CallError, Ratio, State, TripPolicy, Window};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::advance;

const KILLS: u64 = 100;
const TASKS: u64 = 1_000;
const THREADS: u64 = 4;

#[test]
fn r21_a_storm_of_folded_calls_loses_nothing_to_an_owner_that_is_killed() {
    storm(TripPolicy::failure_rate(Ratio::percent(90), 100));
}

#[test]
fn r21_a_storm_of_reports_loses_nothing_to_an_owner_that_is_killed() {
    // Asked about each failure, so each is a report and its caller waits.
    storm(TripPolicy::custom(|_| false));
}

/// How many calls each storm has.
fn calls() -> u64 {
    std::env::var("BREAKERBOX_STORM").map_or(20_000, |calls| calls.parse().unwrap())
}

fn storm(trip: TripPolicy) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let config = BreakerConfig::new()
        .window(Window::unbounded())
        .trip_on(trip);
    runtime.block_on(async {
        let breakers = BreakerBox::start("storm").await.unwrap();
        let breaker = breakers.breaker("peer", config).await.unwrap();
        let (storm, lightning) = Storm::around(&breaker);
        // Tokio lets no paused time pass by itself while something blocks.
        let calls = tokio::task::spawn_blocking(move || storm.rage());
        kill_at_each(lightning, &breaker).await;
        let made = calls.await.unwrap();

        let snapshot = breaker.snapshot().await;
        let counted = (snapshot.counts.successes, snapshot.counts.failures);
        assert_eq!((counted, snapshot.late), ((made.worked, made.failed), 0));
        assert_eq!(snapshot.state, State::Closed);
        assert_eq!(snapshot.incarnation, KILLS + 1);
    });
}

async fn kill_at_each(mut lightning: UnboundedReceiver<()>, breaker: &Breaker) {
    while let Some(()) = lightning.recv().await {
        let incarnation = breaker.snapshot().await.incarnation;
        breaker.actor().kill();
        while breaker.snapshot().await.incarnation == incarnation {
            yield_now().await;
        }
        // Out of the way of the limit on restarts.
        advance(Duration::from_secs(2)).await;
    }
}

/// What the callers of a storm share.
struct Storm {
    breaker: Breaker,
    calls: u64,
    lightning: UnboundedSender<()>,
    made: AtomicU64,
    runtime: Handle,
}

#[derive(Clone, Copy, Default)]
struct Made {
    failed: u64,
    worked: u64,
}

impl Storm {
    fn around(breaker: &Breaker) -> (Arc<Self>, UnboundedReceiver<()>) {
        let (lightning, strikes) = unbounded_channel();
        let storm = Self {
            breaker: breaker.clone(),
            calls: calls(),
            lightning,
            made: AtomicU64::new(0),
            runtime: Handle::current(),
        };
        (Arc::new(storm), strikes)
    }

    fn rage(self: Arc<Self>) -> Made {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let storm = Arc::clone(&self);
                thread::spawn(move || storm.runtime.block_on(storm.tasks_of(thread)))
            })
            .collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap());
        made.fold(Made::default(), Made::and)
    }

    async fn tasks_of(&self, thread: u64) -> Made {
        let tasks = (0..TASKS / THREADS).map(|task| self.task(thread << 32 | task));
        let tasks: FuturesUnordered<_> = tasks.collect();
        tasks
            .fold(Made::default(), async |made, more| made.and(more))
            .await
    }

    async fn task(&self, seed: u64) -> Made {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut made = Made::default();
        for _ in 0..self.calls / TASKS {
            let fails = rng.u8(..10) < 3;
            let pauses = rng.u8(..3);
            let answer = self.breaker.call(async {
                for _ in 0..pauses {
                    yield_now().await;
                }
                if fails { Err("down") } else { Ok(()) }
            });
            match answer.await {
                Ok(()) => made.worked += 1,
                Err(CallError::Failed(_)) => made.failed += 1,
                Err(other) => panic!("nothing opens it: {other}"),
            }
            self.note_one();
        }
        made
    }

    fn note_one(&self) {
        let made = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        if made.is_multiple_of(self.calls / KILLS) {
            self.lightning.send(()).unwrap();
        }
    }
}

impl Made {
    fn and(self, more: Self) -> Self {
        Self {
            failed: self.failed + more.failed,
            worked: self.worked + more.worked,
        }
    }
}
