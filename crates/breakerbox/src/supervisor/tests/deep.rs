//! Trees of many levels, on a small stack.

use std::sync::Arc;
use std::thread;

use breakerbox_core::{ChildPolicy, Phase, RestartIntensity, Strategy, Supervision};
use tokio::runtime::{Builder, Runtime};

use super::worker::{Fault, WorkerMessage, block, worker};
use super::{SECOND, restarted, spec, until};
use crate::clock;
use crate::supervisor::{
    Child, ChildKind, ChildSnapshot, ChildSpec, End, Supervisor, SupervisorSnapshot, SupervisorSpec,
};

/// Runs it on a thread that a call for each of a thousand levels would end.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(STACK);
    thread.spawn(run).unwrap().join().unwrap();
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

/// A level within a level, and so on, so many; the lowest one has an actor.
fn levels(levels: usize) -> ChildSpec {
    if levels == 0 {
        return worker("actor");
    }
    ChildSpec::supervisor("l", move || {
        SupervisorSpec::new("l", Strategy::OneForOne).child(self::levels(levels - 1))
    })
}

fn path_to_actor(levels: usize) -> String {
    "l/".repeat(levels) + "actor"
}

async fn deep(levels: usize) -> Supervisor {
    spec([self::levels(levels)]).start().await.unwrap()
}

/// R44: a tree starts, is shown, restarted at the bottom and ended, however deep it is.
#[test]
fn r44_a_tree_may_have_thousands_of_levels() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let root = deep(LEVELS).await;
            let mut events = root.events();
            let path = path_to_actor(LEVELS);
            let actor: Child<WorkerMessage> = root.child(&path).unwrap();
            let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
            actor.ask(fail, SECOND).await.unwrap_err();
            let event = until(&mut events, restarted).await;
            assert_eq!(
                event.to_string(),
                format!("{path}: up again, incarnation 2")
            );
            root.restart(&path).await.unwrap();
            assert_eq!(actor.status().incarnation.number(), 3);

            let snapshot = root.snapshot();
            assert_eq!(snapshot.child(&path).unwrap().restarts, 2);
            assert_eq!(snapshot.to_string().lines().count(), LEVELS + 2);
            let report = root.shutdown().await;
            assert_eq!(report.end, End::ShutDown);
            assert_eq!(report.stopped.len(), LEVELS + 1);
            assert_eq!(*report.stopped[0].child, *path);
            assert_eq!(root.snapshot().child(&path).unwrap().phase, Phase::Down);
        });
    });
}

/// R44: so it does when it is killed or the runtime goes first, whoever holds it last.
#[test]
fn r44_a_tree_of_thousands_of_levels_may_be_killed_or_dropped() {
    on_a_small_stack(|| {
        runtime().block_on(async {
            let root = deep(LEVELS).await;
            let lowest: Child<WorkerMessage> = root.child(&path_to_actor(LEVELS)).unwrap();
            let report = root.kill().await;
            assert_eq!((report.end, report.stopped.len()), (End::Killed, 0));
            lowest.actor().wait(None).await.unwrap();
        });
        let runtime = runtime();
        let root = runtime.block_on(deep(LEVELS));
        drop(runtime);
        assert_eq!(root.snapshot().phase, Phase::Down);
    });
}

/// R44: what is stuck at the bottom is named, and each level above it.
#[test]
fn r44_a_stuck_child_below_thousands_of_levels_is_named() {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(2).thread_stack_size(STACK);
    let runtime = builder.enable_all().build().unwrap();
    // Not a task of the runtime: what the child wakes as it blocks might wait for it.
    let report = runtime.block_on(async {
        let root = deep(LEVELS).await;
        let lowest = root.child(&path_to_actor(LEVELS)).unwrap();
        let release = block(&lowest).await;
        let report = root.kill().await;
        drop(release);
        report
    });
    assert_eq!(report.unclean().count(), LEVELS + 1);
    assert_eq!(*report.stopped[0].child, *path_to_actor(LEVELS));
    assert_eq!(*report.stopped[LEVELS].child, *"l");
}

/// A snapshot of a chain of so many levels.
fn chain(levels: u64) -> SupervisorSnapshot {
    let intensity = RestartIntensity::new(0, SECOND);
    let mut supervision = Supervision::new(Strategy::OneForOne, intensity, 0);
    let child = supervision.add(ChildPolicy::new(), clock::now()).unwrap();
    let status = supervision.status(child).unwrap();
    let children = (0..levels).fold(Vec::new(), |children, level| {
        vec![ChildSnapshot {
            children,
            dropped: level,
            kind: ChildKind::Supervisor,
            name: Arc::from("l"),
            status: status.clone(),
        }]
    });
    SupervisorSnapshot {
        children,
        name: Arc::from("root"),
        phase: Phase::Up,
    }
}

/// R44: whatever is done with a snapshot needs as much stack for ten thousand levels as for
/// one, and its drawing as much text for each.
#[test]
fn r44_a_snapshot_may_have_tens_of_thousands_of_levels() {
    on_a_small_stack(|| {
        let snapshot = chain(20_000);
        let same = snapshot.clone();
        assert_eq!(snapshot, same);
        assert_ne!(snapshot, chain(19_999));
        let path = ["l"; 20_000].join("/");
        assert!(snapshot.child(&path).is_some());
        assert_eq!(snapshot.child(&(path + "/l")), None);
        let drawn = snapshot.to_string();
        assert_eq!(drawn.lines().count(), 20_001);
        let longest = drawn.lines().map(str::len).max();
        assert!(longest < Some(400), "{longest:?}");
        assert!(format!("{snapshot:?}").len() < 20_000 * 400);
        let mut first = snapshot;
        drop(first.children.pop().unwrap().clone());
    });
}

/// R44: a level deeper than a screen is wide has its number.
#[test]
fn r44_the_drawing_of_a_deep_tree_numbers_its_levels() {
    let drawn = chain(34).to_string();
    let rows: Vec<_> = drawn.lines().skip(32).map(str::trim_start).collect();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row.split("  ").next().unwrap())
        .collect();
    assert_eq!(names, ["\u{2514} l", "(33) \u{2514} l", "(34) \u{2514} l"]);
}

const LEVELS: usize = 2_000;

/// Calls for each of a thousand levels would need more.
const STACK: usize = 512 * 1_024;
