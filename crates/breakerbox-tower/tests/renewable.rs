//! Clients that are left for new ones, as endpoints of a pool.

#![cfg(test)]

use std::future::{Ready, ready};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use breakerbox_tower::Renewable;
use tokio::time::advance;
use tokio_test::{assert_pending, task};
use tower::{Service, ServiceExt};

/// What a client does that is called or asked whether it is ready.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    Hangs,
    IsLost,
    Refuses,
    #[default]
    Works,
}

#[derive(Clone, Default)]
struct Clients {
    made: Arc<AtomicU32>,
    /// Of those that are made from now on.
    mode: Arc<Mutex<Mode>>,
}

impl Clients {
    fn now(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::SeqCst)
    }

    fn renewable(&self) -> Renewable<Client> {
        let clients = self.clone();
        Renewable::new(move || Client {
            is_ready: false,
            mode: *clients.mode.lock().unwrap(),
            number: clients.made.fetch_add(1, Ordering::SeqCst) + 1,
        })
    }
}

/// A client that answers with its number, and only once it was asked whether it is
/// ready.
struct Client {
    is_ready: bool,
    mode: Mode,
    number: u32,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self {
            is_ready: false,
            ..*self
        }
    }
}

impl Service<()> for Client {
    type Response = u32;
    type Error = io::Error;
    type Future =
        futures_util::future::Either<Ready<io::Result<u32>>, std::future::Pending<io::Result<u32>>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_ready = true;
        Poll::Ready(match self.mode {
            Mode::IsLost => Err(io::ErrorKind::NotConnected.into()),
            _ => Ok(()),
        })
    }

    fn call(&mut self, (): ()) -> Self::Future {
        use futures_util::future::Either;
        assert!(self.is_ready, "it was not asked");
        match self.mode {
            Mode::Hangs => Either::Right(std::future::pending()),
            Mode::Refuses => Either::Left(ready(Err(io::ErrorKind::ConnectionRefused.into()))),
            _ => Either::Left(ready(Ok(self.number))),
        }
    }
}

async fn ask(renewable: &Renewable<Client>) -> io::Result<u32> {
    renewable.clone().oneshot(()).await
}

#[tokio::test]
async fn r64_the_next_call_after_a_renewal_uses_a_new_client() {
    let clients = Clients::default();
    let renewable = clients.renewable();
    assert_eq!(clients.made(), 0, "before the first call");
    for number in 1..=3 {
        for _ in 0..3 {
            assert_eq!(ask(&renewable).await.unwrap(), number);
        }
        renewable.clone().renew();
    }
}

#[tokio::test]
async fn r64_a_clone_that_was_called_before_uses_a_new_client_as_well() {
    let clients = Clients::default();
    let mut renewable = clients.renewable();
    let other = renewable.clone();
    assert_eq!(renewable.ready().await.unwrap().call(()).await.unwrap(), 1);
    other.renew();
    assert_eq!(renewable.ready().await.unwrap().call(()).await.unwrap(), 2);
}

#[tokio::test]
async fn r64_a_client_that_is_not_ready_any_more_is_left() {
    let clients = Clients::default();
    clients.now(Mode::IsLost);
    let renewable = clients.renewable();
    assert!(ask(&renewable).await.is_err());
    clients.now(Mode::Works);
    assert_eq!(ask(&renewable).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn r64_a_client_is_replaced_at_its_maximum_age() {
    let clients = Clients::default();
    let renewable = clients.renewable().max_age(HOUR);
    for number in 1..=3 {
        assert_eq!(ask(&renewable).await.unwrap(), number);
        advance(HOUR * 8 / 10).await;
        assert_eq!(ask(&renewable).await.unwrap(), number);
        advance(HOUR * 3 / 10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r64_a_client_stays_beyond_its_maximum_age_while_no_other_is_answered() {
    for mode in [Mode::Hangs, Mode::IsLost, Mode::Refuses] {
        let clients = Clients::default();
        let renewable = clients.renewable().max_age(HOUR);
        assert_eq!(ask(&renewable).await.unwrap(), 1);
        clients.now(mode);
        advance(HOUR * 11 / 10).await;
        let mut tries = task::spawn(renewable.clone().oneshot(()));
        match mode {
            Mode::Hangs => assert_pending!(tries.poll()),
            _ => assert!((&mut tries).await.is_err()),
        }
        for _ in 0..10 {
            assert_eq!(ask(&renewable).await.unwrap(), 1, "{mode:?}");
        }
        // Its caller has gone.
        drop(tries);
        assert_eq!(ask(&renewable).await.unwrap(), 1, "{mode:?}");
        assert_eq!(clients.made(), 2, "not with each call");
        clients.now(Mode::Works);
        advance(Duration::from_secs(10)).await;
        for _ in 0..3 {
            assert_eq!(ask(&renewable).await.unwrap(), 3, "{mode:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r64_a_client_on_trial_does_not_replace_one_that_was_made_since() {
    let clients = Clients::default();
    let renewable = clients.renewable().max_age(HOUR);
    assert_eq!(ask(&renewable).await.unwrap(), 1);
    advance(HOUR * 11 / 10).await;
    let mut on_trial = renewable.clone();
    on_trial.ready().await.unwrap();
    renewable.renew();
    assert_eq!(ask(&renewable).await.unwrap(), 3);
    assert_eq!(on_trial.call(()).await.unwrap(), 2);
    assert_eq!(ask(&renewable).await.unwrap(), 3);
}

#[test]
fn r64_no_code_of_the_users_runs_under_a_lock() {
    static IS_DROPPED: AtomicBool = AtomicBool::new(false);

    /// It calls back when it is dropped and when it is cloned.
    struct CallsBack(Arc<Mutex<Option<Renewable<Self>>>>);

    impl CallsBack {
        fn call_back(&self) {
            // Not while it calls back already.
            if let Ok(mut renewable) = self.0.try_lock()
                && let Some(renewable) = renewable.take()
            {
                renewable.renew();
            }
        }
    }

    impl Clone for CallsBack {
        fn clone(&self) -> Self {
            self.call_back();
            Self(Arc::clone(&self.0))
        }
    }

    impl Drop for CallsBack {
        fn drop(&mut self) {
            IS_DROPPED.store(true, Ordering::SeqCst);
            self.call_back();
        }
    }

    impl Service<()> for CallsBack {
        type Response = ();
        type Error = io::Error;
        type Future = Ready<io::Result<()>>;

        fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Ok(()))
        }
    }

    let place = Arc::new(Mutex::new(None));
    let given = Arc::clone(&place);
    let renewable = Renewable::new(move || CallsBack(Arc::clone(&given)));
    for _ in 0..3 {
        *place.lock().unwrap() = Some(renewable.clone());
        let mut called = task::spawn(renewable.clone().oneshot(()));
        tokio_test::assert_ready_ok!(called.poll());
        drop(called);
        *place.lock().unwrap() = Some(renewable.clone());
        renewable.renew();
    }
    assert!(IS_DROPPED.load(Ordering::SeqCst));
    *place.lock().unwrap() = None;
}

const HOUR: Duration = Duration::from_secs(3_600);
