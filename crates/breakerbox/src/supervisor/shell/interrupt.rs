use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use breakerbox_core::Exit;
use futures_util::task::AtomicWaker;

use super::super::catch;

/// Ends the callback that runs, where waiting for it has taken too long.
///
/// ractor can only kill the whole actor, which would take the address and the
/// mailbox along. A callback that never waits costs one more load.
#[derive(Default)]
pub(crate) struct Interrupt {
    requested: AtomicBool,
    waker: AtomicWaker,
}

impl Interrupt {
    /// Ends the callback that runs when it waits or returns next.
    pub(crate) fn request(&self) {
        // Release: who sees the request sees what led to it.
        self.requested.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// From now on callbacks may run again.
    pub(crate) fn clear(&self) {
        // Release: as above. No callback runs meanwhile.
        self.requested.store(false, Ordering::Release);
    }

    /// Runs a callback; interrupted, it has been killed.
    pub(crate) async fn run(
        &self,
        callback: impl Future<Output = Result<(), Exit>>,
    ) -> Result<(), Exit> {
        let mut callback = pin!(Some(callback));
        let run = std::future::poll_fn(|context| {
            let polled = match callback.as_mut().as_pin_mut() {
                Some(callback) => callback.poll(context),
                None => Poll::Pending,
            };
            if polled.is_pending() {
                self.waker.register(context.waker());
            }
            if self.is_requested() {
                return Poll::Ready(Err(Exit::Killed));
            }
            polled
        })
        .await;
        // What the callback holds is the user's, and may panic when dropped.
        catch::run_drop(|| callback.set(None));
        run
    }

    fn is_requested(&self) -> bool {
        // Acquire: as for the release above.
        self.requested.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, assert_ready_eq, task};

    use super::*;

    #[test]
    fn a_callback_that_waits_is_ended_at_once() {
        let interrupt = Interrupt::default();
        let mut waiting = task::spawn(interrupt.run(std::future::pending()));
        assert_pending!(waiting.poll());
        interrupt.request();
        assert!(waiting.is_woken());
        assert_ready_eq!(waiting.poll(), Err(Exit::Killed));
    }

    #[test]
    fn a_callback_that_returns_too_late_has_been_killed_all_the_same() {
        let interrupt = Interrupt::default();
        let blocking = async {
            interrupt.request();
            Ok(())
        };
        assert_ready_eq!(
            task::spawn(interrupt.run(blocking)).poll(),
            Err(Exit::Killed)
        );
        interrupt.clear();
        let next = task::spawn(interrupt.run(async { Ok(()) })).poll();
        assert_ready_eq!(next, Ok(()));
    }
}
