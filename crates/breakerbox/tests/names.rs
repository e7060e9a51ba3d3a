//! Whose a name is, when many ask, remove, retire and give up at once.

#![cfg(test)]

use std::error::Error;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use breakerbox::{
    Breaker, BreakerBox, BreakerBoxSpec, BreakerConfig, BreakerError, BreakerMessage, ChildSpec,
    Endpoint, Event, Orphaned, Outcome, Override, OwnedPermit, PoolConfig, State, Strategy,
    SupervisorSpec, TripPolicy, Window,
};
use ractor::ActorRef;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::advance;
use tokio_test::task;

#[path = "support/outside.rs"]
mod outside;

use outside::block_on;

/// Opens on the second failure in a row.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::rolling(Duration::from_secs(10), 10))
    .trip_on(TripPolicy::consecutive_failures(2))
    .orphaned(Orphaned::Reject);

async fn turns(number: usize) {
    for _ in 0..number {
        yield_now().await;
    }
}

fn child(name: &str) -> ChildSpec {
    ChildSpec::task(name.to_owned(), |_| pending::<Result<(), String>>())
}

fn is_there(breakers: &BreakerBox, name: &str) -> bool {
    let children = breakers.supervisor().snapshot().children;
    children.iter().any(|child| &*child.name == name)
}

fn open(breaker: &Breaker) {
    for _ in 0..2 {
        drop(breaker.try_acquire().unwrap().failure());
    }
}

/// What may come to a breaker whose owner the supervisor has removed, and whose name
/// a child of the user's has taken since.
#[derive(Clone, Copy, Debug)]
enum Later {
    MakesRoom,
    Remade,
    Removed,
    Retired,
}

