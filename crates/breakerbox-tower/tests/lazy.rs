//! Services that are made when they are needed, as endpoints of a pool.

#![cfg(test)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use breakerbox::Verdict;
use breakerbox_tower::{Lazy, error_verdict};
use futures_util::future::join_all;
use tower::{Service, ServiceExt, service_fn};

/// A connection that is lost after some calls.
#[derive(Clone)]
struct Connection {
    left: Arc<AtomicU32>,
    number: u32,
}

impl Service<()> for Connection {
    type Response = u32;
    type Error = io::Error;
    type Future = Ready<io::Result<u32>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.left.load(Ordering::SeqCst) {
            0 => Err(io::ErrorKind::NotConnected.into()),
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
            Ok(Connection { left, number })
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
async fn r53_to_a_service_that_cannot_be_made_nothing_was_sent() {
    let refuses = service_fn(|_address| async {
        Err::<Connection, _>(io::Error::other("the handshake failed"))
    });
    let lazy = Lazy::new(refuses, "north");
    let error = lazy.oneshot(()).await.unwrap_err();
    assert_eq!(error_verdict(&error), Verdict::NotSent);
}
