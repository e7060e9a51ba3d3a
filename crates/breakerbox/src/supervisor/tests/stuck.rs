//! What a report says of children that block their thread.

use super::supervise;
use super::worker::{block, worker};
use crate::supervisor::{Departure, Report, Shutdown};

fn departures(report: &Report) -> Vec<(&str, Departure)> {
    let stopped = report.stopped.iter();
    stopped.map(|it| (&*it.child, it.departure)).collect()
}

/// R34: a shutdown names also whom a command had stopped before.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r34_a_child_that_was_stuck_before_the_shutdown_is_in_its_report() {
    let children = ["stopped", "removed"].map(|name| worker(name).shutdown(Shutdown::Kill));
    let supervisor = supervise(children).await;
    let stopped = block(&supervisor.child("stopped").unwrap()).await;
    let removed = block(&supervisor.child("removed").unwrap()).await;
    assert_eq!(supervisor.stop("stopped").await, Ok(Departure::Stuck));
    assert_eq!(supervisor.remove("removed").await, Ok(Departure::Stuck));
    let report = supervisor.shutdown().await;
    let expected = [("stopped", Departure::Stuck), ("removed", Departure::Stuck)];
    assert_eq!(departures(&report), expected);
    drop((stopped, removed));
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
    let children = ["stopped", "removed"].map(|name| worker(name).shutdown(Shutdown::Kill));
    let supervisor = supervise(children).await;
    let stopped = block(&supervisor.child("stopped").unwrap()).await;
    let removed = block(&supervisor.child("removed").unwrap()).await;
    assert_eq!(supervisor.stop("stopped").await, Ok(Departure::Stuck));
    assert_eq!(supervisor.remove("removed").await, Ok(Departure::Stuck));
    drop((stopped, removed));
    assert_eq!(departures(&supervisor.shutdown().await), []);
}
