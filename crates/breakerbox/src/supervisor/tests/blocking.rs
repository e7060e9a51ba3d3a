//! Children that block their thread, which cannot be ended where they are.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};

use breakerbox_core::{Exit, Restart, Strategy};
use futures_util::FutureExt;
use futures_util::future::{join_all, ready};
use tokio::sync::Notify;

use super::scripted::{Ask, Script};
use super::worker::{Log, WorkerMessage, WorkerSpec, block, worker};
use super::{SECOND, exited, restarted, supervise, until};
use crate::supervisor::{ChildSpec, Departure, RestartError, Shutdown, SupervisorSpec};

/// Where a thread is held until the test lets it go.
pub(super) struct Trap {
    pub(super) entered: Notify,
    /// Whether nobody let a thread go for so long that the test must have failed.
    pub(super) is_given_up: AtomicBool,
    released: Mutex<mpsc::Receiver<()>>,
}

impl Trap {
    /// Dropping what comes with it releases who is in it, and later nobody is held.
    pub(super) fn set() -> (Arc<Self>, mpsc::Sender<()>) {
        let (release, released) = mpsc::channel();
        let trap = Self {
            entered: Notify::new(),
            is_given_up: AtomicBool::new(false),
            released: Mutex::new(released),
        };
        (Arc::new(trap), release)
    }

    pub(super) fn enter(&self) {
        self.entered.notify_one();
        let released = self.released.lock().unwrap().recv_timeout(60 * SECOND);
        if released == Err(RecvTimeoutError::Timeout) {
            self.is_given_up.store(true, Ordering::SeqCst);
        }
    }
}

/// Waits for what comes soon, unless it never comes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let come = tokio::time::timeout(60 * SECOND, what).await;
    come.expect("a minute is enough for it")
}

/// Gives others a turn until nothing of a child is left.
pub(super) async fn gone(log: &Log) {
    soon(async {
        while log.running.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// R34: who was given up in its start is not up later, when nobody knows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_that_is_removed_while_its_start_blocks_never_comes_up() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let child = Script::new(&log).pre_start({
        let trap = Arc::clone(&trap);
        move |_, _| {
            ready({
                trap.enter();
                Ok(())
            })
        }
    });
    let supervisor = supervise([]).await;
    let adding = supervisor.clone();
    let child = child.child("stuck").shutdown(Shutdown::Kill);
    let added = tokio::spawn(async move { adding.add(child).await });
    trap.entered.notified().await;
    assert_eq!(supervisor.remove("stuck").await, Ok(Departure::Stuck));
    added.await.unwrap().unwrap_err();
    drop(release);
    gone(&log).await;
}

/// R33: the same where it restarts in place, and is started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r33_a_child_that_is_stopped_while_its_restart_blocks_is_not_started_beside_itself() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let child = Script::new(&log).pre_start({
        let trap = Arc::clone(&trap);
        move |number, _| {
            ready({
                if number == 2 {
                    trap.enter();
                }
                Ok(())
            })
        }
    });
    let supervisor = supervise([child.child("stuck").shutdown(Shutdown::Kill)]).await;
    let restarting = supervisor.clone();
    let restarted = tokio::spawn(async move { restarting.restart("stuck").await });
    trap.entered.notified().await;
    assert_eq!(supervisor.stop("stuck").await, Ok(Departure::Stuck));
    restarted.await.unwrap().unwrap_err();
    drop(release);
    assert_eq!(supervisor.restart("stuck").await, Ok(()));
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    let child = supervisor.child::<Ask>("stuck").unwrap();
    assert_eq!(child.ask(Ask::Who, 60 * SECOND).await, Ok(3));
    supervisor.shutdown().await;
    gone(&log).await;
}

