use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use breakerbox_core::{Backoff, Exit, Phase, RestartIntensity, Strategy};
use tokio::sync::Notify;

use super::scripted::{Ask, Bomb, Script};
use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, block};
use super::{SECOND, exited, restarted, until};
use crate::supervisor::{Child, ChildSpec, Departure, End, Shutdown, Supervisor, SupervisorSpec};

const NAMES: [&str; 3] = ["first", "second", "third"];

/// Three workers with one log, which counts their incarnations together.
async fn group(strategy: Strategy, log: &Arc<Log>) -> Supervisor {
    let spec = |name| WorkerSpec::new(name, log).spec();
    supervise(strategy, NAMES.map(spec)).await
}

async fn supervise(
    strategy: Strategy,
    children: impl IntoIterator<Item = ChildSpec>,
) -> Supervisor {
    let spec = SupervisorSpec::new("group", strategy);
    let spec = spec.intensity(RestartIntensity::new(1_000, SECOND));
    let spec = children.into_iter().fold(spec, SupervisorSpec::child);
    spec.start().await.unwrap()
}

fn worker(supervisor: &Supervisor, name: &str) -> Child<WorkerMessage> {
    supervisor.child(name).unwrap()
}

async fn fail(worker: &Child<WorkerMessage>) {
    let failed = |reply| WorkerMessage::Fail(Fault::Panic, reply);
    worker.ask(failed, SECOND).await.unwrap_err();
}

/// Waits until so many children have been restarted.
async fn restarts(supervisor: &Supervisor, count: u64, act: impl Future<Output = ()>) {
    let mut events = supervisor.events();
    act.await;
    for _ in 0..count {
        until(&mut events, restarted).await;
    }
}

/// R32: everybody is stopped in reverse, then started in order.
#[tokio::test(start_paused = true)]
async fn r32_one_for_all_restarts_all() {
    let log = Log::new();
    let supervisor = group(Strategy::OneForAll, &log).await;
    let second = worker(&supervisor, "second");
    restarts(&supervisor, 3, fail(&second)).await;
    let expected = [
        "first 1 started",
        "second 2 started",
        "third 3 started",
        "third 3 stopped",
        "first 1 stopped",
        "first 4 started",
        "second 5 started",
        "third 6 started",
    ];
    assert_eq!(log.read(), expected);
}

/// R32: those before the one that failed are not touched.
#[tokio::test(start_paused = true)]
async fn r32_rest_for_one_restarts_those_started_after_it() {
    let log = Log::new();
    let supervisor = group(Strategy::RestForOne, &log).await;
    let second = worker(&supervisor, "second");
    restarts(&supervisor, 2, fail(&second)).await;
    let expected = ["third 3 stopped", "second 4 started", "third 5 started"];
    assert_eq!(log.read()[3..], expected);
    assert_eq!(worker(&supervisor, "first").status().restarts, 0);
}

/// R31: a sibling that did not fail keeps its address and its queue, too.
#[tokio::test(start_paused = true)]
async fn r31_a_group_restart_keeps_the_siblings_addresses_and_queues() {
    let log = Log::new();
    let supervisor = group(Strategy::OneForAll, &log).await;
    let [first, second, third] = NAMES.map(|name| worker(&supervisor, name));
    let address = first.actor().get_id();
    let released = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(Arc::clone(&released), reply);
    first.ask(hold, SECOND).await.unwrap();
    let asks = tokio::spawn({
        let first = first.clone();
        async move { first.ask(WorkerMessage::Incarnation, 60 * SECOND).await }
    });
    tokio::task::yield_now().await;
    let mut events = supervisor.events();
    fail(&second).await;
    until(&mut events, exited).await;
    // It is busy, and has time for that.
    released.notify_one();
    for _ in 0..3 {
        until(&mut events, restarted).await;
    }
    // The next incarnation answers what the last one had in its queue.
    assert_eq!(asks.await.unwrap(), Ok(4));
    assert_eq!(first.actor().get_id(), address);
    let answered = third.ask(WorkerMessage::Incarnation, SECOND).await;
    assert_eq!(answered, Ok(6));
}

/// R31: a sibling that hangs loses the message that it hangs in, and no other.
#[tokio::test(start_paused = true)]
async fn r31_a_group_restart_interrupts_a_sibling_that_hangs() {
    let log = Log::new();
    let supervisor = group(Strategy::OneForAll, &log).await;
    let [first, second, _third] = NAMES.map(|name| worker(&supervisor, name));
    let never = Arc::new(Notify::new());
    let hold = |reply| WorkerMessage::Hold(never, reply);
    first.ask(hold, SECOND).await.unwrap();
    let asks = tokio::spawn({
        let first = first.clone();
        async move { first.ask(WorkerMessage::Incarnation, 60 * SECOND).await }
    });
    let address = first.actor().get_id();
    restarts(&supervisor, 3, fail(&second)).await;
    assert_eq!(asks.await.unwrap(), Ok(4));
    assert_eq!(first.actor().get_id(), address);
    assert_eq!(first.status().last_exit, Some(Exit::Killed));
    assert_eq!(log.running.load(Ordering::SeqCst), 3);
}