#[tokio::test(start_paused = true)]
async fn r27_whoever_has_taken_the_name_of_a_dead_breaker_is_left_alone() {
    for later in [
        Later::MakesRoom,
        Later::Remade,
        Later::Removed,
        Later::Retired,
    ] {
        let spec = BreakerBoxSpec::new("test").maximum(1);
        let idle = Duration::from_secs(1);
        let breakers = spec.retire_idle_after(idle).start().await.unwrap();
        breakers.breaker("peer", CONFIG).await.unwrap();
        breakers.supervisor().remove("peer").await.unwrap();
        breakers.supervisor().add(child("peer")).await.unwrap();
        match later {
            Later::MakesRoom => drop(breakers.breaker("other", CONFIG).await.unwrap()),
            Later::Remade => {
                let taken = breakers.breaker("peer", CONFIG).await.unwrap_err();
                assert_eq!(taken, BreakerError::Taken("peer".into()));
            }
            Later::Removed => drop(breakers.remove("peer").await.unwrap()),
            Later::Retired => {
                for _ in 0..10 {
                    advance(idle).await;
                    turns(20).await;
                }
                assert_eq!(breakers.snapshots().await.len(), 0);
            }
        }
        turns(100).await;
        assert!(is_there(&breakers, "peer"), "{later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r27_a_name_that_reads_as_a_path_leads_nowhere_else() {
    let breakers = BreakerBox::start("test").await.unwrap();
    breakers.breaker("orders/consumer", CONFIG).await.unwrap();
    let dead = breakers.supervisor().remove("orders/consumer").await;
    dead.unwrap();
    let orders = || SupervisorSpec::new("orders", Strategy::OneForOne).child(child("consumer"));
    let orders = ChildSpec::supervisor("orders", orders);
    breakers.supervisor().add(orders).await.unwrap();
    breakers.remove("orders/consumer").await.unwrap();
    let consumer = breakers.supervisor().supervisor("orders").unwrap();
    assert_eq!(consumer.snapshot().children.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn r58_a_pool_that_is_closed_takes_nobody_elses_child_along() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let make = |value: u8| {
        let endpoints = [Endpoint::new("a", value)];
        breakers.pool("pool", PoolConfig::new(), endpoints)
    };
    let old = make(1).await.unwrap();
    old.close().await;
    let new = make(2).await.unwrap();
    old.close().await;
    new.add(Endpoint::new("b", 3)).await.unwrap();

    // A breaker of the user's in place of an endpoint's, and a child in place of the owner.
    breakers.remove("pool/a").await.unwrap();
    let own = breakers.breaker("pool/a", CONFIG).await.unwrap();
    assert!(new.remove("a").await);
    breakers.supervisor().remove("pool").await.unwrap();
    breakers.supervisor().add(child("pool")).await.unwrap();
    new.close().await;
    assert_eq!(own.snapshot().await.orphaned, None);
    assert!(is_there(&breakers, "pool"));
    assert!(!is_there(&breakers, "pool/b"));
}

#[tokio::test(start_paused = true)]
async fn r27_a_name_that_is_refused_costs_nobody_their_place() {
    let spec = BreakerBoxSpec::new("test").maximum(1);
    let breakers = spec.start().await.unwrap();
    breakers.breaker("idle", CONFIG).await.unwrap();
    breakers.supervisor().add(child("taken")).await.unwrap();
    let refused = breakers.breaker("taken", CONFIG).await.unwrap_err();
    assert_eq!(refused, BreakerError::Taken("taken".into()));
    assert!(breakers.find("idle").is_some());
    breakers.breaker("new", CONFIG).await.unwrap();
    assert!(breakers.find("idle").is_none(), "there is one place");
}

#[tokio::test(start_paused = true)]
async fn r27_who_has_evidence_is_not_taken_for_used() {
    let spec = BreakerBoxSpec::new("test").maximum(3);
    let breakers = spec.start().await.unwrap();
    let failed = breakers.breaker("failed", CONFIG).await.unwrap();
    drop(failed.try_acquire().unwrap().failure());
    drop(failed);
    for name in ["first", "second", "another"] {
        advance(Duration::from_secs(1)).await;
        breakers.breaker(name, CONFIG).await.unwrap();
    }
    assert!(breakers.find("first").is_none(), "it has made room");
    // Nothing is left in the window.
    advance(Duration::from_secs(30)).await;
    turns(20).await;
    breakers.breaker("one more", CONFIG).await.unwrap();
    assert!(breakers.find("failed").is_none(), "used before the second");
    assert!(breakers.find("second").is_some());
}

#[tokio::test(start_paused = true)]
async fn r27_a_weak_handle_on_one_that_has_gone_is_no_use_of_its_namesake() {
    let idle = Duration::from_secs(1);
    let spec = BreakerBoxSpec::new("test").retire_idle_after(idle);
    let breakers = spec.start().await.unwrap();
    breakers.breaker("peer", CONFIG).await.unwrap();
    let gone = breakers.remove("peer").await.unwrap();
    let stale = gone.downgrade();
    breakers.breaker("peer", CONFIG).await.unwrap();
    for _ in 0..20 {
        advance(idle / 4).await;
        turns(20).await;
        assert!(stale.upgrade().is_none());
    }
    assert!(breakers.find("peer").is_none(), "it is retired");
}

#[test]
fn r27_looking_on_is_no_use() {
    let app = runtime();
    let spec = BreakerBoxSpec::new("test").maximum(1);
    let breakers = app.block_on(spec.start()).unwrap();
    let (is_over, last) = (AtomicBool::new(false), Mutex::new(None));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let mut snapshots = task::spawn(breakers.snapshots());
                assert!(snapshots.poll().is_ready());
                drop(breakers.events());
                drop(format!("{:?}", last.lock().unwrap()));
            }
        });
        let made: Result<Vec<_>, _> = (0..500)
            .map(|name| {
                let made = breakers.breaker_blocking(name.to_string(), CONFIG)?;
                *last.lock().unwrap() = Some(made.downgrade());
                Ok::<_, BreakerError>(())
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        made.expect("nobody holds any of them");
    });
}

/// One asks for something, stops polling, and gives up once others have used it.
#[tokio::test(start_paused = true)]
async fn r28_what_somebody_else_has_asked_for_is_not_taken_back() {
    #[derive(Clone, Copy, Debug)]
    enum Other {
        Asks,
        Commands,
        Finds,
    }
    for other in [Other::Asks, Other::Commands, Other::Finds] {
        let breakers = BreakerBox::start("test").await.unwrap();
        let mut given_up = task::spawn(breakers.breaker("peer", CONFIG));
        assert!(given_up.poll().is_pending());
        turns(1_000).await;
        match other {
            Other::Asks => open(&breakers.breaker("peer", CONFIG).await.unwrap()),
            Other::Commands => {
                let found = breakers.find("peer").unwrap();
                found.force(Override::forced_open("test")).await.unwrap();
            }
            Other::Finds => open(&breakers.find("peer").unwrap()),
        }
        drop(given_up);
        turns(1_000).await;
        let found = breakers.find("peer").expect("it is still there");
        let snapshot = found.snapshot().await;
        let is_kept = snapshot.state == State::Open || snapshot.overriding.is_some();
        assert!(is_kept, "{other:?}: {snapshot:?}");
    }
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoints = [Endpoint::new("a", 1_u8)];
    let mut given_up = task::spawn(breakers.pool("pool", PoolConfig::new(), endpoints));
    assert!(given_up.poll().is_pending());
    turns(1_000).await;
    let pool = breakers.find_pool::<u8>("pool").unwrap();
    drop(given_up);
    turns(1_000).await;
    let answer = pool.call(|value| async move { Ok::<_, &str>(value) }).await;
    assert_eq!(answer, Ok(1));
}

