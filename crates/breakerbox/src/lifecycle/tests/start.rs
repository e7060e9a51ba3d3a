//! A lifecycle that starts its tree itself.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::*;
use crate::{StartError, lock};

/// A child that never comes up.
pub(super) fn hangs(name: &'static str) -> ChildSpec {
    let run = |stop: crate::CancellationToken, ready| async move {
        stop.cancelled().await;
        drop(ready);
        Ok::<_, String>(())
    };
    ChildSpec::task_with_readiness(name, run).start_timeout(3_600 * SECOND)
}

/// An actor that tells when it starts and stops, which takes a second.
struct Told {
    lines: Lines,
    name: &'static str,
}

type Lines = Arc<Mutex<Vec<String>>>;

impl Told {
    fn spec(name: &'static str, lines: &Lines) -> ChildSpec {
        let lines = Arc::clone(lines);
        ChildSpec::actor(name, move || {
            let lines = Arc::clone(&lines);
            (Self { lines, name }, ())
        })
    }

    fn tell(&self, what: &str) {
        let line = format!("{} {what}", self.name);
        lock::with(&self.lines, |lines| lines.push(line));
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Told {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        self.tell("starts");
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(SECOND).await;
        self.tell("stopped");
        Ok(())
    }
}

fn spec(children: impl IntoIterator<Item = ChildSpec>) -> SupervisorSpec {
    let spec = SupervisorSpec::new("tree", Strategy::OneForOne);
    children.into_iter().fold(spec, SupervisorSpec::child)
}

/// A child that fails to start a second after it has begun to.
fn fails(name: &'static str) -> ChildSpec {
    ChildSpec::task_with_readiness(name, |_, ready| async move {
        tokio::time::sleep(SECOND).await;
        drop(ready);
        Err("there is no disk".to_owned())
    })
}

/// R45: the tree is ready by being up, and not by being returned from a start.
#[tokio::test(start_paused = true)]
async fn r45_a_service_is_ready_once_its_tree_is_up() {
    let slow = ChildSpec::task_with_readiness(
        "slow",
        |stop: crate::CancellationToken, ready: crate::Ready| async move {
            tokio::time::sleep(3 * SECOND).await;
            ready.notify();
            stop.cancelled().await;
            Ok::<_, String>(())
        },
    );
    let lifecycle = Lifecycle::new().drain_delay(SECOND);
    let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
    assert!(readiness.supervisor().is_none());
    let began = Instant::now();
    let run = tokio::spawn(lifecycle.run(spec([slow])));
    assert!(soon(readiness.ready()).await);
    assert_eq!(began.elapsed(), 3 * SECOND);
    let tree = readiness.supervisor().unwrap();
    assert_eq!(
        tree.snapshot().child("slow").unwrap().phase,
        crate::Phase::Up
    );
    stopper.stop();
    assert!(!readiness.is_ready(), "at once, whoever runs next");
    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.took, SECOND, "the drain delay");
    assert_eq!(report.exit_code(), ExitCode::SUCCESS);
    assert_eq!(tree.snapshot().phase, crate::Phase::Down);
}

/// R45, R30: nobody was sent a request, and nobody is left behind.
#[tokio::test(start_paused = true)]
async fn r45_a_signal_while_the_tree_starts_calls_the_start_off_in_order() {
    let lines = Lines::default();
    let children = [
        Told::spec("one", &lines),
        Told::spec("two", &lines),
        hangs("hangs"),
        Told::spec("never", &lines),
    ];
    let lifecycle = Lifecycle::new().drain_delay(3_600 * SECOND);
    let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
    let run = tokio::spawn(lifecycle.run(spec(children)));
    tokio::time::sleep(SECOND).await;
    let tree = readiness.supervisor().unwrap();
    assert_eq!(tree.snapshot().phase, crate::Phase::Starting);
    stopper.stop();
    assert!(!soon(readiness.ready()).await, "it never will be");
    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.end, LifecycleEnd::Asked(Signal::Stopper));
    assert_eq!(report.tree.end, End::ShutDown);
    assert_eq!(report.exit_code(), ExitCode::SUCCESS);
    assert_eq!(report.took, 2 * SECOND, "a second for each that was up");
    let told = lock::with(&lines, |lines| lines.clone());
    assert_eq!(
        told,
        ["one starts", "two starts", "two stopped", "one stopped"]
    );
}

