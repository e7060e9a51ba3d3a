//! What a report says of children that block their thread.

use breakerbox_core::Strategy;

use super::worker::{block, worker};
use super::{kill, supervise};
use crate::supervisor::{ChildSpec, Departure, Report, Shutdown, Supervisor, SupervisorSpec};

/// A root with a level with a worker.
async fn root() -> Supervisor {
    let level = ChildSpec::supervisor("level", || {
        let worker = worker("worker").shutdown(Shutdown::Kill);
        SupervisorSpec::new("level", Strategy::OneForOne).child(worker)
    });
    supervise([level]).await
}

/// What is said of that worker where it is stuck.
const BOTH_STUCK: [(&str, Departure); 2] = [
    ("level/worker", Departure::Stuck),
    ("level", Departure::Stuck),
];

/// A supervisor that has stopped and removed a child each, which are stuck until
/// they are released.
async fn two_stuck() -> (Supervisor, impl Sized) {
    let children = ["stopped", "removed"].map(|name| worker(name).shutdown(Shutdown::Kill));
    let supervisor = supervise(children).await;
    let stopped = block(&supervisor.child("stopped").unwrap()).await;
    let removed = block(&supervisor.child("removed").unwrap()).await;
    assert_eq!(supervisor.stop("stopped").await, Ok(Departure::Stuck));
    assert_eq!(supervisor.remove("removed").await, Ok(Departure::Stuck));
    (supervisor, (stopped, removed))
}

fn departures(report: &Report) -> Vec<(&str, Departure)> {
    let stopped = report.stopped.iter();
    stopped.map(|it| (&*it.child, it.departure)).collect()
}

/// R34: a shutdown names also whom a command had stopped before.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r34_a_child_that_was_stuck_before_the_shutdown_is_in_its_report() {
    let (supervisor, release) = two_stuck().await;
    let report = supervisor.shutdown().await;
    let expected = [("stopped", Departure::Stuck), ("removed", Departure::Stuck)];
    assert_eq!(departures(&report), expected);
    drop(release);
}

/// R34: so does a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_that_was_stuck_before_the_kill_is_in_its_report() {
    let stuck = worker("stuck").shutdown(Shutdown::Kill);
    let supervisor = supervise([worker("fine"), stuck]).await;
    let release = block(&supervisor.child("stuck").unwrap()).await;
    assert_eq!(supervisor.remove("stuck").await, Ok(Departure::Stuck));
    let report = supervisor.kill().await;
    assert_eq!(departures(&report), [("stuck", Departure::Stuck)]);
    drop(release);
}

/// R34: and nobody who has ended since.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r34_a_child_that_was_stuck_and_has_ended_is_not_in_the_report() {
    let (supervisor, release) = two_stuck().await;
    drop(release);
    assert_eq!(departures(&supervisor.shutdown().await), []);
}

/// R34: a level that could stop, but for one below it, is not gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_level_with_a_stuck_child_departs_stuck() {
    let root = root().await;
    let release = block(&root.child("level/worker").unwrap()).await;
    assert_eq!(root.stop("level").await, Ok(Departure::Stuck));
    assert_eq!(departures(&root.shutdown().await), BOTH_STUCK);
    drop(release);
}

/// R34: also one that was killed, and waits for what is left to start again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_killed_level_with_a_stuck_child_departs_stuck() {
    let root = root().await;
    let release = block(&root.child("level/worker").unwrap()).await;
    kill(&root.supervisor("level").unwrap());
    assert_eq!(departures(&root.shutdown().await), BOTH_STUCK);
    drop(release);
}

/// R34: a kill names who is stuck at any depth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_stuck_child_of_a_level_is_in_the_report_of_a_killed_root() {
    let root = root().await;
    let release = block(&root.child("level/worker").unwrap()).await;
    assert_eq!(departures(&root.kill().await), BOTH_STUCK);
    drop(release);
}

/// R34: and names nobody twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_kill_after_the_shutdown_names_a_stuck_child_once() {
    let supervisor = supervise([worker("stuck").shutdown(Shutdown::Kill)]).await;
    let release = block(&supervisor.child("stuck").unwrap()).await;
    supervisor.shutdown().await;
    let report = supervisor.kill().await;
    assert_eq!(departures(&report), [("stuck", Departure::Stuck)]);
    drop(release);
}
