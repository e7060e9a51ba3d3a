//! Handles that stay good when the supervisors above what they lead to are restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::{Backoff, OnLimit, Phase, Restart, RestartIntensity, Strategy};

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::scripted::{Ask, Script};
use super::worker::{Fault, Log, WorkerMessage, WorkerSpec, idle, worker};
use super::{SECOND, spec, supervise};
use crate::AskError;
use crate::supervisor::{
    AnyMessage, Child, ChildError, ChildSet, ChildSpec, Scope, Supervisor, SupervisorSpec,
    WeakSupervisor,
};

const UNLIMITED: RestartIntensity = RestartIntensity::new(u32::MAX, SECOND);

/// How a level comes to have another incarnation.
#[derive(Clone, Copy, Debug)]
enum Again {
    /// Its actor is killed, as only other ractor code can.
    Killed,
    Restarted,
    /// It is stopped by a handle of its own, and is permanent.
    ShutDown,
}

/// Levels from this number to `deepest`, one below the other. The last has a worker, a
/// task and a set.
fn level(number: u32, deepest: u32, log: &Arc<Log>) -> ChildSpec {
    let log = Arc::clone(log);
    ChildSpec::supervisor(number.to_string(), move || {
        let spec = SupervisorSpec::new("level", Strategy::OneForOne).intensity(UNLIMITED);
        if number < deepest {
            return spec.child(level(number + 1, deepest, &log));
        }
        let named = Arc::clone(&log);
        let (set, _not_by_path) = ChildSpec::set("set", 3, move |key: &'static str| {
            WorkerSpec::new(key, &named).spec()
        });
        let worker = WorkerSpec::new("worker", &log).spec();
        spec.child(worker).child(idle("task")).child(set)
    })
}

fn path(depth: u32) -> String {
    let levels: Vec<_> = (1..=depth).map(|number| number.to_string()).collect();
    levels.join("/")
}

async fn again(root: &Supervisor, level: &str, how: Again) {
    match how {
        Again::Killed => root.supervisor(level).unwrap().now().kill(),
        Again::Restarted => root.restart(level).await.unwrap(),
        Again::ShutDown => drop(root.supervisor(level).unwrap().shutdown().await),
    }
    tokio::time::sleep(SECOND).await;
}

async fn incarnation(worker: &Child<WorkerMessage>) -> Result<u64, AskError> {
    worker.ask(WorkerMessage::Incarnation, SECOND).await
}

/// The handles that somebody takes once and keeps.
struct Handles {
    level: Supervisor,
    set: ChildSet<&'static str>,
    task: Child,
    worker: Child<WorkerMessage>,
}

impl Handles {
    fn of(root: &Supervisor, level: &str) -> Self {
        let below = |name: &str| format!("{level}/{name}");
        Self {
            level: root.supervisor(level).unwrap(),
            set: root.set(&below("set")).unwrap(),
            task: root.any_child(&below("task")).unwrap(),
            worker: root.child(&below("worker")).unwrap(),
        }
    }

    async fn are_good(&self, label: &str) {
        assert!(incarnation(&self.worker).await.is_ok(), "{label}");
        assert_eq!(self.worker.status().phase, Phase::Up, "{label}");
        assert_eq!(self.task.status().phase, Phase::Up, "{label}");
        let member = self.set.add("member").await.unwrap();
        let member = member.typed::<WorkerMessage>().unwrap();
        assert!(incarnation(&member).await.is_ok(), "{label}");
        let added = self.level.add(worker("added")).await.unwrap();
        assert_eq!(added.status().phase, Phase::Up, "{label}");
        let snapshot = self.level.snapshot();
        assert_eq!(snapshot.phase, Phase::Up, "{label}");
        assert_eq!(snapshot.child("set/member").unwrap().phase, Phase::Up);
        self.level.remove("added").await.unwrap();
        self.set.remove("member").await.unwrap();
    }
}

