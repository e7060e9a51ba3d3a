use tokio::sync::broadcast;

use crate::lock;
use crate::sync::Mutex;

/// A channel for the events of something, until no more can happen.
///
/// A broadcast channel ends with its last sender, and each handle has one. So this
/// channel can be closed.
#[derive(Debug)]
pub(crate) struct Bus<E> {
    /// The sender; None once the bus is closed.
    outbox: Mutex<Option<broadcast::Sender<E>>>,
}

impl<E: Clone> Bus<E> {
    pub(crate) fn new() -> Self {
        Self {
            outbox: Mutex::new(Some(broadcast::Sender::new(BACKLOG))),
        }
    }

    pub(crate) fn send(&self, event: E) {
        if let Some(outbox) = self.outbox() {
            // An error means that nobody listens, which is fine.
            let _unheard = outbox.send(event);
        }
    }

    /// Ends the events: a listener that has received all learns that it was all.
    pub(crate) fn close(&self) {
        let outbox = lock::with(&self.outbox, Option::take);
        drop(outbox);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<E> {
        match self.outbox() {
            Some(outbox) => outbox.subscribe(),
            None => closed(),
        }
    }

    /// Returns a sender, to be used without the lock: it wakes the user's code.
    fn outbox(&self) -> Option<broadcast::Sender<E>> {
        lock::with(&self.outbox, |outbox| outbox.clone())
    }
}

/// Returns a receiver that nothing will ever be sent to.
pub(crate) fn closed<E: Clone>() -> broadcast::Receiver<E> {
    broadcast::Sender::new(1).subscribe()
}

/// The number of events that a listener may fall behind.
const BACKLOG: usize = 1_024;