/// The supervisor stops or removes a child while that comes up.
#[tokio::test(start_paused = true)]
async fn r28_what_is_stopped_while_it_is_made_costs_nobody_the_name() {
    for is_removed in [false, true] {
        for child in ["peer", "pool", "pool/a"] {
            for steps in 0..12 {
                let breakers = BreakerBox::start("test").await.unwrap();
                let make = async || match child {
                    "peer" => {
                        let made = breakers.breaker("peer", CONFIG).await;
                        made.err().map(|error| error.to_string())
                    }
                    _ => {
                        let endpoints = [Endpoint::new("a", 1_u8)];
                        let made = breakers.pool("pool", PoolConfig::new(), endpoints).await;
                        made.err()
                            .map(|error| format!("{error}: {:?}", error.source()))
                    }
                };
                let mut made = task::spawn(make());
                assert!(made.poll().is_pending());
                turns(steps).await;
                match is_removed {
                    true => drop(breakers.supervisor().remove(child).await),
                    false => drop(breakers.supervisor().stop(child).await),
                }
                let refused = loop {
                    match made.poll() {
                        Poll::Ready(refused) => break refused,
                        Poll::Pending => yield_now().await,
                    }
                };
                drop(made);
                if let Some(error) = refused {
                    assert!(!error.contains("has ended"), "{child} {steps}: {error}");
                    assert_eq!(make().await, None, "{child} {steps}, after: {error}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r28_a_pool_that_is_given_up_is_waited_for_by_whoever_asks_next() {
    for steps in 0..30 {
        let breakers = BreakerBox::start("test").await.unwrap();
        let make = || {
            let endpoints = [Endpoint::new("a", 1_u8)];
            breakers.pool("pool", PoolConfig::new(), endpoints)
        };
        let mut given_up = task::spawn(make());
        let mut is_made = given_up.poll().is_ready();
        turns(steps).await;
        is_made = is_made || given_up.poll().is_ready();
        if is_made {
            assert!(steps > 0, "it is given up at least once");
            break;
        }
        // Of another type, which this one is not wanted as.
        assert!(breakers.find_pool::<String>("pool").is_none());
        drop(given_up);
        let again = make().await;
        assert!(again.is_ok(), "after {steps} steps: {again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn r28_an_endpoint_whose_drop_panics_leaves_no_pool_half_closed() {
    #[derive(Clone)]
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            assert!(thread::panicking(), "on purpose");
        }
    }
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoints = ["a", "b", "c"].map(|name| Endpoint::new(name, Arc::new(Bad)));
    let pool = breakers.pool("pool", PoolConfig::new(), endpoints);
    let pool = pool.await.unwrap();
    pool.close().await;
    assert_eq!(breakers.supervisor().snapshot().children.len(), 0);
}

/// A waker of an executor that polls at once, where it is woken.
struct AtOnce(BreakerBox);

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        drop(self.0.find("peer"));
        drop(format!("{:?}", self.0));
    }
}

#[tokio::test(start_paused = true)]
async fn r26_whoever_is_woken_for_a_name_may_ask_the_box_at_once() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let waker = Waker::from(Arc::new(AtOnce(breakers.clone())));
    for is_removed in [false, true] {
        let mut change = task::spawn(async {
            match is_removed {
                false => drop(breakers.breaker("peer", CONFIG).await.unwrap()),
                true => drop(breakers.remove("peer").await.unwrap()),
            }
        });
        assert!(change.poll().is_pending());
        let mut waits = pin!(breakers.breaker("peer", CONFIG));
        let polled = waits.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending(), "the name comes or goes");
        while change.poll().is_pending() {
            yield_now().await;
        }
        waits.await.unwrap();
    }
}

#[test]
fn r27_every_listener_hears_the_end_however_many_there_are() {
    let app = runtime();
    app.block_on(async {
        for _ in 0..10 {
            let breakers = BreakerBox::start("test").await.unwrap();
            let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
            let listeners: Vec<_> = (0..200)
                .map(|_| {
                    let mut events = breaker.events();
                    tokio::spawn(async move {
                        let mut heard = Vec::new();
                        while let Some(event) = events.next().await {
                            heard.push(event);
                        }
                        assert!(events.next().await.is_none(), "and no more");
                        heard
                    })
                })
                .collect();
            breakers.supervisor().stop("peer").await.unwrap();
            for listener in listeners {
                let heard = listener.await.unwrap();
                assert!(matches!(heard[..], [Event::Orphaned { .. }]), "{heard:?}");
            }
        }
    });
}

#[tokio::test(start_paused = true)]
async fn r27_a_listener_that_has_missed_the_end_is_told_so() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let other = breakers.breaker("other", CONFIG).await.unwrap();
    let mut events = breaker.events();
    breakers.remove("peer").await;
    for _ in 0..2_000 {
        other.reset().await.unwrap();
    }
    assert!(matches!(events.next().await, Some(Event::Missed { .. })));
    assert!(events.next().await.is_none());
}