/// R43: whichever level is restarted, and however.
#[tokio::test(start_paused = true)]
async fn r43_handles_stay_good_when_a_level_above_is_restarted() {
    for depth in 1..=4 {
        for restarted in 1..=depth {
            for how in [Again::Killed, Again::Restarted, Again::ShutDown] {
                let label = format!("{how:?} of level {restarted} of {depth}");
                let root = supervise([level(1, depth, &Log::new())]).await;
                let handles = Handles::of(&root, &path(depth));
                let clones = (handles.worker.clone(), handles.set.clone());
                handles.are_good(&label).await;
                for _ in 0..2 {
                    let before = incarnation(&handles.worker).await.unwrap();
                    again(&root, &path(restarted), how).await;
                    assert!(incarnation(&handles.worker).await.unwrap() > before);
                    handles.are_good(&label).await;
                }
                assert!(incarnation(&clones.0).await.is_ok(), "{label}");
                assert!(clones.1.add("member").await.is_ok(), "{label}");
                assert_eq!(root.shutdown().await.unclean().count(), 0, "{label}");
            }
        }
    }
}

/// R43: while the level is down there is nothing to lead to, and that is said at once.
#[tokio::test(start_paused = true)]
async fn r43_handles_say_that_a_level_is_down_and_find_it_when_it_is_back() {
    let waits = level(1, 2, &Log::new()).backoff(Backoff::fixed(60 * SECOND));
    let root = supervise([waits]).await;
    let handles = Handles::of(&root, &path(2));
    root.supervisor("1").unwrap().shutdown().await;
    assert_eq!(root.snapshot().child("1").unwrap().phase, Phase::BackingOff);
    assert_eq!(
        incarnation(&handles.worker).await,
        Err(AskError::NotRunning)
    );
    assert_eq!(handles.worker.status().phase, Phase::Down);
    assert_eq!(handles.task.status().phase, Phase::Down);
    assert_eq!(handles.level.snapshot().phase, Phase::Down);
    assert!(handles.level.add(worker("added")).await.is_err());
    assert!(handles.set.add("member").await.is_err());
    tokio::time::sleep(61 * SECOND).await;
    handles.are_good("back").await;
}

/// R43: who has another child's name is not taken for it, also after a restart.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_does_not_lead_to_an_actor_of_other_messages() {
    let names = Arc::new(std::sync::Mutex::new(["worker", "task"]));
    let named = Arc::clone(&names);
    let level = ChildSpec::supervisor("level", move || {
        let [first, second] = *named.lock().unwrap();
        SupervisorSpec::new("level", Strategy::OneForOne)
            .child(WorkerSpec::new(first, &Log::new()).spec())
            .child(idle(second))
    });
    let root = supervise([level]).await;
    let actor: Child<WorkerMessage> = root.child("level/worker").unwrap();
    let any = root.any_child("level/worker").unwrap();
    *names.lock().unwrap() = ["task", "worker"];
    root.restart("level").await.unwrap();
    assert_eq!(incarnation(&actor).await, Err(AskError::NotRunning));
    assert_eq!(any.status().phase, Phase::Up, "it is whatever has the path");
    *names.lock().unwrap() = ["worker", "task"];
    root.restart("level").await.unwrap();
    assert!(incarnation(&actor).await.is_ok());
}

/// R43: handles of several types on one path do not disturb each other, whatever is there.
#[tokio::test(start_paused = true)]
async fn r43_each_type_of_handle_keeps_the_actor_that_it_found() {
    let lives = AtomicU64::new(0);
    let level = ChildSpec::supervisor("level", move || {
        let child = match lives.fetch_add(1, Ordering::Relaxed) {
            0 => idle("child"),
            1 => worker("child"),
            2 => Script::new(&Log::new()).child("child"),
            _ => idle("child"),
        };
        SupervisorSpec::new("level", Strategy::OneForOne).child(child)
    });
    let root = supervise([level]).await;
    let any = root.any_child("level/child").unwrap();
    root.restart("level").await.unwrap();
    let worker = any.typed::<WorkerMessage>().unwrap();
    root.restart("level").await.unwrap();
    let scripted = any.typed::<Ask>().unwrap();
    assert_eq!(scripted.ask(Ask::Who, SECOND).await, Ok(1));
    assert_eq!(incarnation(&worker).await, Err(AskError::NotRunning));
    root.restart("level").await.unwrap();
    let answer = scripted.ask(Ask::Who, SECOND).await;
    assert_eq!(answer, Err(AskError::NotRunning));
}

