//! What a tree leaves behind, however much happens in it: nothing.
//!
//! All of it runs on one thread, in paused time. The allocator counts what that thread
//! has in use, and the runtime how many tasks there are. Each storm comes after a
//! shorter one, which grows the tables that stay. (The allocator that counts is linked
//! in with `allocation_counter`.)

#![cfg(test)]

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use allocation_counter::measure;
use breakerbox::{
    Child, ChildSet, ChildSpec, ChildStatus, OnLimit, Phase, Restart, RestartIntensity, Strategy,
    Supervisor, SupervisorSpec,
};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::runtime::{Builder, Runtime};

/// R41, R44: whatever crashes, in whatever way, fifty thousand times.
#[test]
fn r41_crashes_leave_nothing_behind() {
    let storm = async |tree: &Supervisor, crashes: usize| {
        for crash in 0..crashes {
            one_crash(tree, crash).await;
            pass().await;
        }
    };
    flat(5_000, 50_000, async || started(crashing()).await, &storm);
}

/// R36, R41: ten thousand children come, crash and go.
#[test]
fn r41_children_that_come_and_go_leave_nothing_behind() {
    let start = async || {
        let (set, _by_path) = ChildSpec::set("set", 10, |key: usize| actor(&key.to_string()));
        started(tree().child(set)).await
    };
    let storm = async |tree: &Supervisor, children: usize| {
        let set: ChildSet<usize> = tree.set("set").unwrap();
        for key in 0..children {
            let member = set.add(key).await.unwrap();
            tell(&member.typed().unwrap(), Do::Fail).await;
            let own = tree.add(actor("own")).await.unwrap();
            let mut watching = own.clone();
            tell(&own.typed().unwrap(), Do::Panic).await;
            assert!(watching.changed().await.is_some());
            set.remove(member.name()).await.unwrap();
            tree.remove("own").await.unwrap();
            pass().await;
        }
    };
    flat(1_000, 10_000, start, &storm);
}

/// R41, R44: a hundred thousand children, started, restarted together and stopped.
#[test]
fn r44_a_hundred_thousand_children_leave_nothing_behind() {
    let storm = async |_: &Supervisor, children: usize| {
        let many = SupervisorSpec::new("many", Strategy::OneForAll).intensity(ANY);
        let names = (0..children).map(|number| number.to_string());
        let many = names.fold(many, |spec, name| spec.child(actor(&name)));
        let many = started(many).await;
        let first: Child<Message> = many.child("0").unwrap();
        let mut last = many.any_child(&(children - 1).to_string()).unwrap();
        tell(&first, Do::Fail).await;
        while last.changed().await.unwrap().incarnation.number() == 1 {}
        assert_eq!(many.shutdown().await.unclean().count(), 0);
    };
    // The queue of tokio's that all of them were in stays as long as it was.
    flat(100_000, 100_000, async || started(tree()).await, &storm);
}

/// R41, R44: a thousand levels, one below the other, of which the lowest restarts.
#[test]
fn r44_a_thousand_levels_leave_nothing_behind() {
    let storm = async |_: &Supervisor, levels: usize| {
        let deep = started(tree().child(level(levels))).await;
        let lowest = "level/".repeat(levels - 1) + "level";
        let mut child = deep.any_child(&format!("{lowest}/actor")).unwrap();
        deep.restart(&lowest).await.unwrap();
        while child.status().phase != Phase::Up {
            child.changed().await.unwrap();
        }
        assert_eq!(deep.shutdown().await.unclean().count(), 0);
    };
    flat(1_000, 1_000, async || started(tree()).await, &storm);
}

/// So many levels, one below the other, and an actor in the lowest.
fn level(levels: usize) -> ChildSpec {
    ChildSpec::supervisor("level", move || match levels {
        1 => tree().child(actor("actor")),
        _ => tree().child(level(levels - 1)),
    })
}

/// A tree, with something of each kind that can crash.
fn crashing() -> SupervisorSpec {
    let level = || tree().child(actor("actor")).child(task("task"));
    tree()
        .child(actor("actor"))
        .child(task("task"))
        .child(ChildSpec::supervisor("level", level))
}