/// T11, R33: a sibling that is busy is waited for: no two of it, no meltdown.
#[tokio::test(start_paused = true)]
async fn r33_a_busy_sibling_never_overlaps_with_its_next_incarnation() {
    let logs = [Log::new(), Log::new()];
    let [busy, bad] = [("busy", &logs[0]), ("bad", &logs[1])];
    let children = [busy, bad].map(|(name, log)| WorkerSpec::new(name, log).spec());
    let supervisor = supervise(Strategy::OneForAll, children).await;
    let [busy, bad] = ["busy", "bad"].map(|name| worker(&supervisor, name));
    for _ in 0..10 {
        let released = Arc::new(Notify::new());
        let hold = |reply| WorkerMessage::Hold(Arc::clone(&released), reply);
        busy.ask(hold, SECOND).await.unwrap();
        let release = async {
            fail(&bad).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            released.notify_one();
        };
        restarts(&supervisor, 2, release).await;
    }
    for log in logs {
        assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    }
    assert_eq!(busy.status().restarts, 10);
}

/// T12: two that fail at the same time are one failure of the group.
#[tokio::test(start_paused = true)]
async fn r33_two_failures_at_once_are_one_group_restart() {
    let log = Log::new();
    let spec = SupervisorSpec::new("group", Strategy::OneForAll)
        .intensity(RestartIntensity::new(1, 60 * SECOND));
    let children = NAMES.map(|name| WorkerSpec::new(name, &log).spec());
    let spec = children.into_iter().fold(spec, SupervisorSpec::child);
    let supervisor = spec.start().await.unwrap();
    let [first, _, third] = NAMES.map(|name| worker(&supervisor, name));
    let both = async {
        tokio::join!(fail(&first), fail(&third));
    };
    restarts(&supervisor, 3, both).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 6);
    for child in NAMES {
        assert_eq!(worker(&supervisor, child).status().restarts, 1);
    }
}

/// R32: everybody is down while the group backs off.
#[tokio::test(start_paused = true)]
async fn r32_a_group_backs_off_with_everybody_down() {
    let log = Log::new();
    let children = NAMES.map(|name| {
        let spec = WorkerSpec::new(name, &log).spec();
        spec.backoff(Backoff::fixed(10 * SECOND))
    });
    let supervisor = supervise(Strategy::OneForAll, children).await;
    let second = worker(&supervisor, "second");
    let begun = tokio::time::Instant::now();
    let wait = async {
        fail(&second).await;
        tokio::time::sleep(5 * SECOND).await;
        assert_eq!(log.running.load(Ordering::SeqCst), 0);
        assert_eq!(second.status().phase, Phase::BackingOff);
    };
    restarts(&supervisor, 3, wait).await;
    assert_eq!(begun.elapsed(), 10 * SECOND);
}

/// T20: a shutdown in the middle of a group restart orphans nobody.
#[tokio::test(start_paused = true)]
async fn r34_a_shutdown_or_kill_during_a_group_restart_leaves_nobody() {
    for kill in [false, true] {
        let log = Log::new();
        let supervisor = group(Strategy::OneForAll, &log).await;
        let [first, second, _] = NAMES.map(|name| worker(&supervisor, name));
        let never = Arc::new(Notify::new());
        let hold = |reply| WorkerMessage::Hold(never, reply);
        first.ask(hold, SECOND).await.unwrap();
        let mut events = supervisor.events();
        fail(&second).await;
        until(&mut events, exited).await;
        let report = if kill {
            supervisor.kill().await
        } else {
            supervisor.shutdown().await
        };
        assert_eq!(report.end == End::Killed, kill);
        tokio::time::sleep(SECOND).await;
        assert_eq!(log.running.load(Ordering::SeqCst), 0, "kill: {kill}");
    }
}

