use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::Exit;
use futures_util::future::join_all;
use ractor::{Actor, ActorCell, ActorRef, ActorStatus};
use tokio::time::Instant;

use super::super::runnable::{StartRequest, StopResult};
use super::super::shutdown::KILL_TIMEOUT;
use super::super::{Departure, Shutdown, catch, lifo_slot};
use super::incarnation::ActorIncarnation;
use super::linked;
use super::slot::{Slot, SlotGuard};
use crate::lock;

/// A shell and its slot, as the supervisor's tasks hold them.
pub(crate) struct ShellHandle<A: Actor> {
    actor: ActorRef<A::Msg>,
    slot: Arc<Slot<A>>,
}

impl<A: Actor> ShellHandle<A> {
    pub(crate) const fn new(actor: ActorRef<A::Msg>, slot: Arc<Slot<A>>) -> Self {
        Self { actor, slot }
    }

    pub(crate) fn cell(&self) -> ActorCell {
        self.actor.get_cell()
    }

    /// How the shell ended; only meaningful once it has.
    pub(crate) fn exit(&self) -> Exit {
        self.slot.shell_exit()
    }

    /// Whether it can run another incarnation.
    ///
    /// A shell that drains can: it still has messages for it.
    pub(crate) fn can_restart(&self) -> bool {
        self.actor.get_status() < ActorStatus::Stopping && !self.slot.is_closed()
    }

    /// Starts another incarnation in the same shell.
    ///
    /// A former one that blocks its thread is waited for: two never overlap.
    pub(crate) async fn restart(
        &self,
        actor: A,
        arguments: A::Arguments,
        request: StartRequest,
    ) -> Result<(), Exit> {
        let timeout = request.start_timeout;
        drop(request.after(self.slot.lock()).await?);
        let started = ActorIncarnation::start(actor, arguments, request.incarnation, &self.actor);
        let exit = match catch::within(timeout, started).await {
            Some(Ok(incarnation)) => return self.fill(incarnation, &request).await,
            Some(Err(exit)) => exit,
            None => start_timed_out(timeout),
        };
        linked::end_with_incarnation(&self.actor, &self.slot, request.stop_timeout).await;
        Err(exit)
    }

    /// Waits until the shell has ended, and drops what is left in its slot.
    pub(crate) async fn wait_ended(&self) {
        // Without a timeout this cannot fail.
        let _ended = self.actor.wait(None).await;
        self.clear_slot().await;
    }

    /// Stops the shell as `shutdown` says, and waits a bounded time for its end.
    pub(crate) async fn stop(&self, shutdown: Shutdown) -> StopResult {
        let linked = self.actor.get_children();
        self.slot.close();
        if let Some(timeout) = shutdown.patience() {
            self.actor.stop(None);
            lifo_slot::flush();
            if self.actor.wait(Some(timeout)).await.is_ok() {
                return self.gone().await;
            }
        }
        self.slot.set_killed();
        self.actor.kill();
        lifo_slot::flush();
        if self.actor.wait(Some(KILL_TIMEOUT)).await.is_err() {
            return StopResult::new(Departure::Stuck, Exit::Killed);
        }
        join_all(linked.iter().map(|actor| actor.wait(Some(KILL_TIMEOUT)))).await;
        self.gone().await
    }

    /// Kills the shell, which is not started in any more.
    pub(crate) fn kill(&self) {
        self.slot.close();
        self.actor.kill();
    }

    /// How a shell that has ended departed: its incarnation may still be dropped.
    ///
    /// That is the user's code, so it has a task of its own: this one may be the
    /// supervisor's.
    async fn gone(&self) -> StopResult {
        let shell = self.clone();
        let clearing = tokio::spawn(async move { shell.clear_slot().await });
        let cleared = tokio::time::timeout(KILL_TIMEOUT, clearing).await;
        let departure = match (cleared, self.slot.was_killed()) {
            (Err(_blocking), _) => Departure::Stuck,
            (Ok(_), true) => Departure::Killed,
            (Ok(_), false) => Departure::Stopped,
        };
        StopResult::new(departure, self.exit())
    }

