use std::sync::Arc;

use futures_util::future::{join_all, ready};

use super::scripted::{Ask, Script};
use super::worker::Log;
use super::{SECOND, supervise};

/// R31: however its restarts overlap.
#[tokio::test(start_paused = true)]
async fn r31_an_incarnation_runs_its_post_start_once() {
    let log = Log::new();
    let script = Script::new(&log).post_start({
        let log = Arc::clone(&log);
        move |number, _| {
            log.write(format!("{number} after its start"));
            ready(Ok(()))
        }
    });
    let supervisor = supervise([script.child("child")]).await;
    for _ in 0..10 {
        let restarts = (0..3).map(|_| supervisor.restart("child"));
        assert!(join_all(restarts).await.iter().all(Result::is_ok));
    }
    let child = supervisor.child::<Ask>("child").unwrap();
    let last = child.ask(Ask::Who, SECOND).await.unwrap();
    let lines = log.read();
    let starts = lines
        .iter()
        .filter(|line| line.ends_with("after its start"));
    let expected: Vec<_> = (1..=last)
        .map(|it| format!("{it} after its start"))
        .collect();
    assert_eq!(starts.cloned().collect::<Vec<_>>(), expected);
}
