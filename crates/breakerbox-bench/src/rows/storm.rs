//! How many calls are let through to a server that is down.

use std::sync::Barrier;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::Row;
use crate::guards::{
    Boxed, Breaks, CircuitbreakerRs, Failsafe, InMutex, Nobreak, Recloser, Shape, Shop,
};
use crate::machine;
use crate::table::Label;
use crate::work::Failed;

pub(super) fn add(rows: &mut Vec<Row>) {
    rows.push(storms("breakerbox, its runtime idle", |shop, storm| {
        storm.calls_admitted_by(&Boxed(shop.breaker(SHAPE)))
    }));
    rows.push(storms("breakerbox, both workers blocked", |shop, storm| {
        let breaker = Boxed(shop.breaker(SHAPE));
        let _blocked = block(shop.runtime());
        storm.calls_admitted_by(&breaker)
    }));
    rows.push(peer("its circuit in a mutex", || InMutex::new(SHAPE)));
    rows.push(peer("recloser", || Recloser::new(SHAPE)));
    rows.push(peer("failsafe", || Failsafe::new(SHAPE)));
    rows.push(peer("nobreak", || Nobreak::in_a_row(FAILURES as usize)));
    rows.push(peer("circuitbreaker-rs", || CircuitbreakerRs::new(SHAPE)));
}

fn peer<B: Breaks>(name: &str, make: impl Fn() -> B + 'static) -> Row {
    storms(name, move |_, storm| storm.calls_admitted_by(&make()))
}

fn storms(name: &str, measure: impl Fn(&Shop, &Storm) -> u64 + 'static) -> Row {
    let storms = [1, 8, 32].into_iter().flat_map(|threads| {
        let storm = move |call| Storm { call, threads };
        CALLS.map(storm)
    });
    let storms: Vec<_> = storms.collect();
    Row {
        group: ADMITTED,
        labels: storms.iter().map(|storm| storm.label(name)).collect(),
        measure: Box::new(move |shop, _| {
            let storms = storms.iter();
            storms.map(|storm| measure(shop, storm) as f64).collect()
        }),
    }
}

/// Threads that call a server that is down, until they are rejected.
struct Storm {
    /// How long the server takes to fail.
    call: Duration,
    threads: usize,
}

impl Storm {
    fn label(&self, name: &str) -> Label {
        Label {
            column: Some(format!("{} x {:?}", self.threads, self.call)),
            name: name.into(),
        }
    }

    fn calls_admitted_by(&self, breaker: &impl Breaks) -> u64 {
        let start = Barrier::new(self.threads);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|nth| {
                    let start = &start;
                    scope.spawn(move || {
                        machine::pin(nth % 2);
                        start.wait();
                        self.calls_of_one_thread(breaker)
                    })
                })
                .collect();
            let calls = threads.into_iter().map(ScopedJoinHandle::join);
            calls
                .map(|calls| calls.expect("a call does not panic"))
                .sum()
        })
    }

    fn calls_of_one_thread(&self, breaker: &impl Breaks) -> u64 {
        let (mut admitted, mut before) = (0, None);
        while before != Some(admitted) {
            before = Some(admitted);
            breaker.protect(|| {
                admitted += 1;
                if !self.call.is_zero() {
                    thread::sleep(self.call);
                }
                Err(Failed)
            });
        }
        admitted
    }
}

/// Blocks both workers until what it returns is dropped, for 500 ms at most.
///
/// One after the other: a worker that takes both tasks keeps the second.
fn block(runtime: &Runtime) -> [Sender<()>; 2] {
    [(); 2].map(|()| {
        let (begins, begun) = channel();
        let (release, released) = channel();
        runtime.spawn(async move {
            // Whoever waits for it is there until then.
            let _heard = begins.send(());
            let _released = released.recv_timeout(BLOCKED);
        });
        begun.recv().expect("the task begins");
        release
    })
}

const ADMITTED: &str = "Calls admitted until all are rejected, threads x time of a call";
const BLOCKED: Duration = Duration::from_millis(500);
const CALLS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_micros(50),
    Duration::from_millis(1),
];
const FAILURES: u32 = 5;
const SHAPE: Shape = Shape::InARow(FAILURES);
