use std::convert::Infallible;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use breakerbox_core::{Ending, Exit, Phase, Restart};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::blocking::gone;
use super::worker::{Log, WorkerMessage, WorkerSpec, worker};
use super::{SECOND, exited, kill, restarted, spec, stopped, supervise, until};
use crate::supervisor::{
    ChildError, ChildKind, ChildSpec, Departure, Shutdown, StartError, SupervisorEvent,
};

/// R30, R34, R38: up once polled, asked to stop by its token, in its turn.
#[tokio::test(start_paused = true)]
async fn r38_a_task_is_a_child_like_any_other() {
    let log = Log::new();
    let consumer = ChildSpec::task("consumer", {
        let log = Arc::clone(&log);
        move |stop| {
            let log = Arc::clone(&log);
            async move {
                log.write("consumer started");
                stop.cancelled().await;
                log.write("consumer stopped");
                Ok::<_, Infallible>(())
            }
        }
    });
    let children = [consumer, WorkerSpec::new("worker", &log).spec()];
    let supervisor = supervise(children).await;
    let snapshot = supervisor.snapshot();
    assert_eq!(snapshot.child("consumer").unwrap().phase, Phase::Up);
    assert_eq!(snapshot.children[0].kind, ChildKind::Task);
    let no_actor = supervisor.child::<WorkerMessage>("consumer").unwrap_err();
    assert!(matches!(no_actor, ChildError::OtherMessages { .. }));
    let report = supervisor.shutdown().await;
    assert_eq!(report.unclean().count(), 0, "{report:?}");
    let expected = [
        "consumer started",
        "worker 1 started",
        "worker 1 stopped",
        "consumer stopped",
    ];
    assert_eq!(log.read(), expected);
}

/// R38: how a task ends is how the child exited, and its restart type decides.
#[tokio::test(start_paused = true)]
async fn r38_the_end_of_a_task_is_an_exit() {
    let panicked = |text: &str| Exit::Panicked(text.into());
    let cases = [
        (End::Return, Exit::Normal, false),
        (End::Fail, Exit::Error("failed".into()), true),
        (End::Panic, panicked("panicked"), true),
        (End::PanicInDrop, panicked("panicked when dropped"), true),
    ];
    for (end, exit, is_restarted) in cases {
        let log = Log::new();
        let spec = ending(end, &log).restart(Restart::Transient);
        let supervisor = supervise([]).await;
        let mut events = supervisor.events();
        supervisor.add(spec).await.unwrap();
        let SupervisorEvent::Exited { exit: found, .. } = until(&mut events, exited).await else {
            unreachable!("that is what was waited for");
        };
        assert_eq!(found, exit);
        if is_restarted {
            until(&mut events, restarted).await;
        } else {
            let (child, why) = ("task".into(), Ending::Finished);
            let finished = until(&mut events, stopped).await;
            assert_eq!(finished, SupervisorEvent::Stopped { child, why });
        }
        supervisor.shutdown().await;
        assert_eq!(log.running.load(Ordering::SeqCst), 0, "{end:?}");
        assert_eq!(log.most_running.load(Ordering::SeqCst), 1, "{end:?}");
    }
}

/// R30: a task with a readiness handle holds up those after it.
#[tokio::test(start_paused = true)]
async fn r30_a_task_with_readiness_is_up_when_it_says_so() {
    let (warm, log) = (Arc::new(Notify::new()), Log::new());
    let cache = ChildSpec::task_with_readiness("cache", {
        let warm = Arc::clone(&warm);
        move |stop, ready| {
            let warm = Arc::clone(&warm);
            async move {
                warm.notified().await;
                ready.notify();
                stop.cancelled().await;
                Ok::<_, Infallible>(())
            }
        }
    });
    let children = [cache, WorkerSpec::new("worker", &log).spec()];
    let mut start = Box::pin(spec(children).start());
    assert!(tokio::time::timeout(SECOND, &mut start).await.is_err());
    assert_eq!(log.read(), [""; 0]);
    warm.notify_one();
    let supervisor = start.await.unwrap();
    assert_eq!(log.read(), ["worker 1 started"]);
    assert_eq!(supervisor.snapshot().children[0].status.phase, Phase::Up);
    supervisor.shutdown().await;
}

