//! How long the end of a whole tree takes.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use breakerbox_core::{Backoff, Phase, RestartIntensity, Strategy};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;
use tracing::Level;

use super::captured::Captured;
use super::scripted::{Ask, Script};
use super::worker::{Log, block, worker};
use super::{SECOND, exited, spec, supervise, until};
use crate::Lifecycle;
use crate::supervisor::{
    ChildSpec, Departure, End, RemoveError, Report, Shutdown, Supervisor, SupervisorSpec,
};

const HOUR: Duration = Duration::from_secs(3_600);
const TEN: Duration = Duration::from_secs(10);

/// An actor that never returns from its `post_stop`, and has an hour for it.
fn hangs(name: &'static str, log: &Arc<Log>) -> ChildSpec {
    let script = Script::new(log).post_stop(|_, _| pending());
    script.child(name).shutdown(Shutdown::Within(HOUR))
}

/// A task that does not look at its token, and has an hour for its end.
fn ignores(name: &'static str) -> ChildSpec {
    let task = ChildSpec::task(name, |_| pending::<Result<(), Infallible>>());
    task.shutdown(Shutdown::Within(HOUR))
}

fn departures(report: &Report) -> Vec<(&str, Departure)> {
    let stopped = report.stopped.iter();
    stopped.map(|it| (&*it.child, it.departure)).collect()
}

/// Shuts it down, which takes exactly so long.
async fn shut_down_in(takes: Duration, supervisor: &Supervisor) -> Report {
    let began = Instant::now();
    let report = supervisor.shutdown().await;
    assert_eq!(began.elapsed(), takes);
    report
}

