//! A tree of a thousand actors and tasks to which everything happens at random.
//!
//! In virtual time and from one seed, so a run that fails fails again. What must
//! hold: no two incarnations of a child at once, every command answered, and at
//! the end no task and no memory left.

#![cfg(test)]

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox::{
    CancellationToken, ChildSet, ChildSpec, Shutdown, Strategy, Supervisor, SupervisorSpec,
};
use fastrand::Rng;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinSet;

const CHILDREN: u32 = 1_000;

#[test]
fn r34_chaos_leaves_no_two_of_a_child_and_nothing_behind() {
    // Whatever is made once for the process is made in the first run.
    std::panic::set_hook(Box::new(|_| {}));
    bytes_left(Chaos::run(100, 1));
    let left = bytes_left(Chaos::run(steps(), 2));
    let _quiet = std::panic::take_hook();
    assert!(left < 64 * 1024, "{left} bytes are left");
}

/// T21: who came and went leaves nothing.
#[test]
fn r36_children_that_came_and_went_leave_nothing() {
    come_and_go(100);
    let left = come_and_go(steps());
    assert!(left < 64 * 1024, "{left} bytes are left");
}

fn come_and_go(children: u32) -> i64 {
    bytes_left(async move {
        let chaos = Chaos::start(1).await;
        let before = Handle::current().metrics().num_alive_tasks();
        for child in 0..children {
            chaos.set(child).add(child).await.unwrap();
            let gone = chaos.set(child).remove(&child.to_string()).await;
            gone.unwrap();
        }
        let after = Handle::current().metrics().num_alive_tasks();
        assert!(after <= before + 2, "{after} tasks, {before} before");
        chaos.root.shutdown().await;
    })
}

/// How many things happen; the long run asks for more.
fn steps() -> u32 {
    let steps = std::env::var("BREAKERBOX_CHAOS").ok();
    steps.map_or(3_000, |steps| steps.parse().expect("a number of steps"))
}

/// Does the work in a runtime of its own; the bytes that outlive it.
fn bytes_left(work: impl Future<Output = ()>) -> i64 {
    let left = allocation_counter::measure(|| {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(work);
    });
    left.bytes_current
}

struct Chaos {
    actors: ChildSet<u32>,
    lives: Arc<Lives>,
    random: Rng,
    root: Supervisor,
    tasks: ChildSet<u32>,
}

impl Chaos {
    async fn run(steps: u32, seed: u64) {
        let before = Handle::current().metrics().num_alive_tasks();
        let mut chaos = Self::start(seed).await;
        for child in 0..CHILDREN {
            chaos.set(child).add(child).await.unwrap();
        }
        let mut commands = JoinSet::new();
        for _ in 0..steps {
            chaos.step(&mut commands);
            // A few at a time, so that they meet each other.
            while commands.len() > 16 {
                commands.join_next().await.unwrap().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(chaos.random.u64(0..20))).await;
            assert_eq!(chaos.lives.overlaps(), 0);
        }
        while let Some(command) = commands.join_next().await {
            command.unwrap();
        }
        let snapshot = chaos.root.snapshot();
        assert_eq!(snapshot.child("actors").unwrap().restarts, 0);
        assert_eq!(snapshot.child("tasks").unwrap().restarts, 0);
        chaos.root.shutdown().await;
        assert_eq!(chaos.lives.running(), 0);
        drop(chaos);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let after = Handle::current().metrics().num_alive_tasks();
        assert_eq!(after, before, "tasks that are left");
    }

    async fn start(seed: u64) -> Self {
        let lives = Arc::new(Lives::default());
        let patience = Shutdown::Within(Duration::from_millis(100));
        let theirs = Arc::clone(&lives);
        let (actor_spec, actors) = ChildSpec::set("actors", 2_000, move |child: u32| {
            let lives = Arc::clone(&theirs);
            let make = move || (Victim, (child, Arc::clone(&lives)));
            ChildSpec::actor(child.to_string(), make).shutdown(patience)
        });
        let theirs = Arc::clone(&lives);
        let (task_spec, tasks) = ChildSpec::set("tasks", 2_000, move |child: u32| {
            let lives = Arc::clone(&theirs);
            let run = move |stop| victim(child, Arc::clone(&lives), stop);
            ChildSpec::task(child.to_string(), run).shutdown(patience)
        });
        let spec = SupervisorSpec::new("chaos", Strategy::OneForAll);
        let root = spec.child(actor_spec).child(task_spec).start().await;
        Self {
            actors,
            lives,
            random: Rng::with_seed(seed),
            root: root.unwrap(),
            tasks,
        }
    }