/// R45: a second signal does not wait for those who stop.
#[tokio::test(start_paused = true)]
async fn r45_a_second_signal_while_the_tree_starts_kills_it() {
    let lines = Lines::default();
    let lifecycle = Lifecycle::new();
    let stopper = lifecycle.stopper();
    let children = [Told::spec("one", &lines), hangs("hangs")];
    let run = tokio::spawn(lifecycle.run(spec(children)));
    for _ in 0..2 {
        tokio::time::sleep(SECOND / 2).await;
        stopper.stop();
    }
    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.end, LifecycleEnd::AskedAgain(Signal::Stopper));
    assert_eq!(report.tree.end, End::Killed);
    assert_eq!(report.exit_code(), ExitCode::from(143));
    assert_eq!(report.took, SECOND / 2);
    assert_eq!(lock::with(&lines, |lines| lines.clone()), ["one starts"]);
}

/// R45: a start that fails is the service's failure, whatever signal comes then.
#[tokio::test(start_paused = true)]
async fn r45_a_start_that_fails_is_a_failure_of_the_service() {
    let why = "child \"fails\" could not be started: there is no disk";
    let children = "2 of 2 children stopped by themselves";
    let by_itself = format!("tree: did not start: {why}; {children}");
    let asked = format!(
        "tree: failed: \"fails\" could not be started: there is no disk; \
         stopped after stop in 500.0ms; {children}"
    );
    // The start fails after a second, and takes another one to be rolled back.
    for (signal_after, says) in [(None, by_itself), (Some(1_500), asked)] {
        let lines = Lines::default();
        let lifecycle = Lifecycle::new();
        let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
        let children = [Told::spec("one", &lines), fails("fails")];
        let run = tokio::spawn(lifecycle.run(spec(children)));
        let began = Instant::now();
        assert!(!soon(readiness.ready()).await);
        assert_eq!(began.elapsed(), SECOND, "from the moment that it fails");
        if let Some(after) = signal_after {
            tokio::time::sleep_until(began + Duration::from_millis(after)).await;
            stopper.stop();
        }
        let report = soon(run).await.unwrap().unwrap();
        assert_eq!(began.elapsed(), 2 * SECOND);
        assert_eq!(report.exit_code(), ExitCode::FAILURE);
        assert_eq!(report.to_string(), says);
    }
}

/// R45: so is one that is refused before anything is started.
#[tokio::test(start_paused = true)]
async fn r45_a_spec_that_is_refused_is_a_failure_of_the_service() {
    let lifecycle = Lifecycle::new();
    let mut readiness = lifecycle.readiness();
    let report = soon(lifecycle.run(spec([hangs("twin"), hangs("twin")]))).await;
    let report = report.unwrap();
    let child = "twin".to_owned();
    let error = StartError::Duplicate { child };
    assert_eq!(report.end, LifecycleEnd::StartFailed(error));
    assert_eq!(report.tree.end, End::NeverStarted);
    assert_eq!(report.exit_code(), ExitCode::FAILURE);
    assert!(!soon(readiness.ready()).await);
    let says = "tree: did not start: two children are named \"twin\"";
    assert!(report.to_string().starts_with(says), "{report}");
}

/// R45, R40: whoever drops a lifecycle that starts its tree calls the start off.
#[tokio::test(start_paused = true)]
async fn r45_a_lifecycle_that_is_dropped_while_it_starts_leaves_nobody() {
    let lines = Lines::default();
    let lifecycle = Lifecycle::new();
    let mut readiness = lifecycle.readiness();
    let children = [Told::spec("one", &lines), hangs("hangs")];
    let run = tokio::spawn(lifecycle.run(spec(children)));
    tokio::time::sleep(SECOND).await;
    let tree = readiness.supervisor().unwrap();
    run.abort();
    assert!(!soon(readiness.ready()).await);
    assert_eq!(soon(tree.ended()).await.end, End::ShutDown);
    let told = lock::with(&lines, |lines| lines.clone());
    assert_eq!(told, ["one starts", "one stopped"]);
}