/// R43: what is looked for has a type, and so has what is wrong.
#[tokio::test(start_paused = true)]
async fn r43_what_is_not_there_or_is_something_else_is_said() {
    let root = supervise([level(1, 2, &Log::new()), worker("actor")]).await;
    let child = |path: &str| path.to_owned();
    let unknown = |path: &str| ChildError::Unknown { child: child(path) };
    for path in [
        "nobody",
        "1/nobody",
        "nobody/2",
        "1/2/set/nobody",
        "actor/1",
        "",
    ] {
        assert_eq!(root.any_child(path).unwrap_err(), unknown(path));
        assert_eq!(root.set::<u32>(path).unwrap_err(), unknown(path));
        assert_eq!(root.supervisor(path).unwrap_err(), unknown(path));
        assert_eq!(root.child::<u32>(path).unwrap_err(), unknown(path));
    }
    for (path, name) in [("1/2/task", "task"), ("1/2", "2"), ("actor", "actor")] {
        let child = child(name);
        assert_eq!(
            root.set::<u32>(path).unwrap_err(),
            ChildError::NoSet { child }
        );
    }
    for (path, name) in [("1/2/task", "task"), ("actor", "actor")] {
        let child = child(name);
        assert_eq!(
            root.supervisor(path).unwrap_err(),
            ChildError::NoSupervisor { child }
        );
    }
    assert!(matches!(
        root.set::<u32>("1/2/set").unwrap_err(),
        ChildError::OtherArguments {
            asked_for: "u32",
            ..
        }
    ));
    for path in ["1/2/task", "1/2", "1/2/set", "1/2/worker"] {
        let other = root.child::<u32>(path).unwrap_err();
        assert!(matches!(other, ChildError::OtherMessages { .. }), "{path}");
    }
}

/// R43: a level that has not come up yet is no unknown one.
#[tokio::test(start_paused = true)]
async fn r43_what_is_below_a_level_that_starts_is_not_unknown() {
    let late = ChildSpec::task_with_readiness("late", |_, ready| async move {
        tokio::time::sleep(SECOND).await;
        ready.notify();
        std::future::pending::<Result<(), String>>().await
    });
    let (supervisor, booted) = spec([late, level(1, 1, &Log::new())])
        .begin()
        .await
        .unwrap();
    let starting = ChildError::Starting {
        child: "1".to_owned(),
    };
    assert_eq!(supervisor.any_child("1/worker").unwrap_err(), starting);
    booted.outcome().await.unwrap();
    assert!(supervisor.any_child("1/worker").is_ok());
}

/// R43: whoever adds a child to a set, it is one of the set's.
#[tokio::test(start_paused = true)]
async fn r43_a_child_that_is_added_to_a_set_by_its_supervisor_has_the_sets_limit() {
    let (set, handle) = ChildSpec::set("set", 3, |()| worker("unused"));
    let root = supervise([set]).await;
    for adds in [
        handle.supervisor().unwrap(),
        root.supervisor("set").unwrap(),
    ] {
        let fails = ChildSpec::task("bad", |_| async { Err::<(), _>("fails at once") });
        let mut added = adds.add(fails).await.unwrap();
        while added.changed().await.is_some() {}
        assert_eq!(added.status().restarts, 3, "and not one more");
        assert_eq!(root.snapshot().child("set/bad"), None);
    }
    assert_eq!(root.snapshot().child("set").unwrap().restarts, 0);
}

