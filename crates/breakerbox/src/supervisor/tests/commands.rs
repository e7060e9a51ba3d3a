use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{AutoShutdown, Backoff, Exit, OnLimit, Phase, Restart, RestartIntensity};
use tokio::sync::Notify;

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, restarted, spec, supervise, until};
use crate::supervisor::{AddError, Child, Departure, End, RemoveError, RestartError, Supervisor};

async fn fail(worker: &Child<WorkerMessage>) {
    let failed = |reply| WorkerMessage::Fail(Fault::Error, reply);
    worker.ask(failed, SECOND).await.unwrap_err();
}

async fn incarnation(worker: &Child<WorkerMessage>) -> u64 {
    worker
        .ask(WorkerMessage::Incarnation, SECOND)
        .await
        .unwrap()
}

/// R36: a restart by command keeps the address, and is nobody's failure.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_is_up_is_restarted_in_place() {
    let log = Log::new();
    let strict = RestartIntensity::new(0, SECOND);
    let spec = spec([WorkerSpec::new("worker", &log).spec()]).intensity(strict);
    let supervisor = spec.start().await.unwrap();
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    let address = worker.actor().get_id();
    for restart in 1..=3 {
        assert_eq!(supervisor.restart("worker").await, Ok(()));
        assert_eq!(incarnation(&worker).await, restart + 1);
        assert_eq!(worker.status().restarts, restart);
    }
    assert_eq!(worker.actor().get_id(), address);
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    assert_eq!(
        log.read()[..3],
        ["worker 1 started", "worker 1 stopped", "worker 2 started"]
    );
}

/// R36: who hangs in a message is restarted by command, and its queue is kept.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_hangs_is_restarted_and_keeps_its_queue() {
    let supervisor = supervise([worker("worker")]).await;
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    let never = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(never, reply);
    worker.ask(hold, SECOND).await.unwrap();
    let (answer, restarted) = tokio::join!(
        worker.ask(WorkerMessage::Incarnation, 60 * SECOND),
        supervisor.restart("worker"),
    );
    assert_eq!((answer, restarted), (Ok(2), Ok(())));
}

/// R36 (T7): it does not wait out its backoff.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_backs_off_is_restarted_at_once() {
    let log = Log::new();
    let slow = WorkerSpec::new("worker", &log).spec();
    let supervisor = supervise([slow.backoff(Backoff::fixed(3_600 * SECOND))]).await;
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut events = supervisor.events();
    fail(&worker).await;
    until(&mut events, exited).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(supervisor.restart("worker").await, Ok(()));
    assert_eq!(begun.elapsed().as_secs(), 0);
    assert_eq!(incarnation(&worker).await, 2);
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 2);
}

/// R36: what was stopped stays down until it is restarted.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_is_stopped_stays_until_it_is_restarted() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    for _ in 0..2 {
        assert_eq!(supervisor.stop("worker").await, Ok(Departure::Stopped));
        assert_eq!(worker.status().phase, Phase::Down);
        assert_eq!(log.running.load(Ordering::SeqCst), 0);
    }
    assert!(
        worker
            .ask(WorkerMessage::Incarnation, SECOND)
            .await
            .is_err()
    );
    assert_eq!(supervisor.restart("worker").await, Ok(()));
    assert_eq!(incarnation(&worker).await, 2);
    assert_eq!(supervisor.remove("worker").await, Ok(Departure::Stopped));
    let child = "worker".to_owned();
    let unknown = RemoveError::Unknown {
        child: child.clone(),
    };
    assert_eq!(supervisor.stop("worker").await, Err(unknown));
    let unknown = RestartError::Unknown { child };
    assert_eq!(supervisor.restart("worker").await, Err(unknown));
}

/// R36: a restart that does not come up says how, and goes on by itself.
#[tokio::test(start_paused = true)]
async fn r36_a_restart_that_fails_says_how() {
    let log = Log::new();
    let mut worker = WorkerSpec::new("worker", &log);
    worker.fails_in_pre_start_from = 2;
    let spec = worker.spec().backoff(Backoff::fixed(SECOND));
    let supervisor = supervise([spec]).await;
    let exit = Exit::InitFailed("failed to start".into());
    let child = "worker".to_owned();
    let failed = RestartError::Failed { child, exit };
    assert_eq!(supervisor.restart("worker").await, Err(failed));
    tokio::time::sleep(5 * SECOND).await;
    assert!(log.incarnations.load(Ordering::SeqCst) > 3);
}

