//! Wakers are the user's code: one that panics costs nobody else a wake-up.
//!
//! Code that wakes many, such as a breaker that has decided, wakes them one after the
//! other, and would end at the first panic. So it gets only wakers that catch the
//! panics of the user's wakers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;
use tracing::{Level, event};

use crate::logging::{self, BREAKER};

/// Returns a waker that passes on each wake-up but no panic.
pub(crate) fn waker(waker: &Waker) -> Waker {
    Waker::from(Arc::new(Guard(Some(waker.clone()))))
}

pin_project! {
    /// A future that leaves only guarded wakers with what it waits for.
    #[derive(Debug)]
    pub(crate) struct Guarded<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Guarded<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let waker = waker(context.waker());
        self.project().future.poll(&mut Context::from_waker(&waker))
    }
}

/// The user's waker; None while it is dropped.
struct Guard(Option<Waker>);

impl Wake for Guard {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(waker) = &self.0 {
            catch(|| waker.wake_by_ref());
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let waker = self.0.take();
        catch(|| drop(waker));
    }
}

/// Wakes somebody, or drops a waker, and goes on if that panics.
pub(crate) fn catch(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        // The payload may panic again when it is dropped.
        std::mem::forget(panic);
        logging::write(|| {
            event!(target: BREAKER, Level::ERROR, "a waker panicked");
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Bad {
        woken: AtomicU32,
    }

    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Ordering::Relaxed);
            panic!("a bad waker");
        }
    }

    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("also when it is dropped");
        }
    }

    #[test]
    fn a_waker_that_panics_is_woken_and_no_more() {
        let bad = Arc::new(Bad::default());
        let guarded = waker(&Arc::clone(&bad).into());
        guarded.wake_by_ref();
        let another = guarded.clone();
        another.wake();
        assert_eq!(bad.woken.load(Ordering::Relaxed), 2);
        drop(bad);
        // This is the last copy, so it drops the waker.
        drop(guarded);
    }
}
