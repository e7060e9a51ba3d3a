//! An actor that can fail in every way, and a log of its incarnations.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::Notify;

use super::SECOND;
use crate::supervisor::{Child, ChildSpec};

pub(super) enum WorkerMessage {
    /// Blocks its thread until the other end speaks or is dropped.
    Block(mpsc::Receiver<()>, RpcReplyPort<()>),
    Fail(Fault, RpcReplyPort<()>),
    /// Goes on without a reply.
    Forget(RpcReplyPort<()>),
    /// Waits, so that a test can queue something behind it.
    Hold(Arc<Notify>, RpcReplyPort<()>),
    /// Which incarnation answers.
    Incarnation(RpcReplyPort<u64>),
    /// Kills its linked actors, whose events would stop it by default, and fails.
    KillLinked(RpcReplyPort<()>),
    /// Spawns a linked actor with a registered name.
    SpawnLinked(String, RpcReplyPort<()>),
}

#[cfg(feature = "cluster")]
impl ractor::Message for WorkerMessage {}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    Error,
    Panic,
}

impl Fault {
    pub(super) const ALL: [Self; 2] = [Self::Error, Self::Panic];

    pub(super) fn fail(self) -> Result<(), ActorProcessingErr> {
        match self {
            Self::Error => Err("failed".into()),
            Self::Panic => panic!("failed"),
        }
    }
}

/// What the incarnations of a worker did, counted and in lines.
#[derive(Default)]
pub(super) struct Log {
    pub(super) handled: AtomicU64,
    pub(super) incarnations: AtomicU64,
    pub(super) lines: Mutex<Vec<String>>,
    pub(super) most_running: AtomicI64,
    pub(super) running: AtomicI64,
}

impl Log {
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

/// What a worker is started with.
#[derive(Clone)]
pub(super) struct WorkerSpec {
    pub(super) drops_slowly: bool,
    /// Fails in `pre_start`, from this incarnation on.
    pub(super) fails_in_pre_start_from: u64,
    /// Never returns from `pre_start`, from this incarnation on.
    pub(super) hangs_in_pre_start_from: u64,
    pub(super) log: Arc<Log>,
    pub(super) name: &'static str,
    /// Panics when its state is dropped, in these incarnations.
    pub(super) panics_in_drops_of: &'static [u64],
    /// Panics in `post_start`, in this incarnation.
    pub(super) panics_in_post_start_of: u64,
}

impl WorkerSpec {
    pub(super) fn new(name: &'static str, log: &Arc<Log>) -> Self {
        Self {
            drops_slowly: false,
            fails_in_pre_start_from: u64::MAX,
            hangs_in_pre_start_from: u64::MAX,
            log: Arc::clone(log),
            name,
            panics_in_drops_of: &[],
            panics_in_post_start_of: u64::MAX,
        }
    }

    pub(super) fn spec(self) -> ChildSpec {
        ChildSpec::actor(self.name, move || (Worker, self.clone()))
    }
}

/// A child that does not fail by itself, with a log of its own.
pub(super) fn worker(name: &'static str) -> ChildSpec {
    WorkerSpec::new(name, &Log::new()).spec()
}

/// A task that does nothing until it is stopped.
pub(super) fn idle(name: &'static str) -> ChildSpec {
    ChildSpec::task(name, |stop| async move {
        stop.cancelled().await;
        Ok::<_, String>(())
    })
}

/// Has it block its thread, until what this returns is dropped.
pub(super) async fn block(worker: &Child<WorkerMessage>) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let block = |reply| WorkerMessage::Block(released, reply);
    worker.ask(block, 60 * SECOND).await.unwrap();
    release
}

pub(super) struct Worker;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Worker {
    type Msg = WorkerMessage;
    type State = WorkerState;
    type Arguments = WorkerSpec;

    async fn pre_start(
        &self,
        _: ActorRef<WorkerMessage>,
        worker: WorkerSpec,
    ) -> Result<WorkerState, ActorProcessingErr> {
        let number = worker.log.incarnations.fetch_add(1, Ordering::SeqCst) + 1;
        let state = WorkerState::new(number, worker);
        if number >= state.worker.hangs_in_pre_start_from {
            std::future::pending::<()>().await;
        }
        if number >= state.worker.fails_in_pre_start_from {
            return Err("failed to start".into());
        }
        state.write("started");
        Ok(state)
    }

    async fn post_start(
        &self,
        _: ActorRef<WorkerMessage>,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        if state.number == state.worker.panics_in_post_start_of {
            return Fault::Panic.fail();
        }
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<WorkerMessage>,
        message: WorkerMessage,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        state.worker.log.handled.fetch_add(1, Ordering::SeqCst);
        match message {
            WorkerMessage::Block(released, reply) => {
                let _told = reply.send(());
                let _let_go = released.recv();
            }
            WorkerMessage::Fail(fault, _reply) => fault.fail()?,
            WorkerMessage::Forget(reply) => drop(reply),
            WorkerMessage::Hold(released, reply) => {
                let _told = reply.send(());
                released.notified().await;
            }
            WorkerMessage::Incarnation(reply) => {
                let _gave_up_waiting = reply.send(state.number);
            }
            WorkerMessage::KillLinked(_reply) => {
                // The event is in the mailbox when this message has failed.
                for linked in myself.get_children() {
                    linked.kill_and_wait(None).await?;
                }
                return Fault::Panic.fail();
            }
            WorkerMessage::SpawnLinked(name, reply) => {
                let log = Arc::clone(&state.worker.log);
                LinkedActor::spawn_linked(Some(name), LinkedActor, log, myself.get_cell()).await?;
                reply.send(())?;
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<WorkerMessage>,
        event: SupervisionEvent,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..) = event {
            state.write("lost a linked actor");
            myself.stop(None);
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<WorkerMessage>,
        state: &mut WorkerState,
    ) -> Result<(), ActorProcessingErr> {
        state.write("stopped");
        Ok(())
    }
}

/// The state of one incarnation; counts how many there are at once.
pub(super) struct WorkerState {
    number: u64,
    worker: WorkerSpec,
}

impl WorkerState {
    fn new(number: u64, worker: WorkerSpec) -> Self {
        let log = &worker.log;
        let running = log.running.fetch_add(1, Ordering::SeqCst) + 1;
        log.most_running.fetch_max(running, Ordering::SeqCst);
        Self { number, worker }
    }

    fn write(&self, what: &str) {
        let WorkerSpec { log, name, .. } = &self.worker;
        log.write(format!("{name} {} {what}", self.number));
    }
}

impl Drop for WorkerState {
    fn drop(&mut self) {
        if self.worker.drops_slowly {
            // Whoever does not wait for it overtakes it.
            for _ in 0..20 {
                std::thread::yield_now();
            }
        }
        self.worker.log.running.fetch_sub(1, Ordering::SeqCst);
        if self.worker.panics_in_drops_of.contains(&self.number) {
            panic!("panicked when dropped");
        }
    }
}

/// A linked actor, which logs when it was stopped in order.
struct LinkedActor;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for LinkedActor {
    type Msg = ();
    type State = Arc<Log>;
    type Arguments = Arc<Log>;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        log: Arc<Log>,
    ) -> Result<Arc<Log>, ActorProcessingErr> {
        Ok(log)
    }

    async fn post_stop(
        &self,
        _: ActorRef<()>,
        log: &mut Arc<Log>,
    ) -> Result<(), ActorProcessingErr> {
        log.write("linked actor stopped");
        Ok(())
    }
}
