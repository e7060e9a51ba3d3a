use std::sync::Arc;

use breakerbox_core::Exit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorCell, ActorId, SpawnErr};

use super::life::{Birth, Life};
use super::living::contained_call;
use super::lodging::{Address, too_late};
use super::shell::{Conception, NotBegun, Shell};
use super::slot::Slot;
use super::{Departure, Shutdown};

/// A child that is a ractor actor, made anew for each incarnation.
pub(super) struct ActorLife<A: Actor, F> {
    address: Arc<Address<A>>,
    make: F,
}

impl<A, F> ActorLife<A, F>
where
    A: Actor,
    F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
{
    pub(super) fn new(make: F) -> Self {
        Self {
            address: Arc::new(Address::new()),
            make,
        }
    }

    async fn start(&self, birth: Birth) -> Result<(), Exit> {
        let (open, former) = match self.address.lodging() {
            Some(lodging) if lodging.is_open() => (Some(lodging), None),
            former => (None, former),
        };
        if let Some(former) = former {
            former.vacated().await;
        }
        let (actor, arguments) = contained_call(|| (self.make)()).map_err(Exit::InitFailed)?;
        match open {
            Some(lodging) => lodging.let_in(actor, arguments, birth).await,
            None => self.settle(actor, arguments, birth).await,
        }
    }

    /// Brings up an incarnation together with a new shell.
    async fn settle(&self, actor: A, arguments: A::Arguments, birth: Birth) -> Result<(), Exit> {
        let first = Conception {
            actor,
            arguments,
            incarnation: birth.incarnation,
        };
        let overseer = birth.lifeline.overseer();
        let shell = Shell {
            address: Arc::clone(&self.address),
            lifeline: birth.lifeline,
            patience: birth.patience,
            slot: Arc::new(Slot::new()),
        };
        // Unnamed: ractor's names are global to the process.
        let spawned = Actor::spawn_linked(None, shell, first, overseer);
        match tokio::time::timeout(birth.within, spawned).await {
            Ok(Ok(_shell)) => Ok(()),
            Ok(Err(error)) => Err(exit_of(error)),
            Err(_) => Err(too_late(birth.within)),
        }
    }
}

impl<A, F> Life for ActorLife<A, F>
where
    A: Actor,
    F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
{
    fn begin(self: Arc<Self>, birth: Birth) -> BoxFuture<'static, Result<(), Exit>> {
        async move { self.start(birth).await }.boxed()
    }

    fn end(self: Arc<Self>, shutdown: Shutdown) -> BoxFuture<'static, (Departure, Exit)> {
        async move {
            match self.address.lodging() {
                None => (Departure::Stopped, Exit::Normal),
                Some(lodging) => lodging.end(shutdown).await,
            }
        }
        .boxed()
    }

    fn shell(&self) -> Option<ActorCell> {
        self.address.lodging().map(|lodging| lodging.shell())
    }

    fn farewell(&self, shell: ActorId) -> Option<Exit> {
        let lodging = self.address.lodging()?;
        (lodging.shell().get_id() == shell).then(|| lodging.farewell())
    }
}

fn exit_of(error: SpawnErr) -> Exit {
    match error {
        SpawnErr::StartupFailed(error) => match error.downcast::<NotBegun>() {
            Ok(not_begun) => not_begun.0,
            Err(other) => Exit::InitFailed(other.to_string()),
        },
        other => Exit::InitFailed(other.to_string()),
    }
}
