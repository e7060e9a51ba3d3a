use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use breakerbox_core::{Backoff, Ending, Exit, Phase};
use futures_util::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{Notify, oneshot};

use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, spec, supervise, until};
use crate::AskError;
use crate::supervisor::actor::SupervisorArguments;
use crate::supervisor::{AddError, ChildSpec, Departure, End, RemoveError, Shutdown};

/// R34, R40 (T13): reverse order, and every `post_stop` has run.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_stops_in_reverse_order() {
    let log = Log::new();
    let children = ["one", "two", "three"].map(|name| WorkerSpec::new(name, &log).spec());
    let supervisor = supervise(children).await;
    let report = supervisor.shutdown().await;
    let expected = ["three 3 stopped", "two 2 stopped", "one 1 stopped"];
    assert_eq!(log.read()[3..], expected);
    assert_eq!(report.end, End::ShutDown);
    let stopped: Vec<_> = report
        .stopped
        .iter()
        .map(|stopped| &*stopped.child)
        .collect();
    assert_eq!(stopped, ["three", "two", "one"]);
    assert_eq!(report.unclean().count(), 0);
    assert_eq!(
        supervisor.shutdown().await,
        report,
        "each caller gets the report"
    );
    assert_eq!(supervisor.ended().await, report);
    assert_eq!(supervisor.add(worker("late")).await, Err(AddError::Ended));
    assert_eq!(supervisor.remove("one").await, Err(RemoveError::Ended));
}