/// R35: everybody who waits is answered when the child or the supervisor goes.
#[tokio::test(start_paused = true)]
async fn r35_commands_are_answered_when_the_child_goes() {
    let mut hangs = WorkerSpec::new("worker", &Log::new());
    hangs.hangs_in_pre_start_from = 2;
    let supervisor = supervise([hangs.spec().start_timeout(3_600 * SECOND)]).await;
    let (restarted, removed) =
        tokio::join!(supervisor.restart("worker"), supervisor.remove("worker"));
    assert_eq!(restarted, Err(RestartError::Ended));
    assert!(removed.is_ok());

    let supervisor = supervise([worker("worker")]).await;
    supervisor.shutdown().await;
    assert_eq!(supervisor.stop("worker").await, Err(RemoveError::Ended));
    assert_eq!(supervisor.restart("worker").await, Err(RestartError::Ended));
}

/// R32: a pause waits, lets one restart through, and is over when that stays up.
#[tokio::test(start_paused = true)]
async fn r32_a_child_beyond_its_limit_pauses_and_comes_back() {
    let log = Log::new();
    let strict = RestartIntensity::new(1, 60 * SECOND);
    let pause = OnLimit::Pause(Backoff::fixed(100 * SECOND));
    let spec = WorkerSpec::new("worker", &log).spec();
    let supervisor = supervise([spec.intensity(strict, pause).calm_after(SECOND)]).await;
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut events = supervisor.events();
    fail(&worker).await;
    until(&mut events, restarted).await;
    fail(&worker).await;
    until(&mut events, exited).await;
    assert_eq!(worker.status().phase, Phase::Paused);
    let begun = tokio::time::Instant::now();
    until(&mut events, restarted).await;
    assert_eq!(begun.elapsed(), 100 * SECOND);
    tokio::time::sleep(2 * SECOND).await;
    fail(&worker).await;
    until(&mut events, restarted).await;
    assert_eq!(begun.elapsed(), 102 * SECOND, "its limit begins anew");
}

/// R32: the end of a significant child is the end of its supervisor, in order.
#[tokio::test(start_paused = true)]
async fn r32_a_significant_child_takes_its_supervisor_along() {
    let log = Log::new();
    let main = WorkerSpec::new("main", &log).spec();
    let children = [
        WorkerSpec::new("helper", &log).spec(),
        main.restart(Restart::Transient).significant(),
    ];
    let spec = spec(children).auto_shutdown(AutoShutdown::AnySignificant);
    let supervisor: Supervisor = spec.start().await.unwrap();
    let main = supervisor.child::<WorkerMessage>("main").unwrap();
    main.actor().stop(None);
    let report = supervisor.ended().await;
    let child = Arc::from("main");
    let exit = Exit::Normal;
    assert_eq!(report.end, End::Finished { child, exit });
    assert_eq!(log.read()[2..], ["main 2 stopped", "helper 1 stopped"]);
}

/// R35: who waits for a child to come up is told when a command stops it.
#[tokio::test(start_paused = true)]
async fn r35_an_add_is_answered_when_the_child_is_stopped_meanwhile() {
    let mut hangs = WorkerSpec::new("hangs", &Log::new());
    hangs.hangs_in_pre_start_from = 1;
    let supervisor = supervise([]).await;
    let add = supervisor.add(hangs.spec().start_timeout(3_600 * SECOND));
    let (added, stopped) = tokio::join!(add, supervisor.stop("hangs"));
    assert_eq!(added, Err(AddError::Ended));
    assert!(stopped.is_ok());
}

/// R34: what was stopped to be started again is not, once the shutdown begins.
#[tokio::test(start_paused = true)]
async fn r34_a_restart_that_is_under_way_ends_with_the_shutdown() {
    let log = Log::new();
    let supervisor = supervise([WorkerSpec::new("worker", &log).spec()]).await;
    let worker = supervisor.child::<WorkerMessage>("worker").unwrap();
    let never = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(never, reply);
    worker.ask(hold, SECOND).await.unwrap();
    let stop = supervisor.stop("worker");
    let restart = supervisor.restart("worker");
    let shutdown = async {
        tokio::time::sleep(SECOND).await;
        supervisor.shutdown().await
    };
    let (_, restarted, _) = tokio::join!(stop, restart, shutdown);
    assert_eq!(restarted, Err(RestartError::Ended));
    assert_eq!(worker.status().restarts, 0);
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 1);
}
