//! Services that are made when they are needed, as endpoints of a pool.

#![cfg(test)]

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, pending, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use breakerbox::Verdict;
use breakerbox_tower::{Lazy, error_verdict};
use futures_util::future::join_all;
use tokio_test::{assert_pending, task};
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt, service_fn};

/// A connection that is lost after some calls. Each clone is asked twice before it
/// knows whether it is ready.
struct Connection {
    left: Arc<AtomicU32>,
    number: u32,
    was_asked: bool,
}

impl Clone for Connection {
    fn clone(&self) -> Self {
        Self {
            left: Arc::clone(&self.left),
            number: self.number,
            was_asked: false,
        }
    }
}

impl Service<()> for Connection {
    type Response = u32;
    type Error = io::Error;
    type Future = Ready<io::Result<u32>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.was_asked, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(match self.left.load(Ordering::SeqCst) {
            0 => Err(io::Error::other(format!(
                "connection {} is lost",
                self.number
            ))),
            _ => Ok(()),
        })
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.left.fetch_sub(1, Ordering::SeqCst);
        ready(Ok(self.number))
    }
}

/// Makes connections that are good for so many calls, and numbers them.
fn connect(
    calls: u32,
) -> impl Service<&'static str, Response = Connection, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let made = Arc::new(AtomicU32::new(0));
    service_fn(move |_address| {
        let number = made.fetch_add(1, Ordering::SeqCst) + 1;
        let left = Arc::new(AtomicU32::new(calls));
        async move {
            tokio::task::yield_now().await;
            Ok(Connection {
                left,
                number,
                was_asked: false,
            })
        }
    })
}

#[tokio::test]
async fn all_calls_share_what_the_first_one_made() {
    let lazy = Lazy::new(connect(100), "north");
    let calls = (0..10).map(|_| lazy.clone().oneshot(()));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_service_that_was_lost_is_made_again() {
    let lazy = Lazy::new(connect(2), "north");
    assert_eq!(lazy.clone().oneshot(()).await.unwrap(), 1);
    assert_eq!(lazy.clone().oneshot(()).await.unwrap(), 1);
    assert_eq!(lazy.clone().oneshot(()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_service_that_was_lost_is_made_again_once_for_all() {
    let lazy = Lazy::new(connect(10), "north");
    for number in 1..=3 {
        let calls = (0..10).map(|_| lazy.clone().oneshot(()));
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap(), number);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_service_to_the_others() {
    let made = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&made);
    let one_at_a_time = service_fn(move |_address| {
        count.fetch_add(1, Ordering::SeqCst);
        let hangs = service_fn(|()| pending::<io::Result<()>>());
        ready(Ok::<_, io::Error>(ConcurrencyLimit::new(hangs, 1)))
    });
    let lazy = Lazy::new(one_at_a_time, "north");
    let mut first = task::spawn(lazy.clone().oneshot(()));
    assert_pending!(first.poll());
    for _ in 0..3 {
        let mut waits = task::spawn(lazy.clone().oneshot(()));
        assert_pending!(waits.poll());
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_making_to_the_next() {
    let lazy = Lazy::new(connect(10), "north");
    let mut makes = task::spawn(lazy.clone().oneshot(()));
    assert_pending!(makes.poll());
    drop(makes);
    assert_eq!(lazy.oneshot(()).await.unwrap(), 2);
}

#[tokio::test]
async fn r53_to_a_service_that_is_not_ready_nothing_was_sent() {
    let lazy = Lazy::new(connect(0), "north");
    let error = lazy.clone().oneshot(()).await.unwrap_err();
    assert_eq!(error_verdict(&error), Verdict::NotSent);
    // It was not kept, and it was not made twice for one call.
    let error = lazy.oneshot(()).await.unwrap_err();
    let causes = std::iter::successors(Some(&error as &dyn Error), |&error| error.source());
    assert_eq!(causes.last().unwrap().to_string(), "connection 2 is lost");
}

#[tokio::test]
async fn r53_to_a_service_that_cannot_be_made_nothing_was_sent() {
    let refuses = service_fn(|_address| async {
        Err::<Connection, _>(io::Error::other("the handshake failed"))
    });
    let lazy = Lazy::new(refuses, "north");
    let error = lazy.oneshot(()).await.unwrap_err();
    assert_eq!(error_verdict(&error), Verdict::NotSent);
}
