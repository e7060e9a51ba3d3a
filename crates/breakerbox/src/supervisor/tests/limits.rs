use std::sync::mpsc;

use breakerbox_core::{Ending, Exit, OnLimit, Phase, RestartIntensity};

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, spec, stopped, supervise, until};
use crate::AskError;
use crate::supervisor::{Child, End, SupervisorEvent};

/// R32: a child at its own limit is given up alone, and everybody is told.
#[tokio::test(start_paused = true)]
async fn r32_stop_child_gives_up_on_the_child_alone() {
    let (told, hook) = mpsc::channel();
    let bad = worker("bad")
        .intensity(RestartIntensity::new(2, SECOND), OnLimit::StopChild)
        .on_down(move |why| told.send(why).unwrap());
    let supervisor = supervise([bad, worker("good")]).await;
    let mut events = supervisor.events();
    let bad = supervisor.child::<WorkerMessage>("bad").unwrap();
    for _ in 0..2 {
        fail(&bad).await;
    }
    // The last one waits behind the failure that is one too many.
    let ((), waiting) = tokio::join!(fail(&bad), bad.ask(WorkerMessage::Incarnation, SECOND));
    assert_eq!(waiting, Err(AskError::Crashed));
    let gave_up = |event: &SupervisorEvent| matches!(event, SupervisorEvent::GaveUp { .. });
    until(&mut events, gave_up).await;
    assert_eq!(hook.try_recv(), Ok(Ending::GaveUp));
    until(&mut events, stopped).await;
    let status = bad.status();
    assert_eq!((status.phase, status.restarts), (Phase::Down, 2));
    assert_eq!(status.last_exit, Some(Exit::Panicked("failed".into())));
    let answer = bad.ask(WorkerMessage::Incarnation, SECOND).await;
    assert_eq!(answer, Err(AskError::NotRunning));
    let good = supervisor.child::<WorkerMessage>("good").unwrap();
    assert_eq!(good.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
    supervisor.shutdown().await;
    assert!(hook.try_recv().is_err(), "the hook is told once");
}

/// R32, R34: a supervisor at its limit stops all in reverse, and its end says why.
#[tokio::test(start_paused = true)]
async fn r32_a_supervisor_at_its_limit_ends() {
    let log = Log::new();
    let children = ["one", "bad", "three"].map(|name| WorkerSpec::new(name, &log).spec());
    let none = RestartIntensity::new(0, SECOND);
    let supervisor = spec(children).intensity(none).start().await.unwrap();
    let mut events = supervisor.events();
    let bad = supervisor.child::<WorkerMessage>("bad").unwrap();
    fail(&bad).await;
    let report = supervisor.ended().await;
    let exit = Exit::Panicked("failed".into());
    let child = "bad".into();
    assert_eq!(report.end, End::Escalated { child, exit });
    let stopped = log
        .read()
        .into_iter()
        .filter(|line| line.ends_with("stopped"));
    assert_eq!(
        stopped.collect::<Vec<_>>(),
        ["three 3 stopped", "one 1 stopped"]
    );
    assert_eq!(supervisor.snapshot().phase, Phase::Down);
    let escalated = |event: &SupervisorEvent| matches!(event, SupervisorEvent::Escalated { .. });
    until(&mut events, escalated).await;
    while events.next().await.is_some() {}
}

/// R32: the same where the child's own limit says so.
#[tokio::test(start_paused = true)]
async fn r32_a_childs_own_limit_can_end_the_supervisor() {
    let none = RestartIntensity::new(0, SECOND);
    let bad = worker("bad").intensity(none, OnLimit::Escalate);
    let supervisor = supervise([bad, worker("good")]).await;
    let bad = supervisor.child::<WorkerMessage>("bad").unwrap();
    fail(&bad).await;
    let report = supervisor.ended().await;
    assert!(matches!(report.end, End::Escalated { .. }), "{report:?}");
    let phases = supervisor
        .snapshot()
        .children
        .into_iter()
        .map(|child| child.status.phase);
    assert_eq!(phases.collect::<Vec<_>>(), [Phase::Down; 2]);
}

/// R32: restarts that are spread out never reach the limit.
#[tokio::test(start_paused = true)]
async fn r32_a_sliding_limit_allows_failures_that_are_spread_out() {
    let limit = RestartIntensity::new(1, SECOND);
    let supervisor = spec([worker("worker")])
        .intensity(limit)
        .start()
        .await
        .unwrap();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    for incarnation in 2..30 {
        fail(&child).await;
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(
            child.ask(WorkerMessage::Incarnation, SECOND).await,
            Ok(incarnation)
        );
    }
}

/// T27: R18: a listener that is too slow is told what it missed.
#[tokio::test(start_paused = true)]
async fn r18_a_slow_listener_is_told_what_it_missed() {
    let supervisor = supervise([worker("worker")]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    for _ in 0..200 {
        fail(&child).await;
    }
    child.ask(WorkerMessage::Incarnation, SECOND).await.unwrap();
    let events_missed = 2 * 200 - 256;
    let missed = SupervisorEvent::Missed {
        events: events_missed,
    };
    assert_eq!(events.next().await, Some(missed));
    assert!(matches!(
        events.next().await,
        Some(SupervisorEvent::Exited { .. })
    ));
}

/// R32: a hook that panics is one line in the log.
#[tokio::test(start_paused = true)]
async fn r32_a_hook_that_panics_harms_nobody() {
    let none = RestartIntensity::new(0, SECOND);
    let bad = worker("bad")
        .intensity(none, OnLimit::StopChild)
        .on_down(|_| panic!("hook panicked"));
    let supervisor = supervise([bad, worker("good")]).await;
    let mut events = supervisor.events();
    fail(&supervisor.child::<WorkerMessage>("bad").unwrap()).await;
    until(&mut events, stopped).await;
    let good = supervisor.child::<WorkerMessage>("good").unwrap();
    assert_eq!(good.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
}

async fn fail(child: &Child<WorkerMessage>) {
    let fail = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    assert_eq!(child.ask(fail, SECOND).await, Err(AskError::Crashed));
}
