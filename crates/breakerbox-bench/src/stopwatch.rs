//! How long calls take: alone, from two threads, from many tasks, one by one.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::guards::{AsyncGuard, Guard};
use crate::machine;
use crate::work::Pattern;

/// Nanoseconds a call, in a loop on this thread that runs for `span`.
pub fn alone<P: Pattern>(span: Duration, mut call: impl FnMut(bool) -> bool) -> f64 {
    let (begun, mut calls) = (Instant::now(), 0);
    loop {
        for _ in 0..BATCH {
            black_box(call(P::fails(calls)));
            calls += 1;
        }
        let ran = begun.elapsed();
        if ran >= span {
            return nanos(ran) / calls as f64;
        }
    }
}

/// The same of a future that this thread awaits.
pub fn awaited<P: Pattern>(runtime: &Runtime, span: Duration, guard: &mut impl AsyncGuard) -> f64 {
    runtime.block_on(async {
        let (begun, mut calls) = (Instant::now(), 0);
        loop {
            for _ in 0..BATCH {
                black_box(guard.call(P::fails(calls)).await);
                calls += 1;
            }
            let ran = begun.elapsed();
            if ran >= span {
                return nanos(ran) / calls as f64;
            }
        }
    })
}

/// Nanoseconds a call of both together, from two pinned threads at one guard.
///
/// # Panics
///
/// If one of the threads did.
pub fn two_threads<P: Pattern>(span: Duration, guard: &impl Guard) -> f64 {
    let start = Barrier::new(2);
    let rates = std::thread::scope(|scope| {
        let threads = [0, 1].map(|core| {
            let start = &start;
            scope.spawn(move || {
                machine::pin(core);
                start.wait();
                1.0 / alone::<P>(span, |fails| guard.run(fails))
            })
        });
        threads.map(|thread| thread.join().expect("a measured call does not panic"))
    });
    1.0 / (rates[0] + rates[1])
}

/// Nanoseconds a call of all together, from `tasks` tasks on both workers.
///
/// # Panics
///
/// If one of the tasks did.
pub fn tasks<P: Pattern>(
    runtime: &Runtime,
    span: Duration,
    tasks: usize,
    guard: &impl AsyncGuard,
) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| runtime.spawn(until_stopped::<P>(guard.clone(), Arc::clone(&stop))))
        .collect();
    std::thread::sleep(span);
    stop.store(true, Ordering::Relaxed);
    let ran = begun.elapsed();
    let calls: u64 = running
        .into_iter()
        .map(|task| {
            runtime
                .block_on(task)
                .expect("a measured call does not panic")
        })
        .sum();
    nanos(ran) / calls as f64
}

async fn until_stopped<P: Pattern>(mut guard: impl AsyncGuard, stop: Arc<AtomicBool>) -> u64 {
    let mut calls = 0;
    // Relaxed: it ends a loop.
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..CALLS_A_TURN {
            black_box(guard.call(P::fails(calls)).await);
            calls += 1;
        }
        tokio::task::yield_now().await;
    }
    assert!(guard.call(false).await, "it must not have opened meanwhile");
    calls
}

/// The median and the 99th percentile of single calls by one task on a worker.
///
/// # Panics
///
/// If the task did.
pub fn one_by_one<P: Pattern>(
    runtime: &Runtime,
    span: Duration,
    guard: &impl AsyncGuard,
) -> [f64; 2] {
    let mut guard = guard.clone();
    let task = runtime.spawn(async move {
        let (begun, mut took) = (Instant::now(), Vec::new());
        while begun.elapsed() < span {
            let call = Instant::now();
            black_box(guard.call(P::fails(took.len() as u64)).await);
            took.push(call.elapsed());
        }
        took
    });
    let took = runtime
        .block_on(task)
        .expect("a measured call does not panic");
    middle_and_tail(took)
}

/// The median and the 99th percentile, in nanoseconds.
///
/// # Panics
///
/// If there is nothing to take them of.
#[must_use]
pub fn middle_and_tail(mut took: Vec<Duration>) -> [f64; 2] {
    took.sort_unstable();
    [50, 99].map(|percent| nanos(took[(took.len() - 1) * percent / 100]))
}

fn nanos(span: Duration) -> f64 {
    span.as_secs_f64() * 1e9
}

const BATCH: usize = 1_024;
const CALLS_A_TURN: usize = 64;
