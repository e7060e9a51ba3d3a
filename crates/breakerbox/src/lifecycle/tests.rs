mod ends;
mod repeats;
mod start;

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::{Instant, timeout};

use super::*;
use crate::{ChildSpec, Departure, End, Exit, Shutdown, Strategy, Supervisor, SupervisorSpec};

const SECOND: Duration = Duration::from_secs(1);

/// An actor whose `post_stop` takes this long.
struct Worker {
    stops_within: Duration,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), (): &mut ()) -> Result<(), ActorProcessingErr> {
        Err("it was told to fail".into())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(self.stops_within).await;
        Ok(())
    }
}

async fn tree(stops_within: Duration) -> Supervisor {
    let worker = ChildSpec::actor("worker", move || (Worker { stops_within }, ()));
    SupervisorSpec::new("tree", Strategy::OneForOne)
        .child(worker.shutdown(Shutdown::Within(3 * SECOND)))
        .start()
        .await
        .unwrap()
}

/// Whatever it is, it must not take a day.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(86_400), future).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn r39_it_is_ready_while_the_tree_runs_and_serves_on_for_the_drain_delay() {
    let lifecycle = Lifecycle::new().drain_delay(4 * SECOND);
    let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
    assert!(!readiness.is_ready(), "nothing runs yet");
    let tree = tree(2 * SECOND).await;
    let worker = tree.child::<()>("worker").unwrap();
    let run = tokio::spawn(lifecycle.run(tree));
    assert!(soon(readiness.ready()).await);

    let asked = Instant::now();
    stopper.stop();
    soon(readiness.not_ready()).await;
    assert_eq!(asked.elapsed(), Duration::ZERO, "it says so at once");
    tokio::time::advance(3 * SECOND).await;
    assert_eq!(worker.status().phase, crate::Phase::Up, "it serves on");

    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.end, LifecycleEnd::Asked(Signal::Stopper));
    assert_eq!(report.took, 6 * SECOND, "the delay, and the worker's stop");
    assert_eq!(report.tree.unclean().count(), 0);
    assert_eq!(
        report.to_string(),
        "tree: stopped after stop in 6.0s; 1 of 1 children stopped by themselves"
    );
}

#[tokio::test(start_paused = true)]
async fn r39_a_second_signal_ends_it_at_once() {
    for asked_again_after in [SECOND, 6 * SECOND] {
        let lifecycle = Lifecycle::new();
        let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
        let tree = tree(2 * SECOND).await;
        let run = tokio::spawn(lifecycle.run(tree));
        assert!(soon(readiness.ready()).await);
        stopper.stop();
        soon(readiness.not_ready()).await;
        tokio::time::sleep(asked_again_after).await;
        stopper.stop();
        let report = soon(run).await.unwrap().unwrap();
        assert_eq!(report.end, LifecycleEnd::AskedAgain(Signal::Stopper));
        assert_eq!(report.took, asked_again_after);
        assert_eq!(report.tree.end, End::Killed);
    }
}

#[tokio::test(start_paused = true)]
async fn r39_a_tree_that_ends_by_itself_is_not_ready_and_says_why() {
    let lifecycle = Lifecycle::new();
    let mut readiness = lifecycle.readiness();
    let limit = crate::RestartIntensity::new(0, SECOND);
    let worker = ChildSpec::actor("worker", || {
        let stops_within = Duration::ZERO;
        (Worker { stops_within }, ())
    });
    let spec = SupervisorSpec::new("tree", Strategy::OneForOne).intensity(limit);
    let tree = spec.child(worker).start().await.unwrap();
    let worker = tree.child::<()>("worker").unwrap();
    let run = tokio::spawn(lifecycle.run(tree));
    assert!(soon(readiness.ready()).await);
    worker.actor().cast(()).unwrap();
    soon(readiness.not_ready()).await;
    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.end, LifecycleEnd::TreeEnded);
    let exit = Exit::Error("it was told to fail".into());
    assert!(matches!(&report.tree.end, End::Escalated { exit: last, .. } if *last == exit));
    assert!(!readiness.is_ready());
}

#[tokio::test(start_paused = true)]
async fn r34_who_had_to_be_killed_is_in_the_report() {
    let lifecycle = Lifecycle::new().drain_delay(Duration::ZERO);
    let stopper = lifecycle.stopper();
    stopper.stop();
    let report = soon(lifecycle.run(tree(3_600 * SECOND).await))
        .await
        .unwrap();
    let unclean: Vec<_> = report.tree.unclean().collect();
    assert_eq!(unclean[0].departure, Departure::Killed);
    assert!(
        report.to_string().ends_with("\n  worker Killed"),
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn r39_once_it_is_dropped_it_is_not_ready() {
    let lifecycle = Lifecycle::new();
    let mut readiness = lifecycle.readiness();
    let tree = tree(Duration::ZERO).await;
    let run = tokio::spawn(lifecycle.run(tree.clone()));
    assert!(soon(readiness.ready()).await);
    run.abort();
    soon(readiness.not_ready()).await;
    assert!(!readiness.is_ready());
    assert!(!soon(readiness.ready()).await);
    drop(tree);
}