#[test]
fn r19_a_name_is_one_thread_s_at_a_time() {
    let breakers = BreakerBoxSpec::new("test").maximum(2).own_thread();
    let breakers = breakers.start_blocking().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let made = block_on(breakers.breaker("peer", CONFIG));
                    made.expect("nobody else has the name");
                }
            });
        }
        let mut removed = 0;
        while removed < 2_000 {
            removed += u32::from(block_on(breakers.remove("peer")).is_some());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for name in ["one", "two", "three"] {
        let made = breakers.breaker_blocking(name, CONFIG);
        made.expect("there is room, or room is made");
    }
    assert_eq!(block_on(breakers.snapshots()).len(), 2);
}

/// Each change ends, with an answer, however it meets the end of its box.
#[test]
fn r28_no_change_waits_for_a_box_that_has_ended() {
    let app = runtime();
    for round in 0..150 {
        let spec = BreakerBoxSpec::new("test");
        let spec = match round % 2 {
            0 => spec.own_thread(),
            _ => spec.runtime(app.handle().clone()),
        };
        let breakers = spec.start_blocking().unwrap();
        let changes: Vec<_> = (0..6)
            .map(|number| {
                let breakers = breakers.clone();
                app.spawn(async move {
                    let made = breakers.breaker(format!("b{}", number % 3), CONFIG).await;
                    let name = format!("p{}", number % 2);
                    let endpoints = [Endpoint::new("a", 0_u8)];
                    let pool = breakers.pool(name, PoolConfig::new(), endpoints).await;
                    breakers.remove("b0").await;
                    if let Ok(pool) = pool {
                        drop(pool.update([Endpoint::new("z", 0_u8)]).await);
                        pool.close().await;
                    }
                    made.err()
                })
            })
            .collect();
        app.block_on(async {
            turns(round % 40).await;
            breakers.shutdown().await;
            for change in changes {
                let refused = change.await.unwrap();
                assert!(matches!(refused, None | Some(BreakerError::Stopped)));
            }
        });
    }
}

#[test]
fn r40_a_breaker_that_is_removed_beside_verdicts_by_message_is_freed() {
    let app = runtime();
    let breakers = app.block_on(BreakerBox::start("test")).unwrap();
    let (sender, receiver) = mpsc::channel::<(ActorRef<BreakerMessage>, Vec<OwnedPermit>)>();
    let caster = thread::spawn(move || {
        for (actor, permits) in receiver {
            for permit in permits {
                drop(actor.cast(BreakerMessage::Settle(permit, Outcome::Ignored)));
            }
        }
    });
    let mut gone: Vec<Weak<str>> = Vec::new();
    for _ in 0..2_000 {
        let breaker = app.block_on(breakers.breaker("peer", CONFIG)).unwrap();
        // The breaker keeps this for as long as there is anything of it.
        let reason: Arc<str> = "test".into();
        gone.push(Arc::downgrade(&reason));
        let forced = breaker.force(Override::forced_closed(reason));
        app.block_on(forced).unwrap();
        let permits = (0..200).map(|_| breaker.try_acquire_owned().unwrap());
        sender.send((breaker.actor(), permits.collect())).unwrap();
        drop(breaker);
        drop(block_on(breakers.remove("peer")).unwrap());
    }
    drop(sender);
    caster.join().unwrap();
    app.block_on(async {
        for _ in 0..100_000 {
            gone.retain(|reason| reason.strong_count() > 0);
            if gone.is_empty() {
                return;
            }
            yield_now().await;
        }
        panic!("{} are left, held by nobody", gone.len());
    });
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}
