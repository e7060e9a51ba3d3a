use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::worker::{Diary, Fault, Recipe, WorkerMessage};
use super::{SECOND, supervise};
use crate::supervisor::Supervisor;

/// R33, R34, R35, R36: whatever is done to children at once, no two lives of one
/// overlap, the supervisor answers, and nothing is left in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_storm_of_everything_leaves_nothing_behind() {
    for seed in 0..10 {
        let diaries: Vec<_> = NAMES.iter().map(|_| Diary::new()).collect();
        let supervisor = supervise([]).await;
        let hands = (0..4).map(|hand| {
            let dice = fastrand::Rng::with_seed(seed * 4 + hand);
            tokio::spawn(meddle(supervisor.clone(), diaries.clone(), dice))
        });
        for hand in join_all(hands).await {
            hand.unwrap();
        }
        let report = supervisor.shutdown().await;
        assert_eq!(report.unwilling().count(), 0, "{report:?}");
        for diary in diaries {
            assert_eq!(diary.alive.load(Ordering::SeqCst), 0, "seed {seed}");
            assert!(diary.most_alive.load(Ordering::SeqCst) <= 1, "seed {seed}");
        }
    }
}

async fn meddle(supervisor: Supervisor, diaries: Vec<Arc<Diary>>, mut dice: fastrand::Rng) {
    for _ in 0..200 {
        let which = dice.usize(..NAMES.len());
        let name = NAMES[which];
        let child = supervisor.child::<WorkerMessage>(name);
        match (dice.u8(..8), child) {
            (0, _) => drop(supervisor.remove(name).await),
            (1, Ok(child)) => child.actor().kill(),
            (2, Ok(child)) => child.actor().stop(None),
            (3, Ok(child)) => drop(child.actor().drain()),
            (4 | 5, Ok(child)) => {
                let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
                let _crashed = child.ask(fail, 60 * SECOND).await;
            }
            (6 | 7, Ok(child)) => drop(child.ask(WorkerMessage::Life, 60 * SECOND).await),
            (_, Err(_)) => {
                let spec = Recipe::new(name, &diaries[which]).spec();
                drop(supervisor.add(spec).await);
            }
            (8.., Ok(_)) => unreachable!("the dice have eight sides"),
        }
    }
}

const NAMES: [&str; 3] = ["one", "two", "three"];
