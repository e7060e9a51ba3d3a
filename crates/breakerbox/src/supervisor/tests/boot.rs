use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{Exit, Phase, RestartIntensity};
use ractor::ActorRef;

use super::scripted::{Bomb, Script};
use super::worker::{Log, Worker, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, spec, supervise};
use crate::supervisor::{ChildError, ChildSpec, RestartError, StartError};

/// R30: up means that every `pre_start` has returned, in order.
#[tokio::test(start_paused = true)]
async fn r30_a_start_returns_when_every_child_is_up() {
    let log = Log::new();
    let names = ["one", "two", "three"];
    let supervisor = supervise(names.map(|name| WorkerSpec::new(name, &log).spec())).await;
    let started = names.map(|name| format!("{name} 1 started"));
    // The log counts the incarnations of all three together.
    let lines: Vec<_> = log.read().iter().map(|line| without_number(line)).collect();
    assert_eq!(lines, started.map(|line| without_number(&line)));
    let snapshot = supervisor.snapshot();
    assert_eq!(snapshot.phase, Phase::Up);
    let shown: Vec<_> = snapshot.children.iter().map(|child| &*child.name).collect();
    assert_eq!(shown, names);
    let phases = snapshot.children.iter().map(|child| child.status.phase);
    assert!(phases.into_iter().all(|phase| phase == Phase::Up));
}

/// R30: a child that fails brings those before it down in reverse.
#[tokio::test(start_paused = true)]
async fn r30_a_failed_start_is_rolled_back_in_reverse_and_names_the_child() {
    let log = Log::new();
    let mut failing = WorkerSpec::new("three", &log);
    failing.fails_in_pre_start_from = 1;
    let children = [
        WorkerSpec::new("one", &log).spec(),
        WorkerSpec::new("two", &log).spec(),
        failing.spec(),
        WorkerSpec::new("four", &log).spec(),
    ];
    let error = spec(children).start().await.unwrap_err();
    let exit = Exit::InitFailed("failed to start".into());
    let child = "three".to_owned();
    assert_eq!(error, StartError::Child { child, exit });
    let expected = "child \"three\" could not be started: failed to start";
    assert_eq!(error.to_string(), expected);
    let expected = [
        "one 1 started",
        "two 2 started",
        "two 2 stopped",
        "one 1 stopped",
    ];
    assert_eq!(log.read(), expected);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R30 (T14): a start that hangs ends at the child's start timeout.
#[tokio::test(start_paused = true)]
async fn r30_a_hung_start_ends_at_its_timeout() {
    let log = Log::new();
    let mut hung = WorkerSpec::new("hung", &log);
    hung.hangs_in_pre_start_from = 1;
    let children = [worker("fine"), hung.spec().start_timeout(3 * SECOND)];
    let began = tokio::time::Instant::now();
    let error = spec(children).start().await.unwrap_err();
    let exit = Exit::InitFailed("it did not start within 3s".into());
    let child = "hung".to_owned();
    assert_eq!(error, StartError::Child { child, exit });
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R30 (T15): a panic while the actor is made is the child's failure.
#[tokio::test(start_paused = true)]
async fn r30_a_constructor_that_panics_fails_the_start() {
    fn panics() -> (Worker, WorkerSpec) {
        panic!("panics")
    }
    let error = spec([ChildSpec::actor("panics", panics)]).start().await;
    let exit = Exit::InitFailed("panics".into());
    let child = "panics".to_owned();
    assert_eq!(error.unwrap_err(), StartError::Child { child, exit });
}

/// R30, R35: names are looked at before anything is started.
#[tokio::test(start_paused = true)]
async fn r30_two_children_of_one_name_are_refused() {
    let log = Log::new();
    let children = ["twin", "twin"].map(|name| WorkerSpec::new(name, &log).spec());
    let error = spec(children).start().await.unwrap_err();
    let child = "twin".to_owned();
    assert_eq!(error, StartError::Duplicate { child });
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 0);
}

/// R30, R32: a child that crashes too often while others start fails the start.
#[tokio::test(start_paused = true)]
async fn r30_a_child_that_fails_too_often_during_the_start_fails_it() {
    let log = Log::new();
    let mut failing = WorkerSpec::new("failing", &log);
    failing.panics_in_post_start_of = 1;
    let mut hung = WorkerSpec::new("hung", &Log::new());
    hung.hangs_in_pre_start_from = 1;
    let none = RestartIntensity::new(0, SECOND);
    let children = [failing.spec(), hung.spec()];
    let error = spec(children).intensity(none).start().await.unwrap_err();
    let exit = Exit::Panicked("failed".into());
    let child = "failing".to_owned();
    assert_eq!(error, StartError::Child { child, exit });
}

/// R30, R40: whoever stops waiting for a start leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn r30_a_start_that_is_dropped_is_rolled_back() {
    let log = Log::new();
    let mut hung = WorkerSpec::new("hung", &Log::new());
    hung.hangs_in_pre_start_from = 1;
    let hung_log = Arc::clone(&hung.log);
    let children = [WorkerSpec::new("fine", &log).spec(), hung.spec()];
    let start = spec(children).start();
    assert!(tokio::time::timeout(SECOND, start).await.is_err());
    while log.running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.read(), ["fine 1 started", "fine 1 stopped"]);
    assert_eq!(hung_log.running.load(Ordering::SeqCst), 0);
}

/// R35: a handle is for the messages that the child takes.
#[tokio::test(start_paused = true)]
async fn r35_a_handle_is_typed_and_checked() {
    let supervisor = supervise([worker("worker")]).await;
    let other = supervisor.child::<u8>("worker").unwrap_err();
    let expected = "child \"worker\" does not take messages of type u8";
    assert_eq!(other.to_string(), expected);
    let child = "nobody".to_owned();
    let unknown = supervisor.child::<WorkerMessage>("nobody").unwrap_err();
    assert_eq!(unknown, ChildError::Unknown { child });
}

/// R19: two trees with the same names never meet.
#[tokio::test(start_paused = true)]
async fn r19_names_are_of_one_supervisor() {
    let first = supervise([worker("worker")]).await;
    let second = supervise([worker("worker")]).await;
    let actors = [first, second].map(|supervisor| {
        let child = supervisor.child::<WorkerMessage>("worker").unwrap();
        child.actor()
    });
    assert_ne!(actors[0], actors[1]);
    assert!(ActorRef::<WorkerMessage>::where_is("worker").is_none());
}

fn without_number(line: &str) -> String {
    line.replace(|c: char| c.is_ascii_digit(), "")
}

/// R30: a panic in the drop of a start that is too late is not its exit.
#[tokio::test(start_paused = true)]
async fn r30_a_start_that_panics_when_it_is_dropped_has_timed_out() {
    let late_from = |first| {
        let script = Script::new(&Log::new()).pre_start(move |number, _| async move {
            if number >= first {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            }
            Ok(())
        });
        script.child("late").start_timeout(SECOND)
    };
    let child = "late".to_owned();
    let exit = Exit::InitFailed("it did not start within 1s".into());
    let restarting = supervise([late_from(2)]).await;
    let restarted = restarting.restart("late").await.unwrap_err();
    let failed = RestartError::Failed {
        child: child.clone(),
        exit: exit.clone(),
    };
    assert_eq!(restarted, failed);
    let not_started = spec([late_from(1)]).start().await.unwrap_err();
    assert_eq!(not_started, StartError::Child { child, exit });
}
