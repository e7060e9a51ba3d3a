use std::process::Command;
use std::time::{Duration, Instant};

use ractor::{Actor, ActorRef};
use tokio::runtime::Runtime;

use super::Row;
use crate::guards::{Shape, Shop};
use crate::stopwatch::middle_and_tail;
use crate::table::{Label, MEMORY, START_AND_STOP};
use crate::trees::{Bare, Breakerbox, Caller, Echo, Grows, Kameo, Question, Tree};
use crate::{crash_log, machine};

#[cfg(feature = "ractor-supervisor")]
mod ractor_supervisor;

pub(super) fn add(rows: &mut Vec<Row>) {
    for kind in [ACTOR, CHILD, KAMEO_CHILD, BREAKER] {
        rows.push(Row::one(MEMORY, kind, move |_, _| memory(kind)));
    }
    rows.push(Row::one(
        TIMES,
        "a question to a bare actor",
        |shop, span| question(shop.runtime(), span, bare(shop.runtime())),
    ));
    rows.push(through::<Breakerbox>("a question through the shell"));
    rows.push(through::<Kameo>("a question to a child of kameo"));
    rows.push(crash::<Breakerbox>("in place"));
    rows.push(crash::<Kameo>("kameo"));
    rows.push(all_at_once::<Bare>("bare, linked"));
    rows.push(all_at_once::<Breakerbox>("breakerbox"));
    rows.push(all_at_once::<Kameo>("kameo"));
    rows.push(one_by_one::<Bare>("bare, linked"));
    rows.push(one_by_one::<Breakerbox>("breakerbox"));
    rows.push(one_by_one::<Kameo>("kameo"));
    #[cfg(feature = "ractor-supervisor")]
    ractor_supervisor::add(rows);
}

/// Prints how many bytes an instance of this kind takes, in a process of its own.
pub fn memory_of(kind: &str) {
    let shop = Shop::new(machine::two_workers());
    let _warm = shop.breaker(Shape::HalfOfTwenty);
    let runtime = shop.runtime();
    match kind {
        ACTOR => report(|| (0..INSTANCES).map(|_| bare(runtime)).collect::<Vec<_>>()),
        CHILD => report(|| runtime.block_on(Breakerbox::start(INSTANCES))),
        KAMEO_CHILD => report(|| runtime.block_on(Kameo::start(INSTANCES))),
        #[cfg(feature = "ractor-supervisor")]
        ractor_supervisor::CHILD => ractor_supervisor::memory_of(runtime),
        _ => {
            let make = || shop.breaker(Shape::HalfOfTwenty);
            report(|| (0..INSTANCES).map(|_| make()).collect::<Vec<_>>());
        }
    }
}

fn report<T>(make: impl FnOnce() -> T) {
    let before = machine::resident();
    let made = make();
    println!("{}", (machine::resident() - before) / INSTANCES as u64);
    drop(made);
}

fn memory(kind: &str) -> f64 {
    let own = std::env::current_exe().expect("a process knows its program");
    let output = Command::new(own).args(["--memory", kind]).output();
    let bytes = output.expect("it runs once more").stdout;
    let bytes = String::from_utf8_lossy(&bytes);
    bytes.trim().parse().unwrap_or(f64::NAN)
}

fn bare(runtime: &Runtime) -> ActorRef<Question> {
    let spawned = runtime.block_on(Actor::spawn(None, Echo, ()));
    let (actor, _task) = spawned.expect("an actor starts");
    actor
}

fn through<T: Tree>(name: &str) -> Row {
    Row::one(TIMES, name, |shop, span| {
        let runtime = shop.runtime();
        let tree = runtime.block_on(T::start(1));
        let took = question(runtime, span, tree.first());
        runtime.block_on(tree.stop());
        took
    })
}

/// The median time that a question takes, asked by a task on a worker.
fn question(runtime: &Runtime, span: Duration, caller: impl Caller) -> f64 {
    let took = on_a_worker(runtime, async move {
        let (begun, mut took) = (Instant::now(), Vec::new());
        while begun.elapsed() < span {
            let asked = Instant::now();
            caller.ask().await;
            took.push(asked.elapsed());
        }
        took
    });
    middle_and_tail(took)[0]
}

/// The median times from where an actor returns an error, to its next
/// `pre_start` and to where a caller that asked at once has its answer.
fn crash<T: Tree>(make: &str) -> Row {
    let names = ["restarted", "answering"].map(|end| format!("crash to {end}, {make}"));
    Row {
        group: TIMES,
        measure: Box::new(|shop, _| {
            let took = on_a_worker(shop.runtime(), crashes::<T>());
            took.map(|took| middle_and_tail(took)[0]).into()
        }),
        labels: names.map(Label::from).into(),
    }
}

async fn crashes<T: Tree>() -> [Vec<Duration>; 2] {
    let tree = T::start(1).await;
    let child = tree.first();
    let _of_others = crash_log::take();
    for _ in 0..CRASHES {
        child.crash().await;
        child.ask().await;
        crash_log::answered();
    }
    tree.stop().await;
    let took = crash_log::take();
    assert!(
        took.iter().all(|took| took.len() == CRASHES),
        "a crash was missed"
    );
    took
}

/// Microseconds a child, of those that start and stop with their supervisor.
fn all_at_once<T: Tree>(make: &str) -> Row {
    start_and_stop(&format!("{make}, all at once"), |shop| {
        on_a_worker(shop.runtime(), async {
            let begun = Instant::now();
            let tree = T::start(INSTANCES).await;
            let started = begun.elapsed();
            let stopping = Instant::now();
            tree.stop().await;
            [started, stopping.elapsed()]
        })
    })
}

/// Microseconds a child, of those that are added and removed one after another.
fn one_by_one<T: Grows>(make: &str) -> Row {
    start_and_stop(&format!("{make}, one by one"), |shop| {
        on_a_worker(shop.runtime(), async {
            let mut tree = T::start(0).await;
            let begun = Instant::now();
            for _ in 0..INSTANCES {
                tree.add().await;
            }
            let started = begun.elapsed();
            let stopping = Instant::now();
            for _ in 0..INSTANCES {
                tree.remove().await;
            }
            let stopped = stopping.elapsed();
            tree.stop().await;
            [started, stopped]
        })
    })
}

fn start_and_stop(name: &str, measure: impl Fn(&Shop) -> [Duration; 2] + 'static) -> Row {
    let each = |took: Duration| took.as_secs_f64() * 1e6 / INSTANCES as f64;
    Row {
        group: START_AND_STOP,
        measure: Box::new(move |shop, _| measure(shop).map(each).into()),
        labels: ["start", "stop"]
            .map(|end| format!("{name}, {end}").into())
            .into(),
    }
}

fn on_a_worker<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let task = runtime.spawn(work);
    runtime
        .block_on(task)
        .expect("a measured task does not panic")
}

const ACTOR: &str = "a bare ractor actor";
const BREAKER: &str = "a breaker, all told";
const CHILD: &str = "a supervised actor in its shell";
const CRASHES: usize = 500;
const INSTANCES: usize = 10_000;
const KAMEO_CHILD: &str = "a child of kameo";
const TIMES: &str = "Actors and supervision";
