use std::sync::OnceLock;

use breakerbox_core::Exit;
use ractor::Actor;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::living::Living;

/// Where an incarnation lives while its shell stays.
///
/// # Invariants
///
/// 1. `door` is changed only while `incarnation` is locked, but for closing.
/// 2. It says `Filled` only while there is an incarnation.
/// 3. Once it is closed, it stays closed, and is not filled again.
pub(super) struct Slot<A: Actor> {
    door: watch::Sender<Door>,
    farewell: OnceLock<Exit>,
    incarnation: Mutex<Option<Living<A>>>,
}

/// An incarnation, for as long as nobody else may touch it.
pub(super) type Lease<'a, A> = MutexGuard<'a, Option<Living<A>>>;

impl<A: Actor> Slot<A> {
    pub(super) fn new() -> Self {
        Self {
            door: watch::Sender::new(Door::Empty),
            farewell: OnceLock::new(),
            incarnation: Mutex::new(None),
        }
    }

    /// What to wait on while the slot is empty.
    pub(super) fn door(&self) -> watch::Receiver<Door> {
        self.door.subscribe()
    }

    pub(super) async fn lease(&self) -> Lease<'_, A> {
        self.incarnation.lock().await
    }

    /// Waits for an incarnation; `None` when there will be none.
    pub(super) async fn occupied(&self, door: &mut watch::Receiver<Door>) -> Option<Lease<'_, A>> {
        loop {
            // Nearly always nobody else wants it, and then trying is cheaper: 40
            // of the 600 ns that a question costs.
            let lease = match self.incarnation.try_lock() {
                Ok(lease) => lease,
                Err(_) => self.lease().await,
            };
            if lease.is_some() {
                return Some(lease);
            }
            drop(lease);
            let opened = door.wait_for(|door| *door != Door::Empty).await;
            if opened.is_ok_and(|door| *door == Door::Filled) {
                continue;
            }
            return None;
        }
    }

    /// Whether nobody lives here right now.
    pub(super) fn is_vacant(&self) -> bool {
        self.incarnation
            .try_lock()
            .is_ok_and(|lease| lease.is_none())
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.door.borrow() == Door::Closed
    }

    /// Lets those who wait at the door in.
    pub(super) fn open(&self) {
        self.turn(Door::Filled);
    }

    /// Ends the incarnation and has the next message wait for another.
    pub(super) fn clear(&self, lease: &mut Lease<'_, A>) -> Option<Living<A>> {
        self.turn(Door::Empty);
        lease.take()
    }

    /// Sends those who wait at the door away, for good.
    pub(super) fn close(&self) {
        self.turn(Door::Closed);
    }

    /// Closes it and drops what is left in it, unless somebody holds it.
    pub(super) fn abandon(&self) {
        self.close();
        if let Ok(mut lease) = self.incarnation.try_lock() {
            // While it is held, or who waits for it finds it empty too soon.
            drop(lease.take());
        }
    }

    /// How the shell ended; killed, unless it could say otherwise.
    pub(super) fn farewell(&self) -> Exit {
        self.farewell.get().cloned().unwrap_or(Exit::Killed)
    }

    pub(super) fn say_farewell(&self, exit: Exit) {
        // The shell's `post_stop` runs once.
        let _ = self.farewell.set(exit);
    }

    fn turn(&self, to: Door) {
        self.door.send_if_modified(|door| {
            let turns = *door != Door::Closed && *door != to;
            if turns {
                *door = to;
            }
            turns
        });
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Door {
    Closed,
    Empty,
    Filled,
}
