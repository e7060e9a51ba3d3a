//! Signals that come twice.

use super::start::hangs;
use super::*;

/// Where a lifecycle is when it is asked to end.
#[derive(Clone, Copy, Debug)]
enum During {
    Start,
    Drain,
    Stop,
}

impl During {
    /// Runs a service that is asked to end there, and again so much later.
    async fn ask_twice(self, pause: Duration) -> LifecycleReport {
        let worker = ChildSpec::actor("worker", || {
            let stops_within = SECOND;
            (Worker { stops_within }, ())
        });
        let spec = SupervisorSpec::new("tree", Strategy::OneForOne).child(worker);
        let (spec, delay) = match self {
            Self::Start => (spec.child(hangs("hangs")), SECOND),
            Self::Drain => (spec, SECOND),
            Self::Stop => (spec, Duration::ZERO),
        };
        let lifecycle = Lifecycle::new().drain_delay(delay);
        let (readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
        let run = tokio::spawn(lifecycle.run(spec));
        tokio::time::sleep(SECOND).await;
        assert_eq!(readiness.is_ready(), !matches!(self, Self::Start));
        stopper.stop();
        tokio::time::sleep(pause).await;
        stopper.stop();
        soon(run).await.unwrap().unwrap()
    }
}

/// R45: a shell and a container engine send each signal twice, and mean it once.
#[tokio::test(start_paused = true)]
async fn r45_a_signal_that_is_repeated_within_200_ms_counts_as_one() {
    let killed = LifecycleEnd::AskedAgain(Signal::Stopper);
    let in_order = LifecycleEnd::Asked(Signal::Stopper);
    let table = [
        (0, &in_order),
        (199, &in_order),
        (200, &in_order),
        (201, &killed),
        (900, &killed),
    ];
    for during in [During::Start, During::Drain, During::Stop] {
        for (pause, end) in table {
            let report = during.ask_twice(Duration::from_millis(pause)).await;
            assert_eq!(report.end, *end, "{during:?} {pause}");
            let was_killed = report.tree.end == End::Killed;
            assert_eq!(was_killed, *end == killed, "{during:?} {pause}");
        }
    }
}

/// R45: each one of a burst counts from the first, so that a burst ends.
#[tokio::test(start_paused = true)]
async fn r45_a_repeated_signal_does_not_lengthen_the_span() {
    let lifecycle = Lifecycle::new();
    let (mut readiness, stopper) = (lifecycle.readiness(), lifecycle.stopper());
    let run = tokio::spawn(lifecycle.run(tree(SECOND).await));
    assert!(soon(readiness.ready()).await);
    for _ in 0..3 {
        assert!(!run.is_finished());
        stopper.stop();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let report = soon(run).await.unwrap().unwrap();
    assert_eq!(report.end, LifecycleEnd::AskedAgain(Signal::Stopper));
    assert_eq!(report.took, Duration::from_millis(300));
}
