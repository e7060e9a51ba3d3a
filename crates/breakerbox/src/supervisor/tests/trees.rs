use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{Exit, Phase, Restart, RestartIntensity, Strategy};
use tokio::sync::Notify;

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, restarted, supervise, until};
use crate::supervisor::{
    AddError, Child, ChildError, ChildKind, ChildSpec, Departure, End, StartError, Stopped,
    Supervisor, SupervisorEvent, SupervisorSpec,
};

/// A supervisor "level" that bears two restarts, with a "worker" and a task.
fn level(log: &Arc<Log>) -> ChildSpec {
    let log = Arc::clone(log);
    ChildSpec::supervisor("level", move || {
        let task = ChildSpec::task("task", |stop| async move {
            stop.cancelled().await;
            Ok::<_, Infallible>(())
        });
        SupervisorSpec::new("level", Strategy::OneForOne)
            .intensity(RestartIntensity::new(2, 60 * SECOND))
            .child(WorkerSpec::new("worker", &log).spec())
            .child(task)
    })
}

async fn fail(worker: &Child<WorkerMessage>) {
    let failed = |reply| WorkerMessage::Fail(Fault::Error, reply);
    worker.ask(failed, SECOND).await.unwrap_err();
}

fn worker_below(root: &Supervisor) -> Child<WorkerMessage> {
    root.child("level/worker").unwrap()
}