/// R34: nor does a tree come up whose start was given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_level_that_is_removed_while_its_start_blocks_never_comes_up() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let level = ChildSpec::supervisor("level", {
        let (log, trap) = (Arc::clone(&log), Arc::clone(&trap));
        move || {
            trap.enter();
            let worker = WorkerSpec::new("worker", &log).spec();
            SupervisorSpec::new("level", Strategy::OneForOne).child(worker)
        }
    });
    let supervisor = supervise([]).await;
    let adding = supervisor.clone();
    let level = level.shutdown(Shutdown::Kill);
    let added = tokio::spawn(async move { adding.add(level).await });
    trap.entered.notified().await;
    assert_eq!(supervisor.remove("level").await, Ok(Departure::Stuck));
    added.await.unwrap().unwrap_err();
    drop(release);
    // Until the level is gone with the task that was to start it.
    soon(async {
        while Arc::strong_count(&log) > 1 {
            assert_eq!(log.incarnations.load(Ordering::SeqCst), 0);
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// R33: a level that was killed is not started beside what is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r33_a_killed_level_is_not_started_beside_a_child_of_it_that_blocks() {
    let log = Log::new();
    let level = ChildSpec::supervisor("level", {
        let log = Arc::clone(&log);
        move || {
            let worker = WorkerSpec::new("worker", &log).spec();
            SupervisorSpec::new("level", Strategy::OneForOne).child(worker)
        }
    });
    let level = level.shutdown(Shutdown::Kill).start_timeout(60 * SECOND);
    let supervisor = supervise([level]).await;
    let release = block(&supervisor.child("level/worker").unwrap()).await;
    assert_eq!(supervisor.stop("level").await, Ok(Departure::Stuck));
    let restarting = supervisor.clone();
    let restarted = tokio::spawn(async move { restarting.restart("level").await });
    // Whoever does not wait overtakes it.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 1);
    drop(release);
    assert_eq!(restarted.await.unwrap(), Ok(()));
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    supervisor.shutdown().await;
}

/// R33: who waits for its former incarnation does so within its start timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn r33_a_child_whose_former_incarnation_blocks_fails_to_start() {
    let (trap, release_task) = Trap::set();
    let task = ChildSpec::task("task", {
        let trap = Arc::clone(&trap);
        move |stop| {
            let trap = Arc::clone(&trap);
            async move {
                tokio::task::yield_now().await;
                trap.enter();
                stop.cancelled().await;
                Ok::<_, Infallible>(())
            }
        }
    });
    let level = |name| {
        ChildSpec::supervisor(name, || {
            let worker = worker("worker").shutdown(Shutdown::Kill);
            SupervisorSpec::new("level", Strategy::OneForOne).child(worker)
        })
    };
    let moves = worker("moves").new_address();
    let children = [task, worker("actor"), moves, level("level"), level("other")];
    // Enough for those that do not block, on the real clock.
    let short = |child: ChildSpec| child.shutdown(Shutdown::Kill).start_timeout(2 * SECOND);
    let supervisor = supervise(children.map(short)).await;
    trap.entered.notified().await;
    let mut releases = vec![release_task];
    for path in ["actor", "moves", "level/worker", "other/worker"] {
        releases.push(block(&supervisor.child(path).unwrap()).await);
    }
    let removed = supervisor.remove("other/worker").await;
    assert_eq!(removed, Ok(Departure::Stuck));
    let names = ["task", "actor", "moves", "level", "other"];
    let restarts = names.map(|name| async {
        assert_eq!(supervisor.stop(name).await, Ok(Departure::Stuck));
        supervisor.restart(name).await
    });
    let stuck = "its former incarnation is stuck in blocking code";
    for (restarted, name) in soon(join_all(restarts)).await.into_iter().zip(names) {
        let (child, exit) = (name.to_owned(), Exit::InitFailed(stuck.into()));
        assert_eq!(restarted, Err(RestartError::Failed { child, exit }));
    }
    let mut events = supervisor.events();
    drop(releases);
    for _ in names {
        soon(until(&mut events, restarted)).await;
    }
}

/// R41: also where it is restarted, which must not start it beside itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r41_a_new_address_waits_for_an_incarnation_that_blocks_its_thread() {
    let log = Log::new();
    let worker = WorkerSpec::new("worker", &log).spec().new_address();
    // Enough for an incarnation that does not block, on the real clock.
    let worker = worker.shutdown(Shutdown::Kill).start_timeout(60 * SECOND);
    let supervisor = supervise([worker]).await;
    let child = supervisor.child::<WorkerMessage>("worker").unwrap();
    let former = child.actor();
    let release = block(&child).await;
    let mut events = supervisor.events();
    let restart = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.restart("worker").await }
    });
    // After a second it is taken for stuck, and its next incarnation waits.
    soon(until(&mut events, exited)).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 1);
    drop(release);
    soon(until(&mut events, restarted)).await;
    assert_eq!(restart.await.unwrap(), Ok(()));
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    assert_eq!(former.get_status(), ractor::ActorStatus::Stopped);
    assert_eq!(
        soon(child.ask(WorkerMessage::Incarnation, SECOND)).await,
        Ok(2)
    );
}

/// R34: whoever kills a supervisor hears who is left of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_that_blocks_its_thread_is_reported_by_a_killed_supervisor() {
    let supervisor = supervise([worker("fine"), worker("stuck")]).await;
    let release = block(&supervisor.child("stuck").unwrap()).await;
    let report = supervisor.kill().await;
    let stuck = report.stopped.iter();
    let stuck: Vec<_> = stuck.map(|it| (&*it.child, it.departure)).collect();
    assert_eq!(stuck, [("stuck", Departure::Stuck)]);
    drop(release);
}

/// R34: who blocks its thread while it is dropped is stuck as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_a_child_whose_drop_blocks_its_thread_is_reported_as_stuck() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let child = Script::new(&log).on_drop(move |_| trap.enter());
    let child = child.child("stuck").shutdown(Shutdown::Kill);
    let supervisor = supervise([worker("fine"), child]).await;
    let report = supervisor.shutdown().await;
    let departures: Vec<_> = report.stopped.iter().map(|it| it.departure).collect();
    assert_eq!(departures, [Departure::Stuck, Departure::Stopped]);
    drop(release);
    gone(&log).await;
}

