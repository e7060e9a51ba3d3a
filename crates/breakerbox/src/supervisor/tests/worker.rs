//! An actor with every fault that a child can have, and a diary of its lives.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::Notify;

use crate::supervisor::ChildSpec;

pub(super) enum WorkerMessage {
    /// Blocks its thread until the other end speaks or is dropped.
    Block(mpsc::Receiver<()>, RpcReplyPort<()>),
    Fail(Fault, RpcReplyPort<()>),
    /// Waits, so that a test can queue something behind it.
    Hold(Arc<Notify>, RpcReplyPort<()>),
    /// Which life answers.
    Life(RpcReplyPort<u64>),
    /// Starts a child with a registered name.
    Marry(String, RpcReplyPort<()>),
    /// Stops its children, which its default would not survive.
    Widow(RpcReplyPort<()>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    Error,
    Panic,
}

impl Fault {
    pub(super) const ALL: [Self; 2] = [Self::Error, Self::Panic];

    fn strike(self) -> Result<(), ActorProcessingErr> {
        match self {
            Self::Error => Err("struck".into()),
            Self::Panic => panic!("struck"),
        }
    }
}

/// What all lives of one worker have in common.
#[derive(Default)]
pub(super) struct Diary {
    pub(super) alive: AtomicI64,
    pub(super) handled: AtomicU64,
    pub(super) lines: Mutex<Vec<String>>,
    pub(super) lives: AtomicU64,
    pub(super) most_alive: AtomicI64,
}

impl Diary {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn write(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
    }

    pub(super) fn read(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

/// What makes workers.
#[derive(Clone)]
pub(super) struct Recipe {
    pub(super) diary: Arc<Diary>,
    /// What goes wrong in `pre_start`, from this life on.
    pub(super) fails_to_start_from: u64,
    /// Never returns from `pre_start`, from this life on.
    pub(super) hangs_from: u64,
    pub(super) name: &'static str,
    /// What goes wrong in `post_start`, in this life.
    pub(super) stumbles_in: u64,
    pub(super) throws_when_dropped: &'static [u64],
}

impl Recipe {
    pub(super) fn new(name: &'static str, diary: &Arc<Diary>) -> Self {
        Self {
            diary: Arc::clone(diary),
            fails_to_start_from: u64::MAX,
            hangs_from: u64::MAX,
            name,
            stumbles_in: u64::MAX,
            throws_when_dropped: &[],
        }
    }

    pub(super) fn spec(self) -> ChildSpec {
        ChildSpec::actor(self.name, move || (Worker, self.clone()))
    }
}

/// A child like any other, with a diary of its own.
pub(super) fn worker(name: &'static str) -> ChildSpec {
    Recipe::new(name, &Diary::new()).spec()
}

pub(super) struct Worker;

impl Actor for Worker {
    type Msg = WorkerMessage;
    type State = Life;
    type Arguments = Recipe;

    async fn pre_start(
        &self,
        _: ActorRef<WorkerMessage>,
        recipe: Recipe,
    ) -> Result<Life, ActorProcessingErr> {
        let number = recipe.diary.lives.fetch_add(1, Ordering::SeqCst) + 1;
        let life = Life::begin(number, recipe);
        if number >= life.recipe.hangs_from {
            std::future::pending::<()>().await;
        }
        if number >= life.recipe.fails_to_start_from {
            return Err("stillborn".into());
        }
        life.write("started");
        Ok(life)
    }

    async fn post_start(
        &self,
        _: ActorRef<WorkerMessage>,
        life: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        if life.number == life.recipe.stumbles_in {
            return Fault::Panic.strike();
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<WorkerMessage>,
        message: WorkerMessage,
        life: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        life.recipe.diary.handled.fetch_add(1, Ordering::SeqCst);
        match message {
            WorkerMessage::Block(released, reply) => {
                let _told = reply.send(());
                let _let_go = released.recv();
            }
            WorkerMessage::Fail(fault, _reply) => fault.strike()?,
            WorkerMessage::Hold(released, reply) => {
                let _told = reply.send(());
                released.notified().await;
            }
            WorkerMessage::Life(reply) => {
                let _gave_up_waiting = reply.send(life.number);
            }
            WorkerMessage::Marry(name, reply) => {
                let diary = Arc::clone(&life.recipe.diary);
                Spouse::spawn_linked(Some(name), Spouse, diary, myself.get_cell()).await?;
                reply.send(())?;
            }
            WorkerMessage::Widow(_reply) => {
                // The news is in the mailbox when this message has failed.
                myself.kill_children_and_wait().await;
                return Fault::Panic.strike();
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<WorkerMessage>,
        event: SupervisionEvent,
        life: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..) = event {
            life.write("lost a child");
            myself.stop(None);
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<WorkerMessage>,
        life: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        life.write("stopped");
        Ok(())
    }
}

trait KillChildren {
    async fn kill_children_and_wait(&self);
}

impl KillChildren for ActorRef<WorkerMessage> {
    async fn kill_children_and_wait(&self) {
        for child in self.get_children() {
            child.kill_and_wait(None).await.unwrap();
        }
    }
}

/// One life of a worker; counts how many there are at once.
pub(super) struct Life {
    number: u64,
    recipe: Recipe,
}

impl Life {
    fn begin(number: u64, recipe: Recipe) -> Self {
        let diary = &recipe.diary;
        let alive = diary.alive.fetch_add(1, Ordering::SeqCst) + 1;
        diary.most_alive.fetch_max(alive, Ordering::SeqCst);
        Self { number, recipe }
    }

    fn write(&self, what: &str) {
        let Recipe { diary, name, .. } = &self.recipe;
        diary.write(format!("{name} {} {what}", self.number));
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.recipe.diary.alive.fetch_sub(1, Ordering::SeqCst);
        if self.recipe.throws_when_dropped.contains(&self.number) {
            panic!("thrown when dropped");
        }
    }
}

/// A worker's child, which knows when it was stopped in order.
struct Spouse;

impl Actor for Spouse {
    type Msg = ();
    type State = Arc<Diary>;
    type Arguments = Arc<Diary>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        diary: Arc<Diary>,
    ) -> Result<Arc<Diary>, ActorProcessingErr> {
        Ok(diary)
    }

    async fn post_stop(
        &self,
        _: ActorRef<()>,
        diary: &mut Arc<Diary>,
    ) -> Result<(), ActorProcessingErr> {
        diary.write("spouse stopped");
        Ok(())
    }
}
