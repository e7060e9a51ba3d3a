use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{Backoff, Phase};

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, supervise, until};
use crate::supervisor::{
    AddError, Child, ChildKind, ChildSet, ChildSpec, Departure, RemoveError, SupervisorEvent,
};

/// A set "workers" of at most three, keyed by their names.
fn workers(log: &Arc<Log>) -> (ChildSpec, ChildSet<&'static str>) {
    let log = Arc::clone(log);
    ChildSpec::set("workers", 3, move |name| {
        let spec = WorkerSpec::new(name, &log).spec();
        spec.backoff(Backoff::fixed(SECOND))
    })
}

async fn fail(worker: &Child<WorkerMessage>) {
    let failed = |reply| WorkerMessage::Fail(Fault::Error, reply);
    worker.ask(failed, 60 * SECOND).await.unwrap_err();
}

/// R36: children of one recipe come and go.
#[tokio::test(start_paused = true)]
async fn r36_children_join_and_leave_a_set() {
    let log = Log::new();
    let (spec, set) = workers(&log);
    assert_eq!(set.add("early").await, Err(AddError::Ended));
    let root = supervise([spec]).await;
    for name in ["a", "b"] {
        set.add(name).await.unwrap();
    }
    let child = "a".to_owned();
    assert_eq!(set.add("a").await, Err(AddError::Duplicate { child }));
    assert_eq!(root.snapshot().children[0].kind, ChildKind::Set);
    let b: Child<WorkerMessage> = root.child("workers/b").unwrap();
    assert_eq!(b.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
    assert_eq!(set.remove("b").await, Ok(Departure::Stopped));
    let child = "b".to_owned();
    assert_eq!(set.remove("b").await, Err(RemoveError::Unknown { child }));
    root.shutdown().await;
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
    assert_eq!(set.add("late").await, Err(AddError::Ended));
}

/// T10: one that backs off keeps its place.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_backs_off_counts_towards_the_maximum() {
    let (spec, set) = workers(&Log::new());
    let root = supervise([spec]).await;
    for name in ["a", "b", "c"] {
        set.add(name).await.unwrap();
    }
    let mut events = root.events();
    fail(&root.child("workers/a").unwrap()).await;
    until(&mut events, exited).await;
    let status = root.snapshot().child("workers/a").unwrap().clone();
    assert_eq!(status.phase, Phase::BackingOff);
    assert_eq!(set.add("d").await, Err(AddError::Full { maximum: 3 }));
    tokio::time::sleep(2 * SECOND).await;
    let status = root.snapshot().child("workers/a").unwrap().clone();
    assert_eq!(status.phase, Phase::Up);
    set.remove("b").await.unwrap();
    set.add("d").await.unwrap();
}

/// R32: one that loops is given up and forgotten, and is nobody else's business.
#[tokio::test(start_paused = true)]
async fn r32_a_child_that_crash_loops_leaves_the_set_alone() {
    let log = Log::new();
    let loops = ChildSpec::set("set", 10, {
        let log = Arc::clone(&log);
        move |name| WorkerSpec::new(name, &log).spec()
    });
    let (spec, set) = loops;
    let root = supervise([spec, worker("other")]).await;
    for name in ["bad", "good"] {
        set.add(name).await.unwrap();
    }
    let bad: Child<WorkerMessage> = root.child("set/bad").unwrap();
    let mut events = root.events();
    for _ in 0..4 {
        fail(&bad).await;
    }
    let gave_up = |event: &SupervisorEvent| matches!(event, SupervisorEvent::GaveUp { .. });
    until(&mut events, gave_up).await;
    until(&mut events, super::stopped).await;
    let names = || {
        let children = set.supervisor().unwrap().snapshot().children;
        children
            .iter()
            .map(|it| it.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(), ["good"]);
    assert_eq!(root.snapshot().child("set/good").unwrap().restarts, 0);
    assert_eq!(root.snapshot().child("set").unwrap().restarts, 0);
    set.add("bad").await.unwrap();
    assert_eq!(names(), ["good", "bad"]);
}