/// R43: what was added need not be looked for.
#[tokio::test(start_paused = true)]
async fn r43_add_returns_a_handle_on_what_it_added() {
    let root = supervise([level(1, 1, &Log::new())]).await;
    let level = root.supervisor("1").unwrap();
    let actor: Child<AnyMessage> = level.add(worker("actor")).await.unwrap();
    let typed = actor.typed::<WorkerMessage>().unwrap();
    assert!(incarnation(&typed).await.is_ok());
    assert!(actor.typed::<u32>().is_err());
    let task = level.add(idle("added task")).await.unwrap();
    assert!(task.typed::<WorkerMessage>().is_err());
    assert_eq!(task.name(), "added task");
    let found = root.any_child("1/added task").unwrap();
    assert_eq!(task, found);
    assert_ne!(task, actor);
    level.remove("added task").await.unwrap();
    assert_eq!(task.ended().await.phase, Phase::Down);
}

/// R43: a child that knows its supervisor does not keep it from ending.
#[tokio::test(start_paused = true)]
async fn r43_a_weak_handle_keeps_no_tree_running() {
    for depth in 0..=2 {
        let root = supervise([level(1, 2, &Log::new())]).await;
        let handle = match depth {
            0 => root.clone(),
            _ => root.supervisor(&path(depth)).unwrap(),
        };
        let (weak, watcher) = (handle.downgrade(), root.observer());
        let holds = weak.clone();
        let child = ChildSpec::task("holder", move |stop| {
            let holds = holds.clone();
            async move {
                assert!(holds.upgrade().is_some());
                stop.cancelled().await;
                Ok::<_, String>(())
            }
        });
        root.add(child).await.unwrap();
        assert_eq!(weak.upgrade().unwrap().snapshot(), handle.snapshot());
        drop((handle, root));
        assert_eq!(watcher.ended().await.unclean().count(), 0, "{depth}");
        assert!(weak.upgrade().is_none(), "{depth}");
    }
}

/// R43: a weak handle, upgraded, keeps the tree running as any other does.
#[tokio::test(start_paused = true)]
async fn r43_an_upgraded_handle_keeps_its_tree_running() {
    let root = supervise([worker("worker")]).await;
    let upgraded = root.downgrade().upgrade().unwrap();
    drop(root);
    tokio::time::sleep(SECOND).await;
    assert_eq!(upgraded.snapshot().phase, Phase::Up);
}

/// R43: every change of a child is told, across restarts of its own and of its level.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_tells_of_changes_until_no_more_can_follow() {
    let log = Log::new();
    let root = supervise([level(1, 1, &log).restart(Restart::Temporary)]).await;
    let worker: Child<WorkerMessage> = root.child("1/worker").unwrap();
    let mut watching = worker.clone();
    let failed = |reply| WorkerMessage::Fail(Fault::Error, reply);
    worker.ask(failed, SECOND).await.unwrap_err();
    let seen = watching.changed().await.unwrap();
    assert_eq!(seen.phase, Phase::Up);
    assert_eq!(seen.restarts, 1);
    root.restart("1").await.unwrap();
    let seen = watching.changed().await.unwrap();
    assert_eq!((seen.phase, seen.restarts), (Phase::Up, 0), "a new one");

    let mut task = root.any_child("1/task").unwrap();
    let is_down = tokio::spawn(async move {
        while let Some(status) = task.changed().await {
            if status.phase == Phase::Down {
                return true;
            }
        }
        false
    });
    tokio::task::yield_now().await;
    root.stop("1/task").await.unwrap();
    assert!(is_down.await.unwrap());

    root.supervisor("1").unwrap().now().kill();
    assert_eq!(watching.changed().await.unwrap().phase, Phase::Down);
    assert_eq!(watching.changed().await, None, "its level is gone for good");
    assert_eq!(worker.ended().await.phase, Phase::Down);
}

