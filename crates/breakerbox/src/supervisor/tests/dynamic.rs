use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use breakerbox_core::{Backoff, Ending, Exit, Phase, Restart};
use futures_util::FutureExt;
use tokio::sync::Notify;

use super::scripted::Bomb;
use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, stopped, supervise, until};
use crate::AskError;
use crate::supervisor::{AddError, ChildError, ChildSpec, Departure, RemoveError, SupervisorEvent};

/// R36: what is added is up, what is removed is gone, and its name is free.
#[tokio::test(start_paused = true)]
async fn r36_children_can_be_added_and_removed() {
    let log = Log::new();
    let supervisor = supervise([]).await;
    for incarnation in 1..4 {
        supervisor
            .add(WorkerSpec::new("guest", &log).spec())
            .await
            .unwrap();
        let guest = supervisor.child::<WorkerMessage>("guest").unwrap();
        assert_eq!(
            guest.ask(WorkerMessage::Incarnation, SECOND).await,
            Ok(incarnation)
        );
        assert_eq!(supervisor.remove("guest").await, Ok(Departure::Stopped));
        assert_eq!(log.running.load(Ordering::SeqCst), 0);
        assert_eq!(supervisor.snapshot().children, []);
        assert_eq!(guest.status().phase, Phase::Down);
    }
}

/// R35 (T6): a name that is taken is refused, and its child is untouched.
#[tokio::test(start_paused = true)]
async fn r35_a_taken_name_is_refused() {
    let supervisor = supervise([worker("worker")]).await;
    let log = Log::new();
    let added = supervisor.add(WorkerSpec::new("worker", &log).spec()).await;
    let child = "worker".to_owned();
    assert_eq!(added, Err(AddError::Duplicate { child }));
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 0);
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
    assert_eq!(child.status().restarts, 0);
}

/// R35: an unknown name is a typed error.
#[tokio::test(start_paused = true)]
async fn r35_an_unknown_name_is_an_error() {
    let supervisor = supervise([]).await;
    let child = "nobody".to_owned();
    let removed = supervisor.remove("nobody").await;
    assert_eq!(removed, Err(RemoveError::Unknown { child }));
}

/// R30, R35 (T8): a child that does not come up is reported, and forgotten.
#[tokio::test(start_paused = true)]
async fn r30_an_added_child_that_does_not_come_up_is_reported_and_forgotten() {
    let supervisor = supervise([worker("good")]).await;
    let mut worker = WorkerSpec::new("bad", &Log::new());
    worker.fails_in_pre_start_from = 1;
    let spec = worker.clone().spec().restart(Restart::Temporary);
    let added = supervisor.add(spec).await;
    let child = "bad".to_owned();
    let exit = Exit::InitFailed("failed to start".into());
    assert_eq!(added, Err(AddError::Failed { child, exit }));
    let child = supervisor.child::<WorkerMessage>("bad").unwrap_err();
    assert!(matches!(child, ChildError::Unknown { .. }));
    worker.fails_in_pre_start_from = u64::MAX;
    supervisor.add(worker.spec()).await.unwrap();
}

/// R36 (T7): removed while it backs off, it does not come back.
#[tokio::test(start_paused = true)]
async fn r36_a_child_that_is_removed_while_it_backs_off_is_not_restarted() {
    let log = Log::new();
    let spec = WorkerSpec::new("worker", &log).spec();
    let supervisor = supervise([spec.backoff(Backoff::fixed(10 * SECOND))]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    until(&mut events, exited).await;
    let began = tokio::time::Instant::now();
    // A question that waits for the restart does not hold the removal up.
    let (removed, waiting) = tokio::join!(
        supervisor.remove("worker"),
        child.ask(WorkerMessage::Incarnation, 60 * SECOND)
    );
    assert_eq!(removed, Ok(Departure::Stopped));
    assert!(matches!(
        waiting,
        Err(AskError::Crashed | AskError::NotRunning)
    ));
    assert_eq!(began.elapsed().as_secs(), 0);
    tokio::time::advance(60 * SECOND).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 1);
    assert_eq!(supervisor.snapshot().children, []);
}