    /// Even children are actors, odd ones are tasks.
    fn set(&self, child: u32) -> ChildSet<u32> {
        if child.is_multiple_of(2) {
            self.actors.clone()
        } else {
            self.tasks.clone()
        }
    }

    /// Lets something happen to some child; what takes time goes on meanwhile.
    fn step(&mut self, commands: &mut JoinSet<()>) {
        let child = self.random.u32(0..CHILDREN + 100);
        let set = self.set(child);
        let key = child.to_string();
        let root = self.root.clone();
        match self.random.u8(0..10) {
            0 | 1 => {
                commands.spawn(async move { drop(set.add(child).await) });
            }
            2 => {
                commands.spawn(async move { drop(set.remove(&key).await) });
            }
            3 => {
                let path = format!("actors/{key}");
                commands.spawn(async move { drop(root.restart(&path).await) });
            }
            4 => {
                let path = format!("tasks/{key}");
                commands.spawn(async move {
                    drop(root.stop(&path).await);
                    drop(root.restart(&path).await);
                });
            }
            _ => self.strike(child),
        }
    }

    /// What a bug or an operator does to an actor; tasks strike themselves.
    fn strike(&mut self, child: u32) {
        let path = format!("actors/{child}");
        let Ok(victim) = self.root.child::<u8>(&path) else {
            return;
        };
        match self.random.u8(0..8) {
            0 => victim.actor().kill(),
            1 => victim.actor().stop(None),
            2 => drop(victim.actor().drain()),
            order => drop(victim.actor().cast(order)),
        }
    }
}

/// How many incarnations there are of each child.
#[derive(Default)]
struct Lives {
    counts: Mutex<HashMap<u32, u32>>,
    overlaps: Mutex<u32>,
}

impl Lives {
    fn begin(self: &Arc<Self>, child: u32) -> Life {
        let mut counts = self.counts.lock().unwrap();
        let count = counts.entry(child).or_default();
        *count += 1;
        if *count > 1 {
            *self.overlaps.lock().unwrap() += 1;
        }
        Life {
            child,
            lives: Arc::clone(self),
        }
    }

    fn overlaps(&self) -> u32 {
        *self.overlaps.lock().unwrap()
    }

    fn running(&self) -> u32 {
        self.counts.lock().unwrap().values().sum()
    }
}

/// One incarnation.
struct Life {
    child: u32,
    lives: Arc<Lives>,
}

impl Drop for Life {
    fn drop(&mut self) {
        *self
            .lives
            .counts
            .lock()
            .unwrap()
            .get_mut(&self.child)
            .unwrap() -= 1;
    }
}

/// An actor that does what it is told.
struct Victim;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Victim {
    type Msg = u8;
    type State = Life;
    type Arguments = (u32, Arc<Lives>);

    async fn pre_start(
        &self,
        _: ActorRef<u8>,
        (child, lives): (u32, Arc<Lives>),
    ) -> Result<Life, ActorProcessingErr> {
        let life = lives.begin(child);
        tokio::time::sleep(Duration::from_millis(u64::from(child % 7))).await;
        Ok(life)
    }

    async fn handle(
        &self,
        _: ActorRef<u8>,
        order: u8,
        _: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            3 => Err("it failed".into()),
            4 => panic!("it panicked"),
            5 => pending().await,
            _ => {
                tokio::time::sleep(Duration::from_millis(30)).await;
                Ok(())
            }
        }
    }
}

/// A task that fails after a while, one way or another.
async fn victim(child: u32, lives: Arc<Lives>, stop: CancellationToken) -> Result<(), String> {
    let _life = lives.begin(child);
    let works = tokio::time::sleep(Duration::from_millis(500 + u64::from(child) * 7));
    if stop.run_until_cancelled(works).await.is_none() {
        if child.is_multiple_of(5) {
            pending::<()>().await;
        }
        return Ok(());
    }
    assert!(!child.is_multiple_of(3), "it panicked");
    Err("it failed".to_owned())
}