/// R43: whoever waits for a child of a level that backs off finds the next one.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_waits_for_the_child_of_the_next_incarnation_of_its_level() {
    for depth in 1..=3 {
        for restarted in 1..=depth {
            let log = Log::new();
            let first = level(1, depth, &log).backoff(Backoff::fixed(60 * SECOND));
            let root = supervise([first]).await;
            let path = format!("{}/task", path(depth));
            let mut task = root.any_child(&path).unwrap();
            again(&root, &super::handles::path(restarted), Again::Killed).await;
            let mut phases = Vec::new();
            loop {
                let status = task.changed().await.unwrap();
                phases.push(status.phase);
                if status.phase == Phase::Up {
                    break;
                }
            }
            assert!(phases.len() <= 3, "{phases:?}");
            let more = tokio::time::timeout(600 * SECOND, task.changed()).await;
            assert!(more.is_err(), "nothing else changes: {more:?}");
            root.shutdown().await;
            while task.changed().await.is_some() {}
        }
    }
}

/// R43: a level that was removed is gone; who has its name by now is somebody else.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_does_not_lead_to_a_later_level_of_the_same_name() {
    for depth in 1..=3 {
        for removed in 1..=depth {
            let root = supervise([level(1, depth, &Log::new())]).await;
            let handles = Handles::of(&root, &path(depth));
            let above = match removed {
                1 => root.clone(),
                _ => root.supervisor(&path(removed - 1)).unwrap(),
            };
            above.remove(&removed.to_string()).await.unwrap();
            let same_name = level(removed, depth, &Log::new());
            above.add(same_name).await.unwrap();
            assert!(incarnation(&handles.worker).await.is_err());
            assert_eq!(handles.task.status().phase, Phase::Down);
            assert_eq!(handles.level.snapshot().phase, Phase::Down);
            assert!(handles.set.add("member").await.is_err());
            let mut task = handles.task.clone();
            while task.changed().await.is_some() {}
            Handles::of(&root, &path(depth)).are_good("new ones").await;
        }
    }
}

/// R43: a handle looks on at any instant of the end of its level.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r43_a_handle_that_watches_an_ending_level_does_not_take_it_for_gone() {
    let root = supervise([level(1, 2, &Log::new())]).await;
    let mut task = root.any_child("1/2/task").unwrap();
    let watching = tokio::spawn(async move {
        let mut lives = 0;
        while lives < 300 {
            let status = task.changed().await.expect("its level is permanent");
            lives += u32::from(status.phase == Phase::Down);
        }
    });
    let mut number = 0;
    while !watching.is_finished() {
        number += 1;
        let level = root.supervisor(if number % 2 == 0 { "1" } else { "1/2" });
        if let Ok(level) = level {
            level.now().kill();
        }
        tokio::task::yield_now().await;
    }
    watching.await.unwrap();
}

/// R43: the next child may come between two looks at what is there.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_does_not_wait_for_what_has_come_while_it_looked() {
    let root = supervise([level(1, 2, &Log::new())]).await;
    for level in ["1", "1/2"] {
        root.restart(level).await.unwrap();
        let path = root.supervisor("1/2").unwrap().path;
        let looks = tokio::time::timeout(SECOND, path.may_have_another("task"));
        assert_eq!(looks.await, Ok(true));
    }
}

/// R43: a child that has ended for good, whatever ended it.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_tells_when_its_child_has_ended() {
    #[derive(Clone, Copy, Debug)]
    enum End {
        Finished,
        GaveUp,
        Removed,
        ShutDown,
        Stopped,
    }
    for end in [
        End::Finished,
        End::GaveUp,
        End::Removed,
        End::ShutDown,
        End::Stopped,
    ] {
        let once = RestartIntensity::new(1, 60 * SECOND);
        let child = match end {
            End::Finished => ChildSpec::task("child", |_| async { Ok::<_, String>(()) })
                .restart(Restart::Transient),
            End::GaveUp => ChildSpec::task("child", |_| async { Err::<(), _>("fails") })
                .intensity(once, OnLimit::StopChild),
            _ => idle("child"),
        };
        let root = supervise([]).await;
        let mut child = root.add(child).await.unwrap();
        match end {
            End::Finished | End::GaveUp => {}
            End::Removed => drop(root.remove("child").await),
            End::ShutDown => drop(root.shutdown().await),
            End::Stopped => drop(root.stop("child").await),
        }
        assert_eq!(child.ended().await.phase, Phase::Down, "{end:?}");
        if matches!(end, End::Removed | End::ShutDown) {
            while child.changed().await.is_some() {}
        }
    }
}

