use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec};
use super::{SECOND, supervise};
use crate::supervisor::Supervisor;

/// R33, R34, R35, R36: whatever is done to children at once, no two incarnations
/// of one overlap, the supervisor answers, and nothing is left in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_random_concurrent_commands_leave_nothing_behind() {
    for seed in 0..10 {
        let logs: Vec<_> = NAMES.iter().map(|_| Log::new()).collect();
        let supervisor = supervise([]).await;
        let tasks = (0..4).map(|task| {
            let rng = fastrand::Rng::with_seed(seed * 4 + task);
            tokio::spawn(send_commands(supervisor.clone(), logs.clone(), rng))
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        let report = supervisor.shutdown().await;
        assert_eq!(report.unclean().count(), 0, "{report:?}");
        for log in logs {
            assert_eq!(log.running.load(Ordering::SeqCst), 0, "seed {seed}");
            assert!(log.most_running.load(Ordering::SeqCst) <= 1, "seed {seed}");
        }
    }
}

async fn send_commands(supervisor: Supervisor, logs: Vec<Arc<Log>>, mut rng: fastrand::Rng) {
    for _ in 0..200 {
        let which = rng.usize(..NAMES.len());
        let name = NAMES[which];
        let child = supervisor.child::<WorkerMessage>(name);
        match (rng.u8(..9), child) {
            (0, _) => drop(supervisor.remove(name).await),
            (1, Ok(child)) => child.actor().kill(),
            (2, Ok(child)) => child.actor().stop(None),
            (3, Ok(child)) => drop(child.actor().drain()),
            (4 | 5, Ok(child)) => {
                let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
                let _crashed = child.ask(fail, 60 * SECOND).await;
            }
            (6 | 7, Ok(child)) => drop(child.ask(WorkerMessage::Incarnation, 60 * SECOND).await),
            (8, Ok(_)) => drop(supervisor.restart(name).await),
            (_, Err(_)) => {
                let spec = WorkerSpec::new(name, &logs[which]).spec();
                drop(supervisor.add(spec).await);
            }
            (9.., Ok(_)) => unreachable!("it draws below 9"),
        }
    }
}

const NAMES: [&str; 3] = ["one", "two", "three"];