/// R42: children that stop one after another share the time.
#[tokio::test(start_paused = true)]
async fn r42_a_chain_of_children_ends_in_the_time_of_the_tree() {
    let captured = Captured::up_to(Level::WARN);
    let log = Log::new();
    let children = [
        hangs("first", &log),
        ignores("second"),
        hangs("third", &log),
        Script::new(&log).child("fourth"),
    ];
    let supervisor = spec(children).shutdown_within(TEN).start().await.unwrap();
    let report = shut_down_in(TEN, &supervisor).await;
    assert_eq!(report.end, End::ShutDown);
    let mut departures = departures(&report);
    assert_eq!(departures.remove(0), ("fourth", Departure::Stopped));
    departures.sort_by_key(|(child, _)| *child);
    let killed = ["first", "second", "third"].map(|child| (child, Departure::Killed));
    assert_eq!(departures, killed);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
    // Nobody was asked once the time was over.
    assert_eq!(log.read(), ["3 stops", "2 stops"]);
    let lines = captured.take();
    let lines = lines
        .iter()
        .map(|line| (line.message(), line.field("supervisor.children")));
    let late = ("child did not stop in time", "");
    let expected = [("supervisor did not stop in time", "3"), late, late, late];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

/// R42: so do those that stop side by side.
#[tokio::test(start_paused = true)]
async fn r42_a_set_of_children_that_hang_ends_in_the_time_of_the_tree() {
    let (set, children) = ChildSpec::set("set", 100, |number: u32| {
        let task = ChildSpec::task(number.to_string(), |_| pending::<Result<(), Infallible>>());
        task.shutdown(Shutdown::Within(HOUR))
    });
    let supervisor = spec([set]).shutdown_within(TEN).start().await.unwrap();
    for number in 0..100 {
        children.add(number).await.unwrap();
    }
    let report = shut_down_in(TEN, &supervisor).await;
    assert_eq!(report.unclean().count(), 100);
    assert!(report.unclean().all(|it| it.child.starts_with("set/")));
    assert_eq!(departures(&report)[100], ("set", Departure::Stopped));
}

/// A level within a level, with a child each that hangs; the inner one has so much time.
fn levels(log: &Arc<Log>, inner: Option<Duration>) -> ChildSpec {
    let log = Arc::clone(log);
    ChildSpec::supervisor("outer", move || {
        let log = Arc::clone(&log);
        let within = ChildSpec::supervisor("inner", move || {
            let spec = SupervisorSpec::new("inner", Strategy::OneForOne);
            let spec = spec.child(hangs("deep", &log));
            match inner {
                None => spec,
                Some(inner) => spec.shutdown_within(inner),
            }
        });
        let spec = SupervisorSpec::new("outer", Strategy::OneForOne);
        spec.child(ignores("task")).child(within)
    })
}

/// R42: levels below have no more time than the one above, and their report is whole.
#[tokio::test(start_paused = true)]
async fn r42_levels_below_end_in_the_time_of_the_tree() {
    let log = Log::new();
    let root = spec([ignores("first"), levels(&log, None)]).shutdown_within(TEN);
    let root = root.start().await.unwrap();
    let report = shut_down_in(TEN, &root).await;
    let mut departures = departures(&report);
    departures.sort_by_key(|(child, _)| *child);
    let expected = [
        ("first", Departure::Killed),
        ("outer", Departure::Stopped),
        ("outer/inner", Departure::Stopped),
        ("outer/inner/deep", Departure::Killed),
        ("outer/task", Departure::Killed),
    ];
    assert_eq!(departures, expected);
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}

/// R42: a level may have a time of its own, for each of its ends.
#[tokio::test(start_paused = true)]
async fn r42_a_level_may_have_less_time_than_the_tree() {
    let log = Log::new();
    let root = supervise([levels(&log, Some(TEN))]).await;
    let began = Instant::now();
    root.restart("outer/inner").await.unwrap();
    assert_eq!(began.elapsed(), TEN);
    assert_eq!(
        root.snapshot().child("outer/inner/deep").unwrap().phase,
        Phase::Up
    );
    let stopped = root.stop("outer/inner").await;
    assert_eq!(stopped, Ok(Departure::Stopped));
    assert_eq!(began.elapsed(), 2 * TEN);
}

/// The ways in which a tree begins to end.
#[derive(Clone, Copy, Debug)]
enum Way {
    Drop,
    Escalation,
    Lifecycle,
    Shutdown,
    StopOfActor,
}

/// R42: whoever asks for the end.
#[tokio::test(start_paused = true)]
async fn r42_the_time_of_a_tree_counts_for_whatever_reason_it_ends() {
    let ways = [
        Way::Drop,
        Way::Escalation,
        Way::Lifecycle,
        Way::Shutdown,
        Way::StopOfActor,
    ];
    for way in ways {
        let log = Log::new();
        let fails = Script::new(&log).child("fails");
        let root = spec([hangs("hangs", &log), fails]).shutdown_within(TEN);
        let root = root.intensity(RestartIntensity::new(0, SECOND));
        let root = root.start().await.unwrap();
        let observer = root.observer();
        let child = root.child::<Ask>("fails").unwrap();
        let began = Instant::now();
        match way {
            Way::Drop => drop(root),
            Way::Escalation => child.cast(Ask::Fail).unwrap(),
            Way::Lifecycle => {
                let lifecycle = Lifecycle::new().drain_delay(Duration::ZERO);
                let stopper = lifecycle.stopper();
                let (ran, ()) = tokio::join!(lifecycle.run(root), async { stopper.stop() });
                assert_eq!(ran.unwrap().tree.unclean().count(), 1);
            }
            Way::Shutdown => drop(root.shutdown().await),
            Way::StopOfActor => root.now().actor().stop(None),
        }
        let report = observer.ended().await;
        assert_eq!(began.elapsed(), TEN, "{way:?}");
        let unclean: Vec<_> = report.unclean().map(|it| &*it.child).collect();
        assert_eq!(unclean, ["hangs"], "{way:?}");
    }
}

/// R42: what a child is doing when the time is over changes nothing.
#[tokio::test(start_paused = true)]
async fn r42_the_time_of_a_tree_ends_starts_backoffs_and_removals() {
    let log = Log::new();
    let backs_off = Script::new(&log)
        .child("backs off")
        .backoff(Backoff::fixed(HOUR));
    let fails = ChildSpec::task("fails", |_| async {
        tokio::time::sleep(SECOND).await;
        Err("it fails")
    });
    let fails = fails.backoff(Backoff::fixed(HOUR));
    let root = spec([backs_off, fails, hangs("removed", &log)]).shutdown_within(TEN);
    let root = root.start().await.unwrap();
    let mut events = root.events();
    root.child::<Ask>("backs off")
        .unwrap()
        .cast(Ask::Fail)
        .unwrap();
    until(&mut events, exited).await;
    until(&mut events, exited).await;
    let starts =
        ChildSpec::task_with_readiness("starts", |_, _ready| pending::<Result<(), Infallible>>());
    let starts = starts.start_timeout(HOUR).shutdown(Shutdown::Within(HOUR));
    let end = async {
        // The child that starts and the one that is removed have their orders.
        tokio::time::sleep(SECOND).await;
        shut_down_in(TEN, &root).await
    };
    let (_, removed, report) = tokio::join!(root.add(starts), root.remove("removed"), end);
    assert!(matches!(
        removed,
        Ok(Departure::Killed) | Err(RemoveError::Ended)
    ));
    let mut departures = departures(&report);
    departures.sort_by_key(|(child, _)| *child);
    let expected = [
        ("backs off", Departure::Stopped),
        ("fails", Departure::Stopped),
        ("removed", Departure::Killed),
        ("starts", Departure::Killed),
    ];
    assert_eq!(departures, expected);
}

/// R42: a child that blocks its thread keeps nobody else from being killed, and is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r42_the_time_of_a_tree_is_minded_while_a_child_blocks_its_thread() {
    let log = Log::new();
    let deep = ChildSpec::supervisor("level", || {
        let stuck = worker("stuck").shutdown(Shutdown::Within(HOUR));
        SupervisorSpec::new("level", Strategy::OneForOne).child(stuck)
    });
    let root = spec([hangs("first", &log), deep]).shutdown_within(SECOND / 100);
    let root = root.start().await.unwrap();
    let release = block(&root.child("level/stuck").unwrap()).await;
    let report = tokio::time::timeout(HOUR, root.shutdown()).await.unwrap();
    let expected = [
        ("first", Departure::Killed),
        ("level/stuck", Departure::Stuck),
        ("level", Departure::Stuck),
    ];
    assert_eq!(
        departures(&report),
        expected,
        "nobody waits for the stuck one"
    );
    drop(release);
}

