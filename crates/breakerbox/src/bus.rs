use tokio::sync::broadcast;

use crate::lock;
use crate::sync::Mutex;

/// Where something tells what happens to it, until it says that nothing will any more.
///
/// A broadcast channel ends with its last sender, and there is one in each handle. So
/// this one can be closed.
#[derive(Debug)]
pub(crate) struct Bus<E> {
    /// None once it is closed.
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

    /// Whoever has heard everything is told that this was all.
    pub(crate) fn close(&self) {
        let outbox = lock::with(&self.outbox, Option::take);
        drop(outbox);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<E> {
        match self.outbox() {
            Some(outbox) => outbox.subscribe(),
            // A channel whose sender is gone: nothing will happen any more.
            None => broadcast::Sender::new(1).subscribe(),
        }
    }

    /// A sender, for use without the lock: whom it wakes is the user's code.
    fn outbox(&self) -> Option<broadcast::Sender<E>> {
        lock::with(&self.outbox, |outbox| outbox.clone())
    }
}

/// How many events a listener may fall behind.
const BACKLOG: usize = 1_024;