/// R34, R37: each has its own timeout, the report names who had to be killed, and
/// the tree can be looked at meanwhile.
#[tokio::test(start_paused = true)]
async fn r34_a_child_that_does_not_stop_in_time_is_killed_and_reported() {
    let log = Log::new();
    let slow = WorkerSpec::new("slow", &log).spec();
    let children = [worker("fine"), slow.shutdown(Shutdown::Within(7 * SECOND))];
    let supervisor = supervise(children).await;
    let slow = supervisor.child::<WorkerMessage>("slow").unwrap();
    let never = Arc::new(Notify::new());
    let held = slow.ask(|reply| WorkerMessage::Hold(never, reply), SECOND);
    held.await.unwrap();
    let began = tokio::time::Instant::now();
    let look = async {
        while slow.status().phase != Phase::Stopping {
            tokio::task::yield_now().await;
        }
        supervisor.snapshot()
    };
    let (report, meanwhile) = tokio::join!(supervisor.shutdown(), look);
    assert_eq!(meanwhile.phase, Phase::Stopping);
    assert_eq!(meanwhile.child("slow").unwrap().phase, Phase::Stopping);
    assert_eq!(began.elapsed().as_secs(), 7);
    let departures: Vec<_> = report
        .stopped
        .iter()
        .map(|stopped| stopped.departure)
        .collect();
    assert_eq!(departures, [Departure::Killed, Departure::Stopped]);
    assert_eq!(&*report.unclean().next().unwrap().child, "slow");
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R34: who is to be killed is not asked.
#[tokio::test(start_paused = true)]
async fn r34_a_child_may_be_killed_without_being_asked() {
    let log = Log::new();
    let spec = WorkerSpec::new("worker", &log)
        .spec()
        .shutdown(Shutdown::Kill);
    let report = supervise([spec]).await.shutdown().await;
    assert_eq!(report.stopped[0].departure, Departure::Killed);
    assert_eq!(log.read(), ["worker 1 started"]);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R34 (T16): code that blocks cannot be ended, so it is named after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_that_blocks_its_thread_is_reported_as_stuck() {
    let timeout = Shutdown::Within(Duration::from_millis(1));
    let supervisor = supervise([worker("fine"), worker("stuck").shutdown(timeout)]).await;
    let stuck = supervisor.child::<WorkerMessage>("stuck").unwrap();
    let (release, released) = mpsc::channel();
    let blocked = stuck.ask(|reply| WorkerMessage::Block(released, reply), 60 * SECOND);
    blocked.await.unwrap();
    let report = supervisor.shutdown().await;
    let departures: Vec<_> = report
        .stopped
        .iter()
        .map(|stopped| stopped.departure)
        .collect();
    assert_eq!(departures, [Departure::Stuck, Departure::Stopped]);
    drop(release);
    stuck.actor().wait(None).await.unwrap();
}

/// R34: also one that blocks while it is still being announced.
///
/// ractor wakes the supervisor for that, and then runs the first message in the
/// same poll: the thread that now blocks must not keep the supervisor to itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_that_blocks_its_thread_at_once_is_reported_as_stuck() {
    let (release, released) = mpsc::channel();
    let (blocks, blocked) = oneshot::channel();
    let once = Mutex::new(Some((released, blocks)));
    let child = ChildSpec::actor("stuck", move || (BlocksAtOnce, once.lock().unwrap().take()));
    let supervisor = supervise([child.shutdown(Shutdown::Kill)]).await;
    blocked.await.unwrap();
    let report = supervisor.shutdown().await;
    assert_eq!(report.stopped[0].departure, Departure::Stuck);
    drop(release);
}

/// Sends itself, before it is up, a message on which it blocks its thread.
struct BlocksAtOnce;

type Blocked = (mpsc::Receiver<()>, oneshot::Sender<()>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for BlocksAtOnce {
    type Msg = ();
    type State = Option<Blocked>;
    type Arguments = Option<Blocked>;

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        blocked: Option<Blocked>,
    ) -> Result<Option<Blocked>, ActorProcessingErr> {
        myself.cast(())?;
        Ok(blocked)
    }

    async fn handle(
        &self,
        _: ActorRef<()>,
        (): (),
        blocked: &mut Option<Blocked>,
    ) -> Result<(), ActorProcessingErr> {
        if let Some((released, blocks)) = blocked.take() {
            let _told = blocks.send(());
            let _let_go = released.recv();
        }
        Ok(())
    }
}

/// R34, R36: a shutdown overtakes what is starting and what backs off.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_waits_neither_for_a_start_nor_for_a_backoff() {
    let log = Log::new();
    let spec = WorkerSpec::new("worker", &log).spec();
    let supervisor = supervise([spec.backoff(Backoff::fixed(10 * SECOND))]).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    child.ask(fail, SECOND).await.unwrap_err();
    until(&mut events, exited).await;
    let mut worker = WorkerSpec::new("hung", &log);
    worker.hangs_in_pre_start_from = 1;
    let adding = supervisor.clone();
    let added = tokio::spawn(async move { adding.add(worker.spec()).await });
    while log.incarnations.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    let report = supervisor.shutdown().await;
    assert_eq!(began.elapsed().as_secs(), 0);
    assert_eq!(report.unclean().count(), 0, "{report:?}");
    assert_eq!(added.await.unwrap(), Err(AddError::Ended));
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R34: a removal that is under way when the supervisor stops is brought to an end.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_brings_a_removal_to_its_end() {
    let spec = worker("slow").shutdown(Shutdown::Within(2 * SECOND));
    let supervisor = supervise([spec, worker("fine")]).await;
    let slow = supervisor.child::<WorkerMessage>("slow").unwrap();
    let never = Arc::new(Notify::new());
    let held = slow.ask(|reply| WorkerMessage::Hold(never, reply), SECOND);
    held.await.unwrap();
    let (report, removed) = tokio::join!(
        async {
            while slow.status().phase != Phase::Stopping {
                tokio::task::yield_now().await;
            }
            supervisor.shutdown().await
        },
        supervisor.remove("slow"),
    );
    assert_eq!(report.stopped.len(), 2, "{report:?}");
    assert_eq!(report.unclean().count(), 1, "{report:?}");
    assert!(matches!(
        removed,
        Ok(Departure::Killed) | Err(RemoveError::Ended)
    ));
}

/// R40: the last handle ends the tree, in order, in the background.
#[tokio::test(start_paused = true)]
async fn r40_dropping_the_last_handle_stops_the_tree_in_order() {
    let log = Log::new();
    let children = ["one", "two"].map(|name| WorkerSpec::new(name, &log).spec());
    let supervisor = supervise(children).await;
    let mut events = supervisor.events();
    let child = supervisor.child::<WorkerMessage>("one").unwrap();
    let other = supervisor.clone();
    drop(supervisor);
    assert_eq!(child.ask(WorkerMessage::Incarnation, SECOND).await, Ok(1));
    drop(other);
    while events.next().await.is_some() {}
    assert_eq!(log.read()[2..], ["two 2 stopped", "one 1 stopped"]);
    let answer = child.ask(WorkerMessage::Incarnation, SECOND).await;
    assert_eq!(answer, Err(AskError::NotRunning));
}

/// R34 (T20): a supervisor that is killed leaves no orphan and nobody waiting.
#[tokio::test(start_paused = true)]
async fn r34_a_killed_supervisor_ends_its_children() {
    let log = Log::new();
    let (told, hook) = mpsc::channel();
    let watched = WorkerSpec::new("worker", &log).spec();
    let spec = watched.on_down(move |why| told.send(why).unwrap());
    let supervisor = supervise([spec]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let mut worker = WorkerSpec::new("hung", &log);
    worker.hangs_in_pre_start_from = 1;
    let adding = supervisor.clone();
    let added = tokio::spawn(async move { adding.add(worker.spec()).await });
    while log.incarnations.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let actor = child.actor();
    actor.try_get_supervisor().unwrap().kill();
    assert_eq!(supervisor.ended().await.end, End::Killed);
    assert_eq!(hook.try_recv(), Ok(Ending::ShutDown));
    assert_eq!(added.await.unwrap(), Err(AddError::Ended));
    actor.wait(None).await.unwrap();
    while log.running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
    let snapshot = supervisor.snapshot();
    assert_eq!(snapshot.phase, Phase::Down);
    assert_eq!(
        snapshot.child("worker").unwrap().last_exit,
        Some(Exit::Killed)
    );
}

/// R34 (T20): ractor spares children that drain; here one would wait for a
/// restart that never comes.
#[tokio::test(start_paused = true)]
async fn r34_a_killed_supervisor_ends_its_draining_children() {
    let spec = worker("worker").backoff(Backoff::fixed(60 * SECOND));
    let supervisor = supervise([spec]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let actor = child.actor();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    let ended = async {
        actor.drain().unwrap();
        while child.status().phase != Phase::BackingOff {
            tokio::task::yield_now().await;
        }
        actor.try_get_supervisor().unwrap().kill();
        supervisor.ended().await
    };
    let asked = async {
        let crash = child.ask(fail, SECOND);
        tokio::join!(crash, child.ask(WorkerMessage::Incarnation, 90 * SECOND))
    };
    let (answers, report) = tokio::join!(asked, ended);
    assert_eq!(answers, (Err(AskError::Crashed), Err(AskError::Crashed)));
    assert_eq!(report.end, End::Killed);
    actor.wait(None).await.unwrap();
}

/// R34, R40: stopping the supervisor's actor from outside is a shutdown.
#[tokio::test(start_paused = true)]
async fn r34_a_supervisor_that_is_stopped_from_outside_shuts_down() {
    let log = Log::new();
    let children = ["one", "two"].map(|name| WorkerSpec::new(name, &log).spec());
    let supervisor = supervise(children).await;
    let child = supervisor.child::<WorkerMessage>("one").unwrap();
    child.actor().try_get_supervisor().unwrap().stop(None);
    assert_eq!(supervisor.ended().await.end, End::ShutDown);
    assert_eq!(log.read()[2..], ["two 2 stopped", "one 1 stopped"]);
}

/// R40 (T26): a runtime may go first; nothing panics and nobody hangs.
#[test]
fn r40_a_runtime_may_end_before_its_supervisor() {
    for workers in [0, 2] {
        let runtime = match workers {
            0 => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build(),
            _ => tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build(),
        };
        let runtime = runtime.unwrap();
        let log = Log::new();
        let (told, hook) = mpsc::channel();
        let supervisor = runtime.block_on(async {
            let spec = WorkerSpec::new("worker", &log).spec();
            let watched = spec.on_down(move |why| told.send(why).unwrap());
            supervise([
                watched,
                worker("other").backoff(Backoff::fixed(60 * SECOND)),
            ])
            .await
        });
        let child = supervisor.child::<WorkerMessage>("worker").unwrap();
        drop(runtime);
        assert_eq!(hook.recv(), Ok(Ending::ShutDown));
        let other = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        other.block_on(async {
            assert_eq!(supervisor.ended().await.end, End::Killed);
            let answer = child.ask(WorkerMessage::Incarnation, SECOND).await;
            assert_eq!(answer, Err(AskError::NotRunning));
            assert_eq!(supervisor.add(worker("late")).await, Err(AddError::Ended));
        });
        assert_eq!(log.running.load(Ordering::SeqCst), 0);
        drop(supervisor);
    }
}

/// R34: it is also said where a shutdown overtakes a removal.
#[tokio::test(start_paused = true)]
async fn r34_a_child_that_is_killed_by_a_removal_was_killed_for_a_shutdown_as_well() {
    let worker = worker("worker").shutdown(Shutdown::Kill);
    let supervisor = supervise([worker]).await;
    let mut removal = tokio_test::task::spawn(supervisor.remove("worker"));
    tokio_test::assert_pending!(removal.poll());
    let report = supervisor.shutdown().await;
    assert_eq!(report.stopped[0].departure, Departure::Killed);
}

/// R34: a supervisor that was killed before it ran has ended as well.
#[tokio::test(start_paused = true)]
async fn r34_a_supervisor_that_never_ran_has_ended_once_it_is_dropped() {
    let (booted, _) = oneshot::channel();
    let arguments = SupervisorArguments::new(spec([]), booted);
    let published = Arc::clone(arguments.publisher.published());
    assert_eq!(published.closed().now_or_never(), None);
    drop(arguments);
    assert_eq!(published.closed().now_or_never(), Some(()));
}