/// R38: a supervisor is a child, and what is below it has a path.
#[tokio::test(start_paused = true)]
async fn r38_a_supervisor_is_a_child_like_any_other() {
    let log = Log::new();
    let root = supervise([worker("first"), level(&log)]).await;
    let snapshot = root.snapshot();
    assert_eq!(snapshot.children[1].kind, ChildKind::Supervisor);
    assert_eq!(snapshot.children[1].children.len(), 2);
    assert_eq!(snapshot.child("level/task").unwrap().phase, Phase::Up);
    assert_eq!(snapshot.child("level/nobody"), None);

    let worker = worker_below(&root);
    assert_eq!(worker.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
    assert_eq!(root.restart("level/worker").await, Ok(()));
    assert_eq!(worker.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
    assert_eq!(root.stop("level/task").await, Ok(Departure::Stopped));

    let level = root.supervisor("level").unwrap();
    let added = level.add(super::worker::worker("worker")).await;
    assert!(matches!(added, Err(AddError::Duplicate { .. })));
    drop(level);
    assert_eq!(
        worker.status().phase,
        Phase::Up,
        "that handle stops nothing"
    );
    let no_supervisor = root.supervisor("first").unwrap_err();
    assert!(matches!(no_supervisor, ChildError::NoSupervisor { .. }));
    assert!(root.child::<WorkerMessage>("level").is_err());
    assert_eq!(root.shutdown().await.unclean().count(), 0);
}

/// R34, R38: shutdown goes through the tree in reverse, and so does its report.
#[tokio::test(start_paused = true)]
async fn r34_a_tree_is_stopped_in_reverse_and_the_report_has_paths() {
    let log = Log::new();
    let root = supervise([WorkerSpec::new("first", &log).spec(), level(&log)]).await;
    let never = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(never, reply);
    worker_below(&root).ask(hold, SECOND).await.unwrap();
    let report = root.shutdown().await;
    let stopped = |child: &str, departure| Stopped {
        child: Arc::from(child),
        departure,
    };
    let expected = [
        stopped("level/task", Departure::Stopped),
        stopped("level/worker", Departure::Killed),
        stopped("level", Departure::Stopped),
        stopped("first", Departure::Stopped),
    ];
    assert_eq!(report.stopped, expected);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// T19, R38: what is too much for one level is a failure for the one above.
#[tokio::test(start_paused = true)]
async fn r38_escalation_climbs_to_the_root() {
    let log = Log::new();
    let spec = SupervisorSpec::new("root", Strategy::OneForOne)
        .intensity(RestartIntensity::new(1, 600 * SECOND));
    let root = spec.child(level(&log)).start().await.unwrap();
    for incarnation in 1..=2 {
        let mut events = root.events();
        for _ in 0..2 {
            fail(&worker_below(&root)).await;
            until(&mut events, restarted).await;
        }
        fail(&worker_below(&root)).await;
        if incarnation == 1 {
            let level_restarted = |event: &SupervisorEvent| matches!(event, SupervisorEvent::Restarted { child, .. } if **child == *"level");
            until(&mut events, level_restarted).await;
        }
    }
    let report = root.ended().await;
    let End::Escalated { child, exit } = report.end else {
        panic!("{report:?}");
    };
    assert_eq!(&*child, "level");
    let Exit::Error(text) = exit else {
        panic!("{exit:?}");
    };
    assert!(text.contains("worker"), "{text}");
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
}

/// R30: who does not come up below fails the start above, and is named.
#[tokio::test(start_paused = true)]
async fn r30_a_start_that_fails_below_is_rolled_back_and_named() {
    let log = Log::new();
    let bad = {
        let log = Arc::clone(&log);
        ChildSpec::supervisor("level", move || {
            let mut bad = WorkerSpec::new("bad", &log);
            bad.fails_in_pre_start_from = 3;
            SupervisorSpec::new("level", Strategy::OneForOne)
                .child(WorkerSpec::new("good", &log).spec())
                .child(bad.spec())
        })
    };
    let spec = super::spec([WorkerSpec::new("first", &log).spec(), bad]);
    let error = spec.start().await.unwrap_err();
    let StartError::Child { child, exit } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(child, "level");
    assert!(exit.to_string().contains("\"bad\""), "{exit}");
    let lines = log.read();
    assert_eq!(lines[2..], ["good 2 stopped", "first 1 stopped"]);
}

/// R30: a level that hangs ends at its timeout, and leaves nothing.
#[tokio::test(start_paused = true)]
async fn r30_a_level_that_hangs_ends_at_its_timeout() {
    let log = Log::new();
    let hangs = {
        let log = Arc::clone(&log);
        ChildSpec::supervisor("level", move || {
            let mut hangs = WorkerSpec::new("hangs", &log);
            hangs.hangs_in_pre_start_from = 1;
            let spec = hangs.spec().start_timeout(3_600 * SECOND);
            SupervisorSpec::new("level", Strategy::OneForOne).child(spec)
        })
    };
    let error = super::spec([hangs.start_timeout(SECOND)]).start().await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("did not start within")
    );
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// T20, R34: a killed root leaves nobody, at any depth.
#[tokio::test(start_paused = true)]
async fn r34_a_killed_root_leaves_nobody_below() {
    let log = Log::new();
    let deeper = {
        let log = Arc::clone(&log);
        ChildSpec::supervisor("deeper", move || {
            SupervisorSpec::new("deeper", Strategy::OneForOne).child(level(&log))
        })
    };
    let root = supervise([level(&log), deeper]).await;
    let drains: Child<WorkerMessage> = root.child("deeper/level/worker").unwrap();
    let never = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(never, reply);
    drains.ask(hold, SECOND).await.unwrap();
    drains.actor().drain().unwrap();
    assert_eq!(log.running.load(Ordering::SeqCst), 2);
    assert_eq!(root.kill().await.end, End::Killed);
    tokio::time::sleep(SECOND).await;
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
    assert_eq!(root.snapshot().phase, Phase::Down);
}

/// R37: a listener at the root hears of all below, by path.
#[tokio::test(start_paused = true)]
async fn r37_events_are_heard_above_with_their_path() {
    let root = supervise([level(&Log::new())]).await;
    let mut events = root.events();
    fail(&worker_below(&root)).await;
    let heard = [events.next().await.unwrap(), events.next().await.unwrap()];
    let heard = heard.map(|event| event.to_string());
    assert!(heard[0].starts_with("level/worker: "), "{heard:?}");
    assert_eq!(heard[1], "level/worker: up again, incarnation 2");
}

/// R38: one that was shut down from below is restarted as its type says.
#[tokio::test(start_paused = true)]
async fn r38_a_level_that_is_shut_down_has_exited_normally() {
    for (restart, again) in [(Restart::Permanent, true), (Restart::Transient, false)] {
        let root = supervise([level(&Log::new()).restart(restart)]).await;
        let level = root.supervisor("level").unwrap();
        level.shutdown().await;
        tokio::time::sleep(SECOND).await;
        let status = root.snapshot().child("level").unwrap().clone();
        assert_eq!(status.last_exit, Some(Exit::Normal));
        assert_eq!(status.phase == Phase::Up, again);
        assert_eq!(
            root.supervisor("level").unwrap().snapshot().phase == Phase::Up,
            again
        );
    }
}