async fn one_crash(tree: &Supervisor, crash: usize) {
    let path = ["actor", "task", "level/actor", "level/task", "level"][crash % 5];
    let mut child = tree.any_child(path).unwrap();
    let before = child.status().incarnation;
    match (child.typed(), crash % 4) {
        (Ok(actor), 0) => tell(&actor, Do::Fail).await,
        (Ok(actor), 1) => {
            tell(&actor, Do::Link).await;
            tell(&actor, Do::Fail).await;
        }
        (Ok(actor), 2) => tell(&actor, Do::Panic).await,
        (Ok(actor), _) => Child::<Message>::actor(&actor).kill(),
        (Err(_no_actor), _) => tree.restart(path).await.unwrap(),
    }
    let is_again = |status: &ChildStatus| status.incarnation != before && status.phase == Phase::Up;
    while !is_again(&child.status()) {
        child.changed().await.unwrap();
    }
}

/// Lets some time pass: what counts failures keeps those of the last second.
async fn pass() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Runs a storm after a `warm` one, and asserts that nothing of it is left: while the tree runs, nothing
/// but the tree, and after its end nothing at all.
fn flat(
    warm: usize,
    count: usize,
    start: impl AsyncFn() -> Supervisor,
    storm: &impl AsyncFn(&Supervisor, usize),
) {
    // ractor has tables for the whole process, which grow for whoever is in them.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (warm, count) = (warm / share(), count / share());
    let runtime = runtime();
    let round = || {
        let tree = runtime.block_on(start());
        runtime.block_on(storm(&tree, warm));
        let (tasks, during) = left(&runtime, || runtime.block_on(storm(&tree, count)));
        assert!(during < KEPT, "{during} bytes are left beside the tree");
        assert_eq!(tasks, 0, "tasks are left beside the tree");
        let report = runtime.block_on(tree.shutdown());
        assert_eq!(report.unclean().count(), 0);
    };
    // What a process makes once.
    round();
    let (tasks, after) = left(&runtime, round);
    assert!(after < KEPT, "{after} bytes are left after the tree's end");
    assert_eq!(tasks, 0, "tasks are left after the tree's end");
}

/// How many tasks and bytes there are more than before.
fn left(runtime: &Runtime, act: impl FnOnce()) -> (isize, i64) {
    let tasks = || runtime.metrics().num_alive_tasks() as isize;
    // What is on its way arrives.
    let settle = || runtime.block_on(async { tokio::time::sleep(Duration::from_secs(60)).await });
    settle();
    let before = tasks();
    let measured = measure(|| {
        act();
        settle();
    });
    (tasks() - before, measured.bytes_current)
}

/// What share of the storms the short run has.
fn share() -> usize {
    match std::env::var("BREAKERBOX_LEAKS") {
        Ok(whole) if whole == "whole" => 1,
        Ok(other) => panic!("BREAKERBOX_LEAKS is {other:?}, and may be \"whole\""),
        Err(_unset) => 50,
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

fn tree() -> SupervisorSpec {
    SupervisorSpec::new("tree", Strategy::OneForOne).intensity(ANY)
}

async fn started(spec: SupervisorSpec) -> Supervisor {
    spec.start().await.unwrap()
}

fn actor(name: &str) -> ChildSpec {
    ChildSpec::actor(name, || (Storm, ())).intensity(ANY, OnLimit::StopChild)
}

fn task(name: &str) -> ChildSpec {
    ChildSpec::task(name, |stop| async move {
        stop.cancelled().await;
        Err::<(), _>("stopped")
    })
    .restart(Restart::Permanent)
}

async fn tell(child: &Child<Message>, what: Do) {
    let asked = |reply| Message(what, reply);
    let _crashed = child.ask(asked, Duration::from_secs(1)).await;
}

/// What an actor is to do.
#[derive(Clone, Copy)]
enum Do {
    Fail,
    /// Links an actor to itself, which links another one.
    Link,
    Panic,
}

struct Message(Do, RpcReplyPort<()>);

#[cfg(feature = "cluster")]
impl ractor::Message for Message {}

struct Storm;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Storm {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        Message(what, reply): Message,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match what {
            Do::Fail => return Err("told to".into()),
            Do::Link => {
                let (below, _) = Actor::spawn_linked(None, Self, (), myself.get_cell()).await?;
                Actor::spawn_linked(None, Self, (), below.get_cell()).await?;
            }
            // A panic that no hook writes about.
            Do::Panic => std::panic::resume_unwind(Box::new("told to")),
        }
        Ok(reply.send(())?)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Message>,
        _: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Held by the storm that is measured.
static ALONE: Mutex<()> = Mutex::new(());

/// As any number of crashes needs.
const ANY: RestartIntensity = RestartIntensity::new(u32::MAX, Duration::from_secs(1));

/// More than tables that have grown by chance, and less than a byte for each crash.
const KEPT: i64 = 16 << 10;
