use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorRef, SpawnErr};
use ractor_supervisor::{
    ChildSpec, DynamicSupervisor, DynamicSupervisorMsg, DynamicSupervisorOptions, Restart, SpawnFn,
    Supervisor, SupervisorArguments, SupervisorMsg, SupervisorOptions, SupervisorStrategy,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Caller, Echo, Grows, Question, Tree};

/// ractor-supervisor 0.2's supervisor of declared children.
///
/// A restart is a new actor with a new mailbox and a new address, which callers
/// find by its name, in the registry of the process. It returns before it has
/// children, and stops by killing them, without a `post_stop` and without
/// waiting: so its children's tasks are waited for here.
pub struct Static {
    actor: ActorRef<SupervisorMsg>,
    children: Children,
    task: JoinHandle<()>,
}

impl Tree for Static {
    type Child = Named;

    async fn start(children: usize) -> Self {
        let (spawn, mut running) = spawning();
        let arguments = SupervisorArguments {
            child_specs: (0..children).map(|number| child(number, &spawn)).collect(),
            options: SupervisorOptions {
                strategy: SupervisorStrategy::OneForOne,
                max_restarts: usize::MAX,
                max_window: SHORT,
                reset_after: None,
            },
        };
        let spawned = Supervisor::spawn(NAME.into(), arguments).await;
        let (actor, task) = spawned.expect("a supervisor starts");
        running.up(children).await;
        Self {
            actor,
            children: running,
            task,
        }
    }

    async fn stop(self) {
        self.actor.stop(None);
        self.task.await.expect("a supervisor does not panic");
        self.children.gone().await;
    }

    fn first(&self) -> Named {
        Named("0".into())
    }
}

/// ractor-supervisor 0.2's supervisor of children that come and go.
///
/// It sleeps for 10 ms before each restart, so it is not asked to restart any.
/// It removes a child by killing it, without waiting.
pub struct Dynamic {
    actor: ActorRef<DynamicSupervisorMsg>,
    children: Children,
    spawn: SpawnFn,
    task: JoinHandle<()>,
}

impl Tree for Dynamic {
    type Child = Named;

    async fn start(children: usize) -> Self {
        let options = DynamicSupervisorOptions {
            max_children: None,
            max_restarts: usize::MAX,
            max_window: SHORT,
            reset_after: None,
        };
        let spawned = DynamicSupervisor::spawn(NAME.into(), options).await;
        let (actor, task) = spawned.expect("a supervisor starts");
        let (spawn, running) = spawning();
        let mut tree = Self {
            actor,
            children: running,
            spawn,
            task,
        };
        for _ in 0..children {
            tree.add().await;
        }
        tree
    }

    async fn stop(self) {
        drop(self.spawn);
        self.actor.stop(None);
        self.task.await.expect("a supervisor does not panic");
        self.children.gone().await;
    }

    fn first(&self) -> Named {
        Named("0".into())
    }
}

impl Grows for Dynamic {
    async fn add(&mut self) {
        let child = child(self.children.up.len(), &self.spawn);
        let spawned = DynamicSupervisor::spawn_child(self.actor.clone(), child).await;
        spawned.expect("its name is new");
        self.children.up(1).await;
    }

    async fn remove(&mut self) {
        let youngest = self.children.up.pop().expect("it was added");
        let name = self.children.up.len().to_string();
        let killed = DynamicSupervisor::terminate_child(self.actor.clone(), name).await;
        killed.expect("its supervisor lives");
        youngest.await.expect("a child does not panic");
    }
}

/// A child by its name, under which another actor may be found each time.
pub struct Named(String);

impl Named {
    fn find(&self) -> Option<ActorRef<Question>> {
        ActorRef::where_is(self.0.clone())
    }
}

impl Caller for Named {
    async fn ask(&self) {
        loop {
            if let Some(actor) = self.find()
                && let Ok(CallResult::Success(())) = actor.call(Question::Echo, None).await
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn crash(&self) {
        let actor = self.find().expect("it has answered");
        actor.cast(Question::Crash).expect("it takes messages");
    }
}

/// The tasks of the children: how it is known that they are up, or gone.
struct Children {
    spawned: UnboundedReceiver<JoinHandle<()>>,
    up: Vec<JoinHandle<()>>,
}

impl Children {
    async fn up(&mut self, more: usize) {
        for _ in 0..more {
            let child = self.spawned.recv().await;
            self.up.push(child.expect("its supervisor lives"));
        }
    }

    async fn gone(mut self) {
        while let Some(restarted) = self.spawned.recv().await {
            self.up.push(restarted);
        }
        for child in self.up {
            child.await.expect("a child does not panic");
        }
    }
}

fn spawning() -> (SpawnFn, Children) {
    let (sender, spawned) = unbounded_channel();
    let spawn = SpawnFn::new(move |supervisor, name| spawn(supervisor, name, sender.clone()));
    let up = Vec::new();
    (spawn, Children { spawned, up })
}

async fn spawn(
    supervisor: ActorCell,
    name: String,
    spawned: UnboundedSender<JoinHandle<()>>,
) -> Result<ActorCell, SpawnErr> {
    let (actor, task) = Supervisor::spawn_linked(name, Echo, (), supervisor).await?;
    let _nobody_waits = spawned.send(task);
    Ok(actor.get_cell())
}

fn child(number: usize, spawn: &SpawnFn) -> ChildSpec {
    ChildSpec {
        id: number.to_string(),
        restart: Restart::Permanent,
        spawn_fn: spawn.clone(),
        backoff_fn: None,
        reset_after: None,
    }
}

const NAME: &str = "bench";
/// It walks through its log of this span at each restart: shorter is cheaper.
const SHORT: Duration = Duration::from_millis(1);