/// T16, R33: who blocks its thread is not started beside itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r33_a_sibling_that_blocks_its_thread_is_not_started_beside_itself() {
    let log = Log::new();
    let bad = Log::new();
    let quick = Shutdown::Within(Duration::from_millis(1));
    let mut blocking = WorkerSpec::new("blocking", &log);
    blocking.drops_slowly = true;
    let spec = blocking.spec();
    let children = [
        spec.shutdown(quick).start_timeout(60 * SECOND),
        WorkerSpec::new("bad", &bad).spec(),
    ];
    let supervisor = supervise(Strategy::OneForAll, children).await;
    let blocking = worker(&supervisor, "blocking");
    let (release, released) = mpsc::channel();
    let block = |reply| WorkerMessage::Block(released, reply);
    blocking.ask(block, 60 * SECOND).await.unwrap();
    let mut events = supervisor.events();
    fail(&worker(&supervisor, "bad")).await;
    // Its own exit is reported once it is given up as stuck, after a second.
    until(&mut events, exited).await;
    until(&mut events, exited).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 1);
    drop(release);
    until(&mut events, restarted).await;
    until(&mut events, restarted).await;
    assert_eq!(log.most_running.load(Ordering::SeqCst), 1);
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 2);
    // A millisecond may not be enough for it to stop.
    let departures = supervisor.shutdown().await.stopped;
    assert!(departures.iter().all(|it| it.departure != Departure::Stuck));
}

/// Ends the child by a failure of another in its group, and waits for both.
async fn restart_with_group(child: ChildSpec) {
    let children = [child, WorkerSpec::new("bad", &Log::new()).spec()];
    let supervisor = supervise(Strategy::OneForAll, children).await;
    let mut events = supervisor.events();
    fail(&worker(&supervisor, "bad")).await;
    until(&mut events, restarted).await;
    until(&mut events, restarted).await;
}

/// R33: a shutdown without a limit is one like any other.
#[tokio::test(start_paused = true)]
async fn r33_a_group_restart_waits_as_long_as_a_child_may_take() {
    let log = Log::new();
    let patient = Shutdown::Within(Duration::MAX);
    restart_with_group(Script::new(&log).child("patient").shutdown(patient)).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 2);
}

/// R33: what panics in the drop of a `post_stop` that is too late keeps nobody.
#[tokio::test(start_paused = true)]
async fn r33_a_group_restart_survives_a_panic_in_the_drop_of_a_late_post_stop() {
    let log = Log::new();
    let late = Script::new(&log).post_stop(|_, _| async {
        let _bomb = Bomb;
        std::future::pending().await
    });
    restart_with_group(late.child("late").shutdown(Shutdown::Within(SECOND))).await;
    assert_eq!(log.incarnations.load(Ordering::SeqCst), 2);
}

/// R34: a `post_stop` that is cut short is the last that its incarnation does.
#[tokio::test(start_paused = true)]
async fn r34_who_is_stopped_during_a_group_restart_handles_nothing_after_its_post_stop() {
    let log = Log::new();
    let stops = Arc::new(Notify::new());
    let slow = Script::new(&log).post_stop({
        let stops = Arc::clone(&stops);
        move |_, _| {
            stops.notify_one();
            std::future::pending()
        }
    });
    let children = [
        slow.child("slow").shutdown(Shutdown::Within(60 * SECOND)),
        WorkerSpec::new("bad", &Log::new()).spec(),
    ];
    let supervisor = supervise(Strategy::OneForAll, children).await;
    let slow = supervisor.child::<Ask>("slow").unwrap();
    fail(&worker(&supervisor, "bad")).await;
    stops.notified().await;
    let asking = slow.clone();
    let asked = tokio::spawn(async move { asking.ask(Ask::Who, 600 * SECOND).await });
    // It is in the mailbox by now, and the shell waits for an incarnation.
    tokio::time::sleep(SECOND).await;
    supervisor.stop("slow").await.unwrap();
    asked.await.unwrap().unwrap_err();
    assert_eq!(log.read(), ["1 stops"]);
}

/// R33: one that blocked for longer than its group waited for it ends when it can, and
/// handles nothing before its next incarnation.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn r33_a_sibling_that_was_given_up_on_handles_nothing_while_its_group_is_down() {
    let worker = |name| WorkerSpec::new(name, &Log::new()).spec();
    let failing = worker("failing").backoff(Backoff::fixed(SECOND));
    let blocked = worker("blocked").shutdown(Shutdown::Kill);
    let supervisor = SupervisorSpec::new("tests", Strategy::OneForAll)
        .child(failing)
        .child(blocked)
        .start()
        .await
        .unwrap();
    let blocked = supervisor.child::<WorkerMessage>("blocked").unwrap();
    let release = block(&blocked).await;
    let failing = supervisor.child::<WorkerMessage>("failing").unwrap();
    let fail = |reply| WorkerMessage::Fail(Fault::Error, reply);
    failing.ask(fail, 60 * SECOND).await.unwrap_err();
    while matches!(blocked.status().phase, Phase::Up | Phase::Stopping) {
        tokio::task::yield_now().await;
    }
    let asked = blocked.ask(WorkerMessage::Incarnation, 60 * SECOND);
    drop(release);
    assert_eq!(asked.await, Ok(2));
    supervisor.shutdown().await;
}
