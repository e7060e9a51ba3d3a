use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use breakerbox_core::Exit;
use ractor::Actor;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::incarnation::ActorIncarnation;
use super::interrupt::Interrupt;

/// What holds an incarnation while it runs in a shell.
///
/// The shell locks it to run a callback; the supervisor's tasks lock it to fill
/// and to clear it.
///
/// # Invariants
///
/// 1. `state` is changed only while `incarnation` is locked, but for closing.
/// 2. It says `Filled` only while there is an incarnation.
/// 3. Once it is closed, it stays closed. A start that is under way may still put
///    its incarnation in, which ends with the shell.
pub(crate) struct Slot<A: Actor> {
    /// How many incarnations have ended, with all actors linked to them.
    formers: AtomicU64,
    incarnation: Mutex<Option<ActorIncarnation<A>>>,
    interrupt: Interrupt,
    /// Whether its shell had to be killed, which is said however often it is stopped.
    killed: AtomicBool,
    shell_exit: OnceLock<Exit>,
    state: watch::Sender<SlotState>,
}

/// A locked slot: nobody else can reach the incarnation.
pub(crate) type SlotGuard<'a, A> = MutexGuard<'a, Option<ActorIncarnation<A>>>;

impl<A: Actor> Slot<A> {
    pub(crate) fn new() -> Self {
        Self {
            formers: AtomicU64::new(0),
            incarnation: Mutex::new(None),
            interrupt: Interrupt::default(),
            killed: AtomicBool::new(false),
            shell_exit: OnceLock::new(),
            state: watch::Sender::new(SlotState::Empty),
        }
    }

    /// What [`lock_filled`](Self::lock_filled) waits on while the slot is empty.
    pub(crate) fn subscribe(&self) -> watch::Receiver<SlotState> {
        self.state.subscribe()
    }

    pub(crate) async fn lock(&self) -> SlotGuard<'_, A> {
        self.incarnation.lock().await
    }

    /// Waits for an incarnation; `None` when there will be none.
    pub(crate) async fn lock_filled(
        &self,
        state: &mut watch::Receiver<SlotState>,
    ) -> Option<SlotGuard<'_, A>> {
        loop {
            // Nearly always nobody else holds it, and then trying is cheaper: 40
            // of the 600 ns that a question costs.
            let guard = match self.incarnation.try_lock() {
                Ok(guard) => guard,
                Err(_) => self.lock().await,
            };
            if guard.is_some() {
                return Some(guard);
            }
            drop(guard);
            let changed = state.wait_for(|state| *state != SlotState::Empty).await;
            if changed.is_ok_and(|state| *state == SlotState::Filled) {
                continue;
            }
            return None;
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.state.borrow() == SlotState::Closed
    }

    /// What ends a callback that takes too long.
    pub(crate) const fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// How many incarnations have ended, with all actors linked to them.
    pub(crate) fn formers(&self) -> u64 {
        self.formers.load(Ordering::Relaxed)
    }

    /// Counts one that has ended, and all actors linked to it; returns how many.
    ///
    /// # Memory ordering
    ///
    /// Who handles an event of a later incarnation sees it counted: the mailbox
    /// passed the event on, and the boundary before it.
    pub(crate) fn count_former(&self) -> u64 {
        self.formers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts an incarnation in, and wakes a shell that waits for one.
    pub(crate) fn fill(&self, guard: &mut SlotGuard<'_, A>, incarnation: ActorIncarnation<A>) {
        **guard = Some(incarnation);
        self.set_state(SlotState::Filled);
    }

    /// Takes the incarnation out; the next message waits for another one.
    pub(crate) fn clear(&self, guard: &mut SlotGuard<'_, A>) -> Option<ActorIncarnation<A>> {
        self.set_state(SlotState::Empty);
        guard.take()
    }

    /// Ends all waiting for an incarnation, for good.
    pub(crate) fn close(&self) {
        self.set_state(SlotState::Closed);
    }

    /// Closes it and drops what is left in it, now or when it is unlocked.
    pub(crate) fn close_and_clear(self: &Arc<Self>) {
        self.close();
        // Dropped under the lock, or whoever waits for it to start the next
        // incarnation would find the slot empty too soon.
        if let Ok(mut guard) = self.incarnation.try_lock() {
            drop(guard.take());
        } else if let Ok(runtime) = Handle::try_current() {
            // One of the supervisor's tasks has it, or is next in its queue, and
            // may be aborted before it is polled again.
            let slot = Arc::clone(self);
            runtime.spawn(async move { drop(slot.lock().await.take()) });
        }
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// Notes that its shell had to be killed.
    pub(crate) fn set_killed(&self) {
        self.killed.store(true, Ordering::Relaxed);
    }

    /// How the shell ended; killed, unless its `post_stop` has run.
    pub(crate) fn shell_exit(&self) -> Exit {
        self.shell_exit.get().cloned().unwrap_or(Exit::Killed)
    }

    pub(crate) fn set_shell_exit(&self, exit: Exit) {
        // The shell's `post_stop` runs once.
        let _ = self.shell_exit.set(exit);
    }

    fn set_state(&self, to: SlotState) {
        self.state.send_if_modified(|state| {
            let changes = *state != SlotState::Closed && *state != to;
            if changes {
                *state = to;
            }
            changes
        });
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotState {
    Closed,
    Empty,
    Filled,
}
