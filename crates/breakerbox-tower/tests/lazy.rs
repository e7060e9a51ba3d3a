//! Services that are made when they are needed, as endpoints of a pool.

#![cfg(test)]

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, pending, ready};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use breakerbox::Verdict;
use breakerbox_tower::{Lazy, error_verdict};
use futures_util::future::join_all;
use tokio::time::advance;
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

/// A make-service that has made so many connections, and can be told to fail or hang.
#[derive(Clone, Default)]
struct Dialer {
    inner: Arc<Dials>,
}

#[derive(Default)]
struct Dials {
    dialled: AtomicU32,
    mode: Mutex<Dial>,
}

#[derive(Clone, Copy, Default)]
enum Dial {
    Fails,
    Hangs,
    #[default]
    Works,
}

impl Dialer {
    fn now(&self, mode: Dial) {
        *self.inner.mode.lock().unwrap() = mode;
    }

    fn dialled(&self) -> u32 {
        self.inner.dialled.load(Ordering::SeqCst)
    }
}

impl Service<&'static str> for Dialer {
    type Response = Connection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _address: &'static str) -> Self::Future {
        let number = self.inner.dialled.fetch_add(1, Ordering::SeqCst) + 1;
        let mode = *self.inner.mode.lock().unwrap();
        Box::pin(async move {
            match mode {
                Dial::Fails => return Err(io::ErrorKind::ConnectionRefused.into()),
                Dial::Hangs => pending().await,
                Dial::Works => tokio::task::yield_now().await,
            }
            Ok(Connection {
                left: Arc::new(AtomicU32::new(100)),
                number,
                was_asked: false,
            })
        })
    }
}

type Line = Lazy<Dialer, &'static str, Connection>;

async fn ask(lazy: &Line) -> u32 {
    lazy.clone().oneshot(()).await.unwrap()
}

/// Lets what goes on beside a test go on.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn r64_the_next_call_after_a_renewal_uses_a_new_service() {
    let lazy = Lazy::new(Dialer::default(), "north");
    assert_eq!((ask(&lazy).await, ask(&lazy).await), (1, 1));
    lazy.clone().renew();
    assert_eq!((ask(&lazy).await, ask(&lazy).await), (2, 2));
}

#[tokio::test]
async fn r64_no_call_after_a_renewal_waits_for_a_service_that_is_never_made() {
    let dialer = Dialer::default();
    dialer.now(Dial::Hangs);
    let lazy = Lazy::new(dialer.clone(), "north");
    let mut waits = task::spawn(lazy.clone().oneshot(()));
    assert_pending!(waits.poll());
    dialer.now(Dial::Works);
    let mut waits_too = task::spawn(lazy.clone().oneshot(()));
    assert_pending!(waits_too.poll());
    lazy.renew();
    assert_eq!(ask(&lazy).await, 2);
    assert_pending!(waits.poll());
    assert_pending!(waits_too.poll());
}

#[tokio::test]
async fn r64_a_service_that_was_made_before_a_renewal_does_not_come_back() {
    let lazy = Lazy::new(Dialer::default(), "north");
    let mut makes = task::spawn(lazy.clone().oneshot(()));
    assert_pending!(makes.poll());
    lazy.renew();
    assert_eq!(ask(&lazy).await, 2);
    assert_eq!(makes.await.unwrap(), 1, "a call under way is not disturbed");
    assert_eq!(ask(&lazy).await, 2);
}

#[tokio::test(start_paused = true)]
async fn r64_a_service_is_replaced_at_its_maximum_age_and_no_call_waits() {
    let dialer = Dialer::default();
    let lazy = Lazy::new(dialer.clone(), "north").max_age(HOUR);
    assert_eq!(ask(&lazy).await, 1);
    advance(HOUR * 8 / 10).await;
    assert_eq!(ask(&lazy).await, 1);
    advance(HOUR * 3 / 10).await;
    assert_eq!(ask(&lazy).await, 1, "until the new one is ready");
    settle().await;
    assert_eq!((ask(&lazy).await, dialer.dialled()), (2, 2));
    advance(HOUR * 11 / 10).await;
    ask(&lazy).await;
    settle().await;
    assert_eq!((ask(&lazy).await, dialer.dialled()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn r64_a_service_stays_beyond_its_maximum_age_while_there_is_no_other() {
    for mode in [Dial::Fails, Dial::Hangs] {
        let dialer = Dialer::default();
        let lazy = Lazy::new(dialer.clone(), "north").max_age(HOUR);
        assert_eq!(ask(&lazy).await, 1);
        dialer.now(mode);
        advance(HOUR * 11 / 10).await;
        for _ in 0..10 {
            assert_eq!(ask(&lazy).await, 1);
            settle().await;
        }
        assert_eq!(dialer.dialled(), 2, "not with each call");
        dialer.now(Dial::Works);
        advance(Duration::from_secs(10)).await;
        assert_eq!(ask(&lazy).await, 1);
        settle().await;
        let expected = match mode {
            // That one is still being made.
            Dial::Hangs => 1,
            _ => 3,
        };
        assert_eq!(ask(&lazy).await, expected);
        // A renewal does not wait for it.
        lazy.renew();
        assert_eq!(ask(&lazy).await, dialer.dialled());
    }
}

#[tokio::test(start_paused = true)]
async fn r64_without_a_maximum_age_a_service_becomes_any_age() {
    let lazy = Lazy::new(Dialer::default(), "north");
    for _ in 0..100 {
        assert_eq!(ask(&lazy).await, 1);
        settle().await;
        advance(HOUR).await;
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