    /// Ends the incarnation as `shutdown` says; shell and mailbox go on.
    ///
    /// A callback that runs may end by itself first; otherwise it is dropped
    /// where it waits, and its message with it. One that blocks its thread is
    /// waited for a bounded time, and ends when it waits next.
    pub(crate) async fn end_incarnation(&self, shutdown: Shutdown) -> Exit {
        let (began, within) = (Instant::now(), shutdown.timeout());
        let exit = match tokio::time::timeout(within, self.slot.lock()).await {
            Ok(mut guard) => {
                let remaining = within.saturating_sub(began.elapsed());
                self.post_stop(&mut guard, shutdown, remaining).await
            }
            Err(_busy) => {
                self.interrupt().await;
                Exit::Killed
            }
        };
        linked::end_with_incarnation(&self.actor, &self.slot, within).await;
        exit
    }

    /// Takes the incarnation out, and runs its `post_stop` if it has time for that.
    ///
    /// Out of the slot first, so that no message comes after it has begun, even
    /// where this is dropped.
    async fn post_stop(
        &self,
        guard: &mut SlotGuard<'_, A>,
        shutdown: Shutdown,
        within: Duration,
    ) -> Exit {
        let incarnation = self.slot.clear(guard);
        let (Some(mut incarnation), Shutdown::Within(_)) = (incarnation, shutdown) else {
            return Exit::Killed;
        };
        match catch::within(within, incarnation.post_stop(&self.actor)).await {
            Some(stopped) => stopped.err().unwrap_or(Exit::Normal),
            None => Exit::Killed,
        }
    }

    /// Ends the callback that runs, and the incarnation with it.
    async fn interrupt(&self) {
        self.slot.interrupt().request();
        lifo_slot::flush();
        let locked = tokio::time::timeout(KILL_TIMEOUT, self.slot.lock()).await;
        if let Ok(mut guard) = locked {
            drop(self.slot.clear(&mut guard));
        }
    }

    /// Runs an incarnation's `post_start` and puts it into the slot.
    ///
    /// In this order, so that no message comes first, even where this is dropped.
    async fn fill(
        &self,
        mut incarnation: ActorIncarnation<A>,
        request: &StartRequest,
    ) -> Result<(), Exit> {
        // A start that blocked its thread may have been given up meanwhile.
        tokio::task::yield_now().await;
        let mut guard = self.slot.lock().await;
        if self.slot.is_closed() {
            let closed = "its shell ended while it started";
            return Err(Exit::init_failed(closed));
        }
        self.slot.interrupt().clear();
        request.notifier.started(request.incarnation);
        match incarnation.post_start(&self.actor).await {
            Ok(()) => self.slot.fill(&mut guard, incarnation),
            Err(exit) => {
                drop(incarnation);
                linked::end_with_incarnation(&self.actor, &self.slot, request.stop_timeout).await;
                drop(guard);
                request.notifier.exited(request.incarnation, exit);
            }
        }
        Ok(())
    }

    async fn clear_slot(&self) {
        let mut guard = self.slot.lock().await;
        drop(self.slot.clear(&mut guard));
    }
}

impl<A: Actor> Clone for ShellHandle<A> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            slot: Arc::clone(&self.slot),
        }
    }
}

/// The latest shell of a child, once it has had one.
pub(crate) struct CurrentShell<A: Actor> {
    handle: Mutex<Option<ShellHandle<A>>>,
}

impl<A: Actor> CurrentShell<A> {
    pub(crate) const fn none() -> Self {
        Self {
            handle: Mutex::new(None),
        }
    }

    pub(crate) fn set(&self, shell: ShellHandle<A>) {
        let former = lock::with(&self.handle, |handle| handle.replace(shell));
        drop(former);
    }

    pub(crate) fn get(&self) -> Option<ShellHandle<A>> {
        lock::with(&self.handle, |handle| handle.clone())
    }
}

/// The exit of an incarnation that did not come up in time.
pub(crate) fn start_timed_out(timeout: Duration) -> Exit {
    Exit::init_failed(format!("it did not start within {timeout:?}"))
}