/// R42, R41: what a child has linked has no more time than the child.
#[tokio::test(start_paused = true)]
async fn r42_linked_actors_end_in_the_time_of_the_tree() {
    let log = Log::new();
    let script = Script::new(&log).pre_start(|_, myself| async move {
        Lingers::spawn_linked(None, Lingers, (), myself.get_cell()).await?;
        Ok(())
    });
    let child = script.child("child").shutdown(Shutdown::Within(HOUR));
    let root = spec([child]).shutdown_within(TEN).start().await.unwrap();
    let linked = root.child::<Ask>("child").unwrap().actor().get_children();
    let report = shut_down_in(TEN, &root).await;
    assert_eq!(departures(&report), [("child", Departure::Stopped)]);
    for linked in linked {
        linked.wait(None).await.unwrap();
    }
}

/// An actor that takes an hour to stop.
struct Lingers;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Lingers {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        tokio::time::sleep(HOUR).await;
        Ok(())
    }
}

/// R42: without any time, nobody is asked.
#[tokio::test(start_paused = true)]
async fn r42_a_tree_without_any_time_is_killed_at_once() {
    let log = Log::new();
    let children = [
        hangs("one", &log),
        Script::new(&log).child("two"),
        ignores("three"),
    ];
    let root = spec(children)
        .shutdown_within(Duration::ZERO)
        .start()
        .await
        .unwrap();
    let report = shut_down_in(Duration::ZERO, &root).await;
    assert_eq!(report.unclean().count(), 3, "{report:?}");
    assert_eq!(log.running.load(Ordering::SeqCst), 0);
}