/// R37, R36 (T7): while it starts it is shown, not handed out, and removable.
#[tokio::test(start_paused = true)]
async fn r37_a_child_that_hangs_in_its_start_can_be_removed() {
    let log = Log::new();
    let supervisor = supervise([worker("good")]).await;
    let mut worker = WorkerSpec::new("hung", &log);
    worker.hangs_in_pre_start_from = 1;
    let adding = supervisor.clone();
    let added = tokio::spawn(async move { adding.add(worker.spec()).await });
    while log.incarnations.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        supervisor.snapshot().child("hung").unwrap().phase,
        Phase::Starting
    );
    let early = supervisor.child::<WorkerMessage>("hung").unwrap_err();
    assert!(matches!(early, ChildError::Starting { .. }));
    assert_eq!(supervisor.remove("hung").await, Ok(Departure::Stopped));
    assert_eq!(added.await.unwrap(), Err(AddError::Ended));
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R35, R36: while one child is slow to stop, the others are looked after.
#[tokio::test(start_paused = true)]
async fn r35_a_child_that_is_slow_to_stop_leaves_the_supervisor_responsive() {
    let supervisor = supervise([worker("slow"), worker("other")]).await;
    let slow = supervisor.child::<WorkerMessage>("slow").unwrap();
    let released = Arc::new(Notify::new());
    let hold = Arc::clone(&released);
    let held = slow.ask(|reply| WorkerMessage::Hold(hold, reply), SECOND);
    held.await.unwrap();
    let remover = supervisor.clone();
    let removed = tokio::spawn(async move { remover.remove("slow").await });
    let mut events = supervisor.events();
    let other = supervisor.child::<WorkerMessage>("other").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    other.ask(fail, SECOND).await.unwrap_err();
    assert_eq!(other.ask(WorkerMessage::Incarnation, SECOND).await, Ok(2));
    supervisor.add(worker("third")).await.unwrap();
    let added = supervisor.add(worker("slow")).await.unwrap_err();
    assert!(
        matches!(added, AddError::Duplicate { .. }),
        "it is not gone yet"
    );
    assert_eq!(slow.status().phase, Phase::Stopping);
    released.notify_one();
    assert_eq!(removed.await.unwrap(), Ok(Departure::Stopped));
    until(&mut events, stopped).await;
    supervisor.add(worker("slow")).await.unwrap();
}

/// R36: two who remove the same child both learn how it went.
#[tokio::test(start_paused = true)]
async fn r36_a_child_can_be_removed_by_two_at_once() {
    let supervisor = supervise([worker("worker")]).await;
    let removals = tokio::join!(supervisor.remove("worker"), supervisor.remove("worker"));
    assert_eq!(removals, (Ok(Departure::Stopped), Ok(Departure::Stopped)));
}

/// R35 (T5): whoever stops waiting for an answer harms nobody.
#[tokio::test(start_paused = true)]
async fn r35_a_caller_that_gives_up_harms_nobody() {
    let supervisor = supervise([worker("worker")]).await;
    // Each is polled once, which sends the message, and then dropped.
    for _ in 0..10 {
        let _dropped = supervisor.add(worker("guest")).now_or_never();
        let _dropped = supervisor.remove("worker").now_or_never();
        let _dropped = supervisor.add(worker("worker")).now_or_never();
    }
    supervisor.add(worker("sound")).await.unwrap();
    let sound = supervisor.child::<WorkerMessage>("sound").unwrap();
    assert_eq!(sound.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
}

/// R32, R36: a child that is down for good is shown until it is removed.
#[tokio::test(start_paused = true)]
async fn r32_a_finished_child_is_shown_until_it_is_removed() {
    for (restart, shown) in [(Restart::Transient, 1), (Restart::Temporary, 0)] {
        let supervisor = supervise([worker("worker").restart(restart)]).await;
        let mut events = supervisor.events();
        let child = supervisor.child::<WorkerMessage>("worker").unwrap();
        child.actor().stop(None);
        let finished = until(&mut events, stopped).await;
        let (child, why) = ("worker".into(), Ending::Finished);
        assert_eq!(finished, SupervisorEvent::Stopped { child, why });
        assert_eq!(supervisor.snapshot().children.len(), shown);
        let removed = supervisor.remove("worker").await;
        assert_eq!(removed.is_ok(), shown == 1, "{removed:?}");
        supervisor.add(worker("worker")).await.unwrap();
    }
}

/// R31: a handle on a removed child does not lead to its successor in the name.
#[tokio::test(start_paused = true)]
async fn r31_a_handle_does_not_lead_to_a_later_child_of_the_same_name() {
    let supervisor = supervise([worker("worker")]).await;
    let former = supervisor.child::<WorkerMessage>("worker").unwrap();
    supervisor.remove("worker").await.unwrap();
    supervisor.add(worker("worker")).await.unwrap();
    let answer = former.ask(WorkerMessage::Incarnation, SECOND).await;
    assert_eq!(answer, Err(AskError::NotRunning));
    assert_eq!(
        supervisor.snapshot().child("worker").unwrap().phase,
        Phase::Up
    );
}

/// R35: nothing that a spec holds can end the supervisor that drops it.
#[tokio::test(start_paused = true)]
async fn r35_a_spec_that_panics_when_it_is_dropped_harms_nobody() {
    let bomb = |name| {
        let bomb = Bomb;
        ChildSpec::task(name, move |stop| {
            let _held = &bomb;
            async move {
                stop.cancelled().await;
                Ok::<_, Infallible>(())
            }
        })
    };
    let supervisor = supervise([worker("fine"), bomb("bomb")]).await;
    let duplicate = supervisor.add(bomb("fine")).await;
    assert!(matches!(duplicate, Err(AddError::Duplicate { .. })));
    assert_eq!(supervisor.remove("bomb").await, Ok(Departure::Stopped));
    assert_eq!(supervisor.stop("fine").await, Ok(Departure::Stopped));
}