/// R43: a level that has ended for good is one that only a command brings back.
#[tokio::test(start_paused = true)]
async fn r43_a_handle_tells_when_the_level_of_its_child_has_ended() {
    for depth in 1..=3 {
        for is_stopped in [true, false] {
            let level = level(1, depth, &Log::new()).restart(Restart::Transient);
            let root = supervise([level]).await;
            let mut task = root.any_child(&format!("{}/task", path(depth))).unwrap();
            if is_stopped {
                root.stop("1").await.unwrap();
            } else {
                root.supervisor("1").unwrap().shutdown().await;
            }
            let until_none = async { while task.changed().await.is_some() {} };
            let ended = tokio::time::timeout(60 * SECOND, until_none).await;
            assert!(ended.is_ok(), "{depth} {is_stopped}");
            root.restart("1").await.unwrap();
            assert_eq!(task.changed().await.unwrap().phase, Phase::Up);
        }
    }
}

/// R43: whatever it is and wherever, a child finds its siblings, also after restarts.
#[tokio::test(start_paused = true)]
async fn r43_a_recipe_is_given_its_supervisor_to_find_the_siblings() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let level = ChildSpec::supervisor("level", move || {
        let (of_task, of_member) = (tell.clone(), tell.clone());
        let task = ChildSpec::task_with("finds", move |scope| {
            let tell = of_task.clone();
            async move {
                let found = find("finds", &scope.supervisor(), "worker", "level/worker").await;
                tell.send(found).unwrap();
                scope.token().cancelled().await;
                Ok::<_, String>(())
            }
        });
        let (set, _by_path) = ChildSpec::set("set", 3, move |()| {
            let tell = of_member.clone();
            ChildSpec::task_with("member", move |scope| {
                let tell = tell.clone();
                async move {
                    let supervisor = scope.supervisor();
                    let found = find("member", &supervisor, "member", "level/worker").await;
                    tell.send(found).unwrap();
                    scope.token().cancelled().await;
                    Ok::<_, String>(())
                }
            })
        });
        SupervisorSpec::new("level", Strategy::OneForOne)
            .child(worker("worker"))
            .child(ChildSpec::actor_with("actor", |scope| (Finder(scope), ())))
            .child(task)
            .child(set)
    });
    let root = supervise([level]).await;
    for _ in 0..3 {
        assert_eq!(told.recv().await.unwrap(), "finds");
        let set: ChildSet<()> = root.set("level/set").unwrap();
        set.add(()).await.unwrap();
        assert_eq!(told.recv().await.unwrap(), "member");
        root.restart("level/finds").await.unwrap();
        assert_eq!(told.recv().await.unwrap(), "finds");
        root.restart("level").await.unwrap();
    }
    let watcher = root.observer();
    drop(root);
    assert_eq!(watcher.ended().await.unclean().count(), 0);
}

/// An actor that looks for its siblings when it starts.
struct Finder(Scope<WorkerMessage>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Finder {
    type Msg = WorkerMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<WorkerMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        find("actor", &self.0.supervisor(), "worker", "level/worker").await;
        Ok(())
    }
}

/// Looks for a sibling, and for a child by its path from the root, and asks that.
async fn find(
    who: &'static str,
    supervisor: &WeakSupervisor,
    sibling: &str,
    path: &str,
) -> &'static str {
    let above = supervisor.upgrade().expect("the tree runs");
    assert!(above.any_child(sibling).is_ok(), "{sibling}");
    let root = supervisor.root().upgrade().expect("the tree runs");
    let worker = root.child::<WorkerMessage>(path).unwrap();
    drop((above, root));
    assert!(incarnation(&worker).await.is_ok());
    who
}
