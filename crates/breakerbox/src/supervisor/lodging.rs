use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::Exit;
use futures_util::future::join_all;
use ractor::{Actor, ActorCell, ActorRef, ActorStatus};

use super::kin::{self, AFTER_A_KILL};
use super::life::Birth;
use super::living::{Living, contained};
use super::slot::Slot;
use super::{Departure, Shutdown};
use crate::lock;

/// Where a child is to be found, shell after shell.
pub(super) struct Address<A: Actor> {
    lodging: Mutex<Option<Lodging<A>>>,
}

impl<A: Actor> Address<A> {
    pub(super) const fn new() -> Self {
        Self {
            lodging: Mutex::new(None),
        }
    }

    pub(super) fn moved_to(&self, shell: ActorRef<A::Msg>, slot: Arc<Slot<A>>) {
        let former = lock::with(&self.lodging, |lodging| {
            lodging.replace(Lodging { shell, slot })
        });
        drop(former);
    }

    pub(super) fn lodging(&self) -> Option<Lodging<A>> {
        lock::with(&self.lodging, |lodging| lodging.clone())
    }
}

/// A shell and the slot behind it.
pub(super) struct Lodging<A: Actor> {
    shell: ActorRef<A::Msg>,
    slot: Arc<Slot<A>>,
}

impl<A: Actor> Lodging<A> {
    pub(super) fn shell(&self) -> ActorCell {
        self.shell.get_cell()
    }

    pub(super) fn farewell(&self) -> Exit {
        self.slot.farewell()
    }

    /// Whether another incarnation may move in.
    ///
    /// A shell that drains still has messages for it.
    pub(super) fn is_open(&self) -> bool {
        self.shell.get_status() < ActorStatus::Stopping && !self.slot.is_closed()
    }

    /// Brings up another incarnation behind the same shell.
    pub(super) async fn let_in(
        &self,
        actor: A,
        arguments: A::Arguments,
        birth: Birth,
    ) -> Result<(), Exit> {
        let begun = Living::begin(actor, arguments, birth.incarnation, &self.shell);
        match tokio::time::timeout(birth.within, begun).await {
            Ok(Ok(living)) => self.move_in(living, &birth).await,
            Ok(Err(exit)) => self.turn_away(exit, birth.patience).await,
            Err(_) => self.turn_away(too_late(birth.within), birth.patience).await,
        }
    }

    /// Waits until the shell has ended, and drops what is left behind it.
    pub(super) async fn vacated(&self) {
        // Without a timeout this cannot fail.
        let _ended = self.shell.wait(None).await;
        self.evict().await;
    }

    /// Stops the shell as `shutdown` says, and waits a bounded time for its end.
    pub(super) async fn end(&self, shutdown: Shutdown) -> (Departure, Exit) {
        let kin = self.shell.get_children();
        self.slot.close();
        if let Shutdown::Within(patience) = shutdown {
            self.shell.stop(None);
            if self.shell.wait(Some(patience)).await.is_ok() {
                self.evict().await;
                return (Departure::Stopped, self.farewell());
            }
        }
        self.shell.kill();
        if self.shell.wait(Some(AFTER_A_KILL)).await.is_err() {
            return (Departure::Stuck, Exit::Killed);
        }
        join_all(kin.iter().map(|actor| actor.wait(Some(AFTER_A_KILL)))).await;
        self.evict().await;
        (Departure::Killed, Exit::Killed)
    }

    async fn move_in(&self, living: Living<A>, birth: &Birth) -> Result<(), Exit> {
        let mut lease = self.slot.lease().await;
        if self.slot.is_closed() {
            let closed = "its shell ended while it started";
            return Err(Exit::InitFailed(closed.to_owned()));
        }
        let living = lease.insert(living);
        birth.lifeline.started(birth.incarnation);
        let (actor, soul) = living.soul();
        let run = contained(async { actor.post_start(self.shell.clone(), soul).await }).await;
        living.meet_family(&self.shell);
        match run {
            Ok(()) => self.slot.open(),
            Err(exit) => {
                drop(self.slot.clear(&mut lease));
                drop(lease);
                kin::see_off(&self.shell, birth.patience).await;
                birth.lifeline.exited(birth.incarnation, exit);
            }
        }
        Ok(())
    }

    async fn turn_away(&self, exit: Exit, patience: Duration) -> Result<(), Exit> {
        kin::see_off(&self.shell, patience).await;
        Err(exit)
    }

    async fn evict(&self) {
        let mut lease = self.slot.lease().await;
        drop(self.slot.clear(&mut lease));
    }
}

impl<A: Actor> Clone for Lodging<A> {
    fn clone(&self) -> Self {
        Self {
            shell: self.shell.clone(),
            slot: Arc::clone(&self.slot),
        }
    }
}

/// The exit of an incarnation that did not come up in time.
pub(super) fn too_late(within: Duration) -> Exit {
    Exit::InitFailed(format!("it did not start within {within:?}"))
}