/// R30 (T14): a task that drops its handle and goes on fails at its timeout.
#[tokio::test(start_paused = true)]
async fn r30_a_task_that_never_says_that_it_is_up_fails_at_its_timeout() {
    let log = Log::new();
    let silent = ChildSpec::task_with_readiness("silent", {
        let log = Arc::clone(&log);
        move |_, ready| {
            let life = Life::new(&log);
            async move {
                drop(ready);
                pending::<()>().await;
                drop(life);
                Ok::<_, Infallible>(())
            }
        }
    });
    let began = tokio::time::Instant::now();
    let start = spec([silent.start_timeout(3 * SECOND)]).start();
    let exit = Exit::InitFailed("it did not start within 3s".into());
    let child = "silent".to_owned();
    assert_eq!(start.await.unwrap_err(), StartError::Child { child, exit });
    assert_eq!(began.elapsed().as_secs(), 3);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R30 (T15): a task that ends before it is up did not come up.
#[tokio::test(start_paused = true)]
async fn r30_a_task_that_ends_before_it_is_up_fails_the_start() {
    let cases = [
        (End::Return, "it ended before it said that it was up"),
        (End::Fail, "failed"),
        (End::Panic, "panicked"),
        (End::PanicInDrop, "panicked when dropped"),
    ];
    for (end, text) in cases {
        let log = Log::new();
        let ends = {
            let log = Arc::clone(&log);
            move |_, _ready| end.run(Life::new(&log))
        };
        let start = spec([ChildSpec::task_with_readiness("task", ends)]).start();
        assert_eq!(start.await.unwrap_err(), start_failed(text));
        assert_eq!(log.running.load(Ordering::SeqCst), 0, "{end:?}");
    }
}

/// R30 (T15): so did one whose function panics before there is a future.
#[tokio::test(start_paused = true)]
async fn r30_a_task_whose_function_panics_fails_the_start() {
    fn panics(_: CancellationToken) -> std::future::Ready<Result<(), Infallible>> {
        panic!("no future")
    }
    let start = spec([ChildSpec::task("task", panics)]).start();
    assert_eq!(start.await.unwrap_err(), start_failed("no future"));
}

/// R34 (T13): a task that goes on is killed once its time is up, and named.
#[tokio::test(start_paused = true)]
async fn r34_a_task_that_ignores_its_token_is_killed_and_reported() {
    let cases = [(Shutdown::Within(7 * SECOND), 7), (Shutdown::Kill, 0)];
    for (shutdown, seconds) in cases {
        let log = Log::new();
        let task = ending(End::Never, &log).shutdown(shutdown);
        let supervisor = supervise([worker("worker"), task]).await;
        let began = tokio::time::Instant::now();
        let report = supervisor.shutdown().await;
        assert_eq!(began.elapsed().as_secs(), seconds);
        let departures = report.stopped.iter().map(|stopped| stopped.departure);
        let expected = [Departure::Killed, Departure::Stopped];
        assert_eq!(departures.collect::<Vec<_>>(), expected);
        assert_eq!(log.running.load(Ordering::SeqCst), 0);
    }
}

/// R34, R36: a task that has not said that it is up is asked to stop as well.
#[tokio::test(start_paused = true)]
async fn r34_a_task_that_starts_is_asked_to_stop() {
    let asked = Arc::new(AtomicU64::new(0));
    let task = ChildSpec::task_with_readiness("task", {
        let asked = Arc::clone(&asked);
        move |stop, ready| {
            let asked = Arc::clone(&asked);
            async move {
                stop.cancelled().await;
                asked.fetch_add(1, Ordering::SeqCst);
                drop(ready);
                Ok::<_, Infallible>(())
            }
        }
    });
    let supervisor = supervise([]).await;
    let adding = supervisor.clone();
    let added = tokio::spawn(async move { adding.add(task).await });
    while supervisor.snapshot().children.is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(SECOND).await;
    assert_eq!(supervisor.remove("task").await, Ok(Departure::Stopped));
    assert!(added.await.unwrap().is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// R33, R34 (T16): a task that blocks its thread is named, and not started
/// beside itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_task_that_blocks_its_thread_is_reported_as_stuck() {
    let (release, released) = mpsc::channel::<()>();
    let (blocks, blocked) = mpsc::channel();
    let released = Arc::new(Mutex::new(released));
    let log = Log::new();
    let task = ChildSpec::task("task", {
        let log = Arc::clone(&log);
        move |_| {
            let (released, blocks) = (Arc::clone(&released), blocks.clone());
            let life = Life::new(&log);
            async move {
                tokio::task::yield_now().await;
                blocks.send(()).unwrap();
                let _let_go = released.lock().unwrap().recv();
                drop(life);
                Ok::<_, Infallible>(())
            }
        }
    });
    let supervisor = supervise([worker("worker"), task.shutdown(Shutdown::Kill)]).await;
    let blocked = tokio::task::spawn_blocking(move || blocked.recv());
    blocked.await.unwrap().unwrap();
    let report = supervisor.shutdown().await;
    let departures = report.stopped.iter().map(|stopped| stopped.departure);
    let expected = [Departure::Stuck, Departure::Stopped];
    assert_eq!(departures.collect::<Vec<_>>(), expected);
    assert_eq!(log.running.load(Ordering::SeqCst), 1);
    drop(release);
    gone(&log).await;
}

/// R30: what a task does once it has said that it is up delays nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r30_a_task_that_blocks_its_thread_once_it_is_up_is_up() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let task = ChildSpec::task_with_readiness("task", move |_, ready| {
        let released = Arc::clone(&released);
        async move {
            ready.notify();
            let _let_go = released.lock().unwrap().recv();
            pending::<Result<(), Infallible>>().await
        }
    });
    let supervisor = supervise([task.shutdown(Shutdown::Kill)]).await;
    drop(release);
    supervisor.shutdown().await;
}