/// R35: and keeps nobody waiting where it was killed by somebody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_child_whose_drop_blocks_its_thread_leaves_the_supervisor_responsive() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let child = Script::new(&log).on_drop({
        let trap = Arc::clone(&trap);
        move |_| trap.enter()
    });
    let child = child.child("stuck").restart(Restart::Temporary);
    let supervisor = supervise([worker("fine"), child]).await;
    let stuck = supervisor.child::<Ask>("stuck").unwrap();
    stuck.actor().kill();
    trap.entered.notified().await;
    let answer = soon(supervisor.stop("fine")).await;
    assert_eq!(answer, Ok(Departure::Stopped));
    drop(release);
    supervisor.shutdown().await;
    gone(&log).await;
}

/// R35: nor where ractor has woken the supervisor for its start in the same poll.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_child_whose_post_stop_blocks_its_thread_leaves_the_supervisor_responsive() {
    let (trap, release) = Trap::set();
    let log = Log::new();
    let go_on = Arc::new(Notify::new());
    let child = Script::new(&log)
        .post_start({
            let go_on = Arc::clone(&go_on);
            move |_, myself| {
                let go_on = Arc::clone(&go_on);
                async move {
                    go_on.notified().await;
                    myself.stop(None);
                    Ok(())
                }
            }
        })
        .post_stop({
            let trap = Arc::clone(&trap);
            move |_, _| {
                trap.enter();
                ready(Ok(()))
            }
        });
    let child = child.child("stuck").restart(Restart::Temporary);
    let supervisor = supervise([worker("fine"), child]).await;
    go_on.notify_one();
    trap.entered.notified().await;
    let answer = soon(supervisor.stop("fine")).await;
    assert_eq!(answer, Ok(Departure::Stopped));
    drop(release);
    supervisor.shutdown().await;
    gone(&log).await;
}

/// R30, R35: an actor is up when its `pre_start` has returned, and that is told though
/// it then blocks its thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r35_a_child_that_blocks_its_thread_once_it_is_up_is_known_to_be_up() {
    let in_post_start = |script: Script, trap: Arc<Trap>| {
        script.post_start(move |_, _| {
            trap.enter();
            ready(Ok(()))
        })
    };
    // Its first message is there before ractor looks for one.
    let in_a_message = |script: Script, trap: Arc<Trap>| {
        let script =
            script.post_start(|_, myself| ready(myself.cast(Ask::Fail).map_err(Into::into)));
        script.on_drop(move |_| trap.enter())
    };
    type Blocks = fn(Script, Arc<Trap>) -> Script;
    let blocks: [Blocks; 2] = [in_post_start, in_a_message];
    for block in blocks {
        let (trap, release) = Trap::set();
        let log = Log::new();
        let script = block(Script::new(&log), Arc::clone(&trap));
        let supervisor = supervise([worker("fine")]).await;
        let child = script.child("stuck").restart(Restart::Temporary);
        soon(supervisor.add(child)).await.unwrap();
        trap.entered.notified().await;
        let answer = soon(supervisor.stop("fine")).await;
        assert_eq!(answer, Ok(Departure::Stopped));
        assert!(!trap.is_given_up.load(Ordering::SeqCst));
        drop(release);
        supervisor.shutdown().await;
        gone(&log).await;
    }
}

/// R35: nor what is dropped with a child's recipe.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r35_a_recipe_whose_drop_blocks_its_thread_leaves_the_supervisor_responsive() {
    let [(refused, release_refused), (removed, release_removed)] = [Trap::set(), Trap::set()];
    let child = |trap: &Arc<Trap>| {
        let bait = Bait(Arc::clone(trap));
        ChildSpec::task("stuck", move |stop| {
            let _captured = &bait;
            stop.cancelled_owned().map(Ok::<_, Infallible>)
        })
    };
    let supervisor = supervise([worker("fine"), child(&removed)]).await;
    soon(supervisor.add(child(&refused))).await.unwrap_err();
    refused.entered.notified().await;
    let departure = soon(supervisor.remove("stuck")).await;
    assert_eq!(departure, Ok(Departure::Stopped));
    removed.entered.notified().await;
    let answer = soon(supervisor.stop("fine")).await;
    assert_eq!(answer, Ok(Departure::Stopped));
    for trap in [&refused, &removed] {
        let is_given_up = trap.is_given_up.load(Ordering::SeqCst);
        assert!(!is_given_up, "it blocks for as long as it is not released");
    }
    drop((release_refused, release_removed));
}

/// Enters its trap when it is dropped.
pub(super) struct Bait(pub(super) Arc<Trap>);

impl Drop for Bait {
    fn drop(&mut self) {
        self.0.enter();
    }
}
