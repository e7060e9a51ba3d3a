//! Children of each kind that fail in each way, when they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use breakerbox_core::{Restart, RestartIntensity, Strategy};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Notify;

use super::SECOND;
use crate::supervisor::{ChildSpec, Supervisor, SupervisorSpec};

/// What becomes of one part of a child's life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    Error,
    Hang,
    Panic,
    Pass,
    /// Takes three seconds, and passes.
    Slow,
}

impl Act {
    async fn run(self, part: &str) -> Result<(), ActorProcessingErr> {
        match self {
            Self::Error => Err(format!("an error {part}").into()),
            Self::Hang => std::future::pending().await,
            Self::Panic => panic!("a panic {part}"),
            Self::Pass => Ok(()),
            Self::Slow => {
                tokio::time::sleep(3 * SECOND).await;
                Ok(())
            }
        }
    }
}

/// What a child does, in each of its incarnations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Once it is told to.
    pub(super) runs: Act,
    /// By its incarnation.
    pub(super) starts: fn(u64) -> Act,
    pub(super) stops: Act,
}

pub(super) const ORDERLY: Life = Life {
    runs: Act::Pass,
    starts: |_| Act::Pass,
    stops: Act::Pass,
};

/// What a leaf of the tree is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Leaf {
    Actor,
    ActorOfNewAddresses,
    Task,
}

impl Leaf {
    pub(super) const ALL: [Self; 3] = [Self::Actor, Self::ActorOfNewAddresses, Self::Task];

    pub(super) fn spec(self, name: &'static str, life: Life, go: &Arc<Notify>) -> ChildSpec {
        let (go, incarnations) = (Arc::clone(go), Arc::new(AtomicU64::new(0)));
        let next = move || incarnations.fetch_add(1, Ordering::SeqCst) + 1;
        match self {
            Self::Actor => ChildSpec::actor(name, move || (Troubled, (life, next()))),
            Self::ActorOfNewAddresses => Self::Actor.spec(name, life, &go).new_address(),
            Self::Task => ChildSpec::task_with_readiness(name, move |stop, ready| {
                let (go, incarnation) = (Arc::clone(&go), next());
                async move {
                    (life.starts)(incarnation).run("at the start").await?;
                    ready.notify();
                    tokio::select! {
                        () = go.notified() => life.runs.run("while it runs").await,
                        () = stop.cancelled() => life.stops.run("at the stop").await,
                    }
                }
            }),
        }
    }
}

struct Troubled;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Troubled {
    type Msg = ();
    type State = Life;
    type Arguments = (Life, u64);

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        (life, incarnation): (Life, u64),
    ) -> Result<Life, ActorProcessingErr> {
        (life.starts)(incarnation).run("at the start").await?;
        Ok(life)
    }

    async fn handle(
        &self,
        _: ActorRef<()>,
        (): (),
        life: &mut Life,
    ) -> Result<(), ActorProcessingErr> {
        life.runs.run("while it runs").await
    }

    async fn post_stop(&self, _: ActorRef<()>, life: &mut Life) -> Result<(), ActorProcessingErr> {
        life.stops.run("at the stop").await
    }
}

/// Where a leaf is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Nest {
    BelowASupervisor,
    Direct,
    InASet,
}

impl Nest {
    pub(super) const ALL: [Self; 3] = [Self::BelowASupervisor, Self::Direct, Self::InASet];
}

/// A tree "shop" with one leaf "leaf" in it.
pub(super) struct Shop {
    go: Arc<Notify>,
    kind: Leaf,
    nest: Nest,
    pub(super) root: Supervisor,
}

impl Shop {
    pub(super) async fn open(kind: Leaf, nest: Nest, life: Life, restart: Restart) -> Self {
        let go = Arc::new(Notify::new());
        let named = Arc::clone(&go);
        let leaf = move || kind.spec("leaf", life, &named).restart(restart);
        let spec = SupervisorSpec::new("shop", Strategy::OneForOne).intensity(UNLIMITED);
        let root = match nest {
            Nest::Direct => spec.child(leaf()).start().await.unwrap(),
            Nest::BelowASupervisor => {
                let level = ChildSpec::supervisor("level", move || {
                    SupervisorSpec::new("anything", Strategy::OneForOne)
                        .intensity(UNLIMITED)
                        .child(leaf())
                });
                spec.child(level).start().await.unwrap()
            }
            Nest::InASet => {
                let (set, handle) = ChildSpec::set("set", 1, move |()| leaf());
                let root = spec.child(set).start().await.unwrap();
                handle.add(()).await.unwrap();
                root
            }
        };
        Self {
            go,
            kind,
            nest,
            root,
        }
    }

    /// The path of the leaf from the root, for commands.
    pub(super) fn leaf(&self) -> &'static str {
        match self.nest {
            Nest::BelowASupervisor => "level/leaf",
            Nest::Direct => "leaf",
            Nest::InASet => "set/leaf",
        }
    }

    /// Has the leaf do what it does once it is told to, and lets all come of it.
    pub(super) async fn tell(&self) {
        tell(&self.root, self.leaf(), self.kind, &self.go);
        settle().await;
    }
}

pub(super) fn tell(root: &Supervisor, leaf: &str, kind: Leaf, go: &Notify) {
    match kind {
        Leaf::Actor | Leaf::ActorOfNewAddresses => {
            root.child::<()>(leaf).unwrap().actor().cast(()).unwrap();
        }
        Leaf::Task => go.notify_one(),
    }
}

/// Lets everything happen that happens at once.
pub(super) async fn settle() {
    tokio::time::sleep(SECOND / 1_000).await;
}

pub(super) const UNLIMITED: RestartIntensity = RestartIntensity::new(1_000_000, SECOND);