/// R33: after a start that blocked beyond its timeout, the next one waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_start_that_blocks_its_thread_delays_the_next_one() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let log = Log::new();
    let task = ChildSpec::task_with_readiness("task", {
        let log = Arc::clone(&log);
        move |_, ready| {
            let (released, life) = (Arc::clone(&released), Life::new(&log));
            let incarnation = log.incarnations.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                match incarnation {
                    1 => ready.notify(),
                    2 => drop(released.lock().unwrap().recv()),
                    _ => ready.notify(),
                }
                if incarnation > 2 {
                    pending::<()>().await;
                }
                drop(life);
                Err("failed")
            }
        }
    });
    // Enough for those that do not block, on the real clock.
    let task = task.start_timeout(2 * SECOND).shutdown(Shutdown::Kill);
    let supervisor = supervise([]).await;
    let mut events = supervisor.events();
    supervisor.add(task).await.unwrap();
    let timed_out = Exit::InitFailed("it did not start within 2s".into());
    let is_late = |event: &SupervisorEvent| matches!(event, SupervisorEvent::Exited { exit, .. } if *exit == timed_out);
    until(&mut events, is_late).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 2);
    drop(release);
    until(&mut events, restarted).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 3);
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    supervisor.shutdown().await;
}

/// R38: what a task spawned hears of its end by the token, also after a crash.
#[tokio::test(start_paused = true)]
async fn r38_a_crash_cancels_the_token_of_that_incarnation() {
    let helpers = Arc::new(AtomicU64::new(0));
    let fail = Arc::new(Notify::new());
    let task = ChildSpec::task("task", {
        let (fail, helpers) = (Arc::clone(&fail), Arc::clone(&helpers));
        move |stop| {
            let (fail, helpers) = (Arc::clone(&fail), Arc::clone(&helpers));
            async move {
                helpers.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    stop.cancelled().await;
                    helpers.fetch_sub(1, Ordering::SeqCst);
                });
                fail.notified().await;
                Err("failed")
            }
        }
    });
    let supervisor = supervise([task]).await;
    let mut events = supervisor.events();
    for _ in 0..3 {
        fail.notify_one();
        until(&mut events, restarted).await;
        tokio::task::yield_now().await;
        assert_eq!(helpers.load(Ordering::SeqCst), 1);
    }
}

/// R34 (T20): a supervisor that is killed leaves no task, neither one that runs
/// nor one that starts.
#[tokio::test(start_paused = true)]
async fn r34_a_killed_supervisor_ends_its_tasks() {
    let log = Log::new();
    let supervisor = supervise([ending(End::Never, &log)]).await;
    let adding = supervisor.clone();
    let starts = {
        let log = Arc::clone(&log);
        move |_, ready| {
            let life = Life::new(&log);
            async move {
                pending::<()>().await;
                drop((life, ready));
                Ok::<_, Infallible>(())
            }
        }
    };
    let starting = ChildSpec::task_with_readiness("starting", starts);
    let added = tokio::spawn(async move { adding.add(starting).await });
    while log.running.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    kill(&supervisor);
    supervisor.ended().await;
    added.await.unwrap().unwrap_err();
    while log.running.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

/// Counts while it lives; a task that captures it is counted until it is dropped.
struct Life {
    log: Arc<Log>,
}

impl Life {
    fn new(log: &Arc<Log>) -> Self {
        let running = log.running.fetch_add(1, Ordering::SeqCst) + 1;
        log.most_running.fetch_max(running, Ordering::SeqCst);
        Self {
            log: Arc::clone(log),
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.log.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How a task ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Fail,
    Never,
    Panic,
    PanicInDrop,
    Return,
}

impl End {
    async fn run(self, life: Life) -> Result<(), &'static str> {
        let _life = life;
        match self {
            Self::Fail => Err("failed"),
            Self::Never => pending().await,
            Self::Panic => panic!("panicked"),
            Self::PanicInDrop => {
                let _panics = PanicsInDrop;
                Ok(())
            }
            Self::Return => Ok(()),
        }
    }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("panicked when dropped");
    }
}

/// A task that ends like this, as soon as it runs.
fn ending(end: End, log: &Arc<Log>) -> ChildSpec {
    let log = Arc::clone(log);
    ChildSpec::task("task", move |_| end.run(Life::new(&log)))
}

fn start_failed(text: &str) -> StartError {
    StartError::Child {
        child: "task".to_owned(),
        exit: Exit::InitFailed(text.into()),
    }
}
