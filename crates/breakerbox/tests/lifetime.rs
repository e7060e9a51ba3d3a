//! R28 and R40: how boxes, breakers and pools end, and what giving up leaves.

#![cfg(test)]

use std::any::Any;
use std::cell::RefCell;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerBoxSpec, BreakerConfig, BreakerError, BreakerMessage,
    CallError, CheckError, ChildSpec, CommandError, Endpoint, Event, HealthCheck, Orphaned,
    PoolConfig, RejectReason, StartError, State, TripPolicy, Window,
};
use futures_util::stream;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::yield_now;
use tokio::time::{advance, timeout};
use tokio_test::task;

/// Opens on the second failure in a row; rejects without an owner.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2))
    .orphaned(Orphaned::Reject);

async fn new_box() -> BreakerBox {
    BreakerBox::start("test").await.unwrap()
}

async fn open(breaker: &Breaker) {
    for _ in 0..2 {
        breaker.try_acquire().unwrap().failure().await;
    }
}

fn rejection(breaker: &Breaker) -> Option<RejectReason> {
    let rejected = breaker.try_acquire().err();
    rejected.map(|rejected| rejected.reason())
}

/// Children of a box's supervisor by name.
fn children(breakers: &BreakerBox) -> Vec<String> {
    let tree = breakers.supervisor().snapshot();
    let names = tree.children.iter().map(|child| child.name.to_string());
    names.collect()
}

/// Waits until something holds that no message tells, for a number of turns that is
/// more than enough where all share one thread.
async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..100_000 {
        if holds() {
            return;
        }
        yield_now().await;
    }
    panic!("it never comes to hold");
}

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn r40_a_breaker_keeps_its_box() {
    async fn make() -> Breaker {
        new_box().await.breaker("peer", CONFIG).await.unwrap()
    }
    let breaker = make().await;
    open(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().await.orphaned, None);
    breaker.reset().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn r40_every_way_to_end_a_breaker_shows() {
    #[derive(Debug)]
    enum Way {
        Remove,
        Shutdown,
        SupervisorRemoves,
        SupervisorStops,
    }
    use Way::*;
    for way in [Remove, Shutdown, SupervisorRemoves, SupervisorStops] {
        let breakers = new_box().await;
        let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
        let mut events = breaker.events();
        match way {
            Remove => drop(breakers.remove("peer").await.unwrap()),
            Shutdown => drop(breakers.shutdown().await),
            SupervisorRemoves => drop(breakers.supervisor().remove("peer").await.unwrap()),
            SupervisorStops => drop(breakers.supervisor().stop("peer").await.unwrap()),
        }
        let shown = breaker.snapshot().await.orphaned;
        assert_eq!(shown, Some(Orphaned::Reject), "{way:?}");
        assert_eq!(rejection(&breaker), Some(RejectReason::Orphaned), "{way:?}");
        let told = events.next().await;
        assert!(matches!(told, Some(Event::Orphaned { .. })), "{way:?}");
        assert!(events.next().await.is_none(), "{way:?}");
        assert!(breaker.events().next().await.is_none(), "{way:?}");
        assert!(breaker.downgrade().upgrade().is_none(), "{way:?}");

        assert!(breakers.find("peer").is_none(), "{way:?}: it is dead");
        let again = breakers.breaker("peer", CONFIG).await;
        match way {
            Shutdown => assert_eq!(again.unwrap_err(), BreakerError::Stopped),
            Remove | SupervisorRemoves | SupervisorStops => {
                let again = again.unwrap();
                assert_eq!(rejection(&again), None, "{way:?}: it is a new one");
                assert_eq!(children(&breakers), ["peer"]);
                again.reset().await.unwrap();
                open(&again).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r27_a_listener_never_hears_a_namesake() {
    let breakers = new_box().await;
    let old = breakers.breaker("peer", CONFIG).await.unwrap();
    let mut events = old.events();
    breakers.remove("peer").await;
    // The very same name, too.
    let new = breakers.breaker(Arc::<str>::from(old.name()), CONFIG).await;
    open(&new.unwrap()).await;
    let told = events.next().await;
    assert!(matches!(told, Some(Event::Orphaned { .. })), "{told:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn r27_a_child_that_has_taken_the_name_of_a_dead_breaker_is_left_alone() {
    let breakers = new_box().await;
    breakers.breaker("peer", CONFIG).await.unwrap();
    breakers.supervisor().remove("peer").await.unwrap();
    let other = ChildSpec::task("peer", |_| pending::<Result<(), String>>());
    breakers.supervisor().add(other).await.unwrap();
    let taken = breakers.breaker("peer", CONFIG).await;
    assert_eq!(taken.unwrap_err(), BreakerError::Taken("peer".into()));
    assert_eq!(children(&breakers), ["peer"]);
}

/// A command of a box, to be given up.
type Command = fn(BreakerBox) -> Pin<Box<dyn Future<Output = ()> + Send>>;

const OTHER: BreakerConfig = CONFIG.probes(7);

#[tokio::test(start_paused = true)]
async fn r28_a_command_that_is_given_up_leaves_all_or_nothing() {
    let commands: [(&str, Command); 8] = [
        ("breaker", |breakers| {
            Box::pin(async move { drop(breakers.breaker("new", CONFIG).await) })
        }),
        ("room", |breakers| {
            Box::pin(async move { drop(breakers.breaker("makes room", CONFIG).await) })
        }),
        ("remove", |breakers| {
            Box::pin(async move { drop(breakers.remove("old").await) })
        }),
        ("pool", |breakers| {
            let endpoints = ["a", "b"].map(|name| Endpoint::new(name, 0).check(Fine));
            Box::pin(async move {
                drop(breakers.pool("pool", PoolConfig::new(), endpoints).await);
            })
        }),
        ("update", |breakers| {
            let pool = breakers.find_pool::<u8>("there").unwrap();
            let endpoints = ["b", "c"].map(|name| Endpoint::new(name, 0).check(Fine));
            Box::pin(async move { drop(pool.update(endpoints).await) })
        }),
        ("add", |breakers| {
            let pool = breakers.find_pool::<u8>("there").unwrap();
            let endpoint = Endpoint::new("c", 0).check(Fine);
            Box::pin(async move { drop(pool.add(endpoint).await) })
        }),
        ("dismiss", |breakers| {
            let pool = breakers.find_pool::<u8>("there").unwrap();
            Box::pin(async move { assert!(pool.remove("a").await) })
        }),
        ("close", |breakers| {
            let pool = breakers.find_pool::<u8>("there").unwrap();
            Box::pin(async move { pool.close().await })
        }),
    ];
    for (name, command) in commands {
        // After each number of steps that others make meanwhile.
        for steps in 0.. {
            // Full, with two of the pool, where there is room to be made.
            let maximum = if name == "room" { 4 } else { usize::MAX };
            let spec = BreakerBoxSpec::new("test").maximum(maximum);
            let breakers = spec.start().await.unwrap();
            let endpoints = ["a", "b"].map(|name| Endpoint::new(name, 0_u8).check(Fine));
            let pool = breakers.pool("there", PoolConfig::new(), endpoints);
            drop(pool.await.unwrap());
            breakers.breaker("old", CONFIG).await.unwrap();
            if name == "room" {
                breakers.breaker("new", CONFIG).await.unwrap();
            }
            let before = children(&breakers);
            let mut given_up = task::spawn(command(breakers.clone()));
            let mut is_done = given_up.poll().is_ready();
            for _ in 0..steps {
                yield_now().await;
                is_done = is_done || given_up.poll().is_ready();
            }
            if is_done {
                assert!(steps > 0, "{name} is given up at least once");
                break;
            }
            drop(given_up);
            for _ in 0..1_000 {
                yield_now().await;
            }
            check(name, steps, &breakers, &before).await;
            breakers.shutdown().await;
        }
    }
}

async fn check(command: &str, steps: usize, breakers: &BreakerBox, before: &[String]) {
    let place = format!("{command} given up after {steps} steps");
    let now = children(breakers);
    let snapshots = breakers.snapshots().await;
    for breaker in &snapshots {
        assert!(now.contains(&breaker.name.to_string()), "{place}: {now:?}");
        assert_eq!(breaker.orphaned, None, "{place}");
    }
    let has = |name: &str| now.iter().any(|child| child == name);
    match command {
        // Nothing of a new breaker, so another one may take its name.
        "breaker" => {
            assert_eq!(now, before, "{place}");
            breakers.breaker("new", OTHER).await.expect(&place);
        }
        "room" => {
            assert!(!has("makes room"), "{place}");
            let made = breakers.breaker("makes room", OTHER).await;
            made.expect(&place);
        }
        "remove" => {
            assert!(!has("old"), "{place}");
            breakers.breaker("old", OTHER).await.expect(&place);
        }
        "pool" => assert_eq!(now, before, "{place}"),
        "update" => {
            let wanted = ["b", "b/check", "c", "c/check"];
            let all = wanted.map(|name| has(&format!("there/{name}")));
            assert_eq!(all, [true; 4], "{place}: {now:?}");
            assert!(!has("there/a") && !has("there/a/check"), "{place}");
            let pool = breakers.find_pool::<u8>("there").unwrap();
            assert_eq!(pool.endpoints().len(), 2, "{place}");
        }
        "add" => {
            let all = ["c", "c/check"].map(|name| has(&format!("there/{name}")));
            assert_eq!(all, [true; 2], "{place}: {now:?}");
        }
        "dismiss" => {
            let any = ["a", "a/check"].map(|name| has(&format!("there/{name}")));
            assert_eq!(any, [false; 2], "{place}: {now:?}");
        }
        "close" => {
            assert_eq!(now, ["old"], "{place}");
            assert!(breakers.find_pool::<u8>("there").is_none(), "{place}");
        }
        other => unreachable!("{other}"),
    }
}

/// A health check that passes.
#[derive(Clone)]
struct Fine;

#[async_trait]
impl<T: Send + 'static> HealthCheck<T> for Fine {
    async fn check(&self, _: T) -> Result<(), CheckError> {
        Ok(())
    }
}

/// Tells when the last of its clones is gone.
#[derive(Clone, Default)]
struct Witness(Arc<()>);

impl Witness {
    fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// A worker that holds something until it is told to stop.
fn worker<T: Clone + Send + Sync + 'static>(held: T) -> ChildSpec {
    ChildSpec::task("worker", move |stop| {
        let held = held.clone();
        async move {
            stop.cancelled().await;
            drop(held);
            Ok::<_, &str>(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn r40_the_last_handle_ends_the_tree_and_leaves_nothing() {
    #[derive(Clone, Copy, Debug)]
    enum Last {
        Box,
        Breaker,
        Pool,
    }
    for last in [Last::Box, Last::Breaker, Last::Pool] {
        let witness = Witness::default();
        let breakers = new_box().await;
        let mut ended = Box::pin({
            let supervisor = breakers.supervisor().events();
            async move {
                let mut events = supervisor;
                while events.next().await.is_some() {}
            }
        });
        let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
        breakers.breaker("idle", CONFIG).await.unwrap();
        let endpoint = Endpoint::new("a", witness.clone()).check(Fine);
        let pool = breakers.pool("pool", PoolConfig::new(), [endpoint]).await;
        let pool = pool.unwrap();
        let following = pool.follow(stream::pending::<Result<_, String>>);
        following.await.unwrap();
        let held = (
            breaker.downgrade(),
            pool.downgrade(),
            breakers.downgrade(),
            witness.clone(),
        );
        breakers.supervisor().add(worker(held)).await.unwrap();
        let handles: (Box<dyn Any>, [Box<dyn Any>; 2]) = match last {
            Last::Box => (Box::new(breakers), [Box::new(breaker), Box::new(pool)]),
            Last::Breaker => (Box::new(breaker), [Box::new(breakers), Box::new(pool)]),
            Last::Pool => (Box::new(pool), [Box::new(breakers), Box::new(breaker)]),
        };
        let (handle, others) = handles;
        drop(others);
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(!witness.is_alone(), "{last:?} is left");
        drop(handle);
        ended.as_mut().await;
        until(|| witness.is_alone()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn r40_a_child_with_a_strong_handle_keeps_the_tree_until_a_shutdown() {
    let witness = Witness::default();
    let breakers = new_box().await;
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let held = (breaker, witness.clone());
    breakers.supervisor().add(worker(held)).await.unwrap();
    let weak = breakers.downgrade();
    drop(breakers);
    for _ in 0..100 {
        yield_now().await;
    }
    let breakers = weak.upgrade().expect("its own child keeps it");
    assert_eq!(breakers.shutdown().await.unclean().count(), 0);
    drop(breakers);
    until(|| witness.is_alone()).await;
    assert!(weak.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn r40_a_weak_handle_leads_to_its_breaker_while_that_is_there() {
    let breakers = new_box().await;
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let weak = breaker.downgrade();
    drop(breaker);
    open(&weak.upgrade().expect("it is in the box")).await;
    assert_eq!(breakers.find("peer").unwrap().state(), State::Open);
    breakers.remove("peer").await;
    let _namesake = breakers.breaker("peer", CONFIG).await.unwrap();
    assert!(weak.upgrade().is_none(), "that one has gone");
}

#[tokio::test(start_paused = true)]
async fn r40_a_pool_is_found_by_its_name_until_it_is_closed() {
    let breakers = new_box().await;
    let pool = breakers.pool("pool", PoolConfig::new(), [Endpoint::new("a", 1_u8)]);
    drop(pool.await.unwrap());
    assert!(
        breakers.find_pool::<u16>("pool").is_none(),
        "of another type"
    );
    let pool = breakers.find_pool::<u8>("pool").unwrap();
    assert_eq!(
        pool.call(|it| async move { Ok::<_, &str>(it) }).await,
        Ok(1)
    );
    let mut events = pool.events();
    pool.close().await;
    assert!(breakers.find_pool::<u8>("pool").is_none());
    while events.next().await.is_some() {}
    let again = breakers.pool("pool", PoolConfig::new(), [Endpoint::new("a", 2_u8)]);
    let again = again.await.unwrap();
    pool.close().await;
    assert!(
        breakers.find_pool::<u8>("pool").is_some(),
        "not the other one"
    );
    drop(again);
}

fn a_runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Where a box may live.
#[derive(Clone, Copy, Debug)]
enum Home {
    Here,
    OwnThread,
    There,
}

impl Home {
    const ALL: [Self; 3] = [Self::Here, Self::OwnThread, Self::There];

    /// Makes a breaker in a box that has no other handle.
    async fn make(self, there: &Handle) -> Breaker {
        let spec = BreakerBoxSpec::new("test");
        let spec = match self {
            Self::Here => spec,
            Self::OwnThread => spec.own_thread(),
            Self::There => spec.runtime(there.clone()),
        };
        let breakers = spec.start().await.unwrap();
        breakers.breaker("peer", CONFIG).await.unwrap()
    }
}

thread_local! {
    static LEFT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn r40_the_last_handle_may_be_dropped_anywhere() {
    type Drop = fn(Breaker, &Runtime, &Runtime);
    let places: [(&str, Drop); 6] = [
        ("a task of the caller's runtime", |breaker, here, _| {
            here.block_on(here.spawn(async move { drop(breaker) }))
                .unwrap();
        }),
        ("a task of the box's runtime", |breaker, here, there| {
            here.block_on(there.spawn(async move { drop(breaker) }))
                .unwrap();
        }),
        ("block_on", |breaker, here, _| {
            here.block_on(async move { drop(breaker) });
        }),
        ("a thread without a runtime", |breaker, _, _| {
            thread::spawn(move || drop(breaker)).join().unwrap();
        }),
        ("the destructor of a thread-local", |breaker, _, _| {
            let leave = move || LEFT.with_borrow_mut(|left| left.push(Box::new(breaker)));
            thread::spawn(leave).join().unwrap();
        }),
        ("a panic", |breaker, _, _| {
            let panicking = move || {
                let _breaker = breaker;
                panic!("on purpose");
            };
            assert!(thread::spawn(panicking).join().is_err());
        }),
    ];
    for home in Home::ALL {
        for (place, drop_it) in places {
            let (here, there) = (a_runtime(), a_runtime());
            let breaker = here.block_on(home.make(there.handle()));
            here.block_on(open(&breaker));
            let mut events = breaker.events();
            drop_it(breaker, &here, &there);
            let told = here.block_on(async {
                let ended = async {
                    while !matches!(events.next().await, Some(Event::Orphaned { .. })) {}
                    events.next().await
                };
                timeout(HOUR, ended).await
            });
            assert!(matches!(told, Ok(None)), "{home:?}, {place}: it has ended");
        }
    }
}

#[test]
fn r40_a_handle_outlives_the_runtime_of_its_box() {
    for home in [Home::Here, Home::There] {
        let (here, there) = (a_runtime(), a_runtime());
        let breaker = here.block_on(home.make(there.handle()));
        let breakers_events = breaker.events();
        here.block_on(open(&breaker));
        drop((here, there));
        assert_eq!(
            rejection(&breaker),
            Some(RejectReason::Orphaned),
            "{home:?}"
        );
        let after = a_runtime();
        after.block_on(async {
            let snapshot = breaker.snapshot().await;
            assert_eq!(snapshot.orphaned, Some(Orphaned::Reject), "{home:?}");
            let commanded = breaker.reset().await;
            assert_eq!(commanded, Err(CommandError::Stopped));
            breakers_events
        });
        drop(breaker);
    }
}

#[test]
fn r40_a_box_of_its_own_thread_works_while_the_application_is_blocked() {
    let breakers = BreakerBoxSpec::new("test").own_thread().start_blocking();
    let breakers = breakers.unwrap();
    // What only an owner does: ask a custom policy.
    let asked = CONFIG.trip_on(TripPolicy::custom(|counts| counts.failures == 2));
    let breaker = breakers.breaker_blocking("peer", asked).unwrap();
    for _ in 0..2 {
        let failed = breaker.run(|| Err::<(), _>("down"));
        assert_eq!(failed, Err(CallError::Failed("down")));
    }
    while breaker.state() == State::Closed {
        thread::yield_now();
    }
    assert_eq!(breaker.state(), State::Open);
    let found = breakers.breaker_blocking("peer", asked).unwrap();
    assert_eq!(found.state(), State::Open);
}

#[test]
fn r40_a_box_refuses_where_it_cannot_live() {
    let no_runtime = BreakerBoxSpec::new("test").start();
    let refused = task::spawn(no_runtime).poll();
    assert!(matches!(
        refused,
        std::task::Poll::Ready(Err(StartError::NoRuntime))
    ));
    let refused = BreakerBoxSpec::new("test").start_blocking();
    assert_eq!(refused.unwrap_err(), StartError::NoRuntime);

    let without_timers = Builder::new_current_thread().build().unwrap();
    let refused = without_timers
        .block_on(BreakerBox::start("test"))
        .unwrap_err();
    assert_eq!(refused, StartError::NoTimers);
    assert!(refused.to_string().contains("enable_time"), "{refused}");

    let runtime = a_runtime();
    runtime.block_on(async {
        let here = BreakerBoxSpec::new("test").runtime(Handle::current());
        let refused = here.clone().start_blocking();
        assert_eq!(refused.unwrap_err(), StartError::WouldBlock);
        let breakers = here.start().await.unwrap();
        let refused = breakers.breaker_blocking("peer", CONFIG);
        assert_eq!(refused.unwrap_err(), BreakerError::WouldBlock);
    });
    let handle = runtime.handle().clone();
    drop(runtime);
    let gone = BreakerBoxSpec::new("test").runtime(handle).start_blocking();
    assert_eq!(gone.unwrap_err(), StartError::Interrupted);
}

#[test]
fn r40_where_there_are_no_timers_a_call_panics_and_judges_nothing() {
    // Driven only while it is waited for.
    let home = Builder::new_current_thread().enable_all().build().unwrap();
    let breakers = home.block_on(new_box());
    let (breaker, pool) = home.block_on(async {
        let limited = breakers.breaker("peer", CONFIG.call_timeout(HOUR)).await;
        let config = PoolConfig::new().deadline(HOUR);
        let pool = breakers.pool("pool", config, [Endpoint::new("a", 1_u8)]);
        (limited.unwrap(), pool.await.unwrap())
    });
    let without_timers = Builder::new_current_thread().build().unwrap();
    let never = || pending::<Result<(), &str>>();
    // Without a limit of its own.
    let (actor, endpoint) = (breaker.actor(), pool.breaker("a").unwrap());
    for panics in [
        catch_unwind(AssertUnwindSafe(|| {
            let _panics = without_timers.block_on(async { breaker.call(never()).await });
        })),
        catch_unwind(AssertUnwindSafe(|| {
            let streamed = breaker.call_streaming(|_| None, never());
            let _panics = without_timers.block_on(async { streamed.await.map(drop) });
        })),
        catch_unwind(AssertUnwindSafe(|| {
            let _panics = without_timers.block_on(async { pool.call(|_| never()).await });
        })),
        // It would answer, but nobody could tell when it has not.
        catch_unwind(AssertUnwindSafe(|| {
            let asked = endpoint.ask(&actor, BreakerMessage::Inspect, HOUR);
            let _panics = without_timers.block_on(async { asked.await.map(drop) });
        })),
    ] {
        assert!(panics.is_err());
    }
    // Outside of tokio the timers of the box's runtime do.
    let mut call = task::spawn(breaker.call(never()));
    assert!(call.poll().is_pending());
    drop(call);
    let counts = home.block_on(breaker.snapshot()).counts;
    assert_eq!(counts.failures, 0, "a call that could not be made");
    let counts = home.block_on(endpoint.snapshot()).counts;
    assert_eq!(counts.failures, 0);
    let mut waits = task::spawn(breaker.reset());
    assert!(waits.poll().is_pending());
    drop(waits);
}

/// Whoever reads the answer is outside of tokio, where nobody watches the time.
#[test]
fn r06_a_streaming_probe_outside_of_tokio_is_settled_halfway_to_its_deadline() {
    let mut home = Builder::new_current_thread();
    let home = home.enable_all().start_paused(true).build().unwrap();
    let config = CONFIG
        .open_for(Backoff::fixed(SECOND))
        .probes(1)
        .probe_deadline(HOUR);
    let (breaker, probe) = home.block_on(async {
        let breaker = new_box().await.breaker("peer", config).await.unwrap();
        open(&breaker).await;
        advance(SECOND).await;
        let probe = breaker.try_acquire_owned().unwrap();
        (breaker, probe)
    });
    let begun = probe.call_streaming(|_: &Result<&str, ()>| None, ready(Ok("head")));
    let Poll::Ready(Ok((_, Some(permit)))) = task::spawn(begun).poll() else {
        panic!("its answer has begun");
    };
    home.block_on(async {
        advance(HOUR * 3 / 4).await;
        until(|| breaker.state() == State::Closed).await;
    });
    drop(permit);
    assert_eq!(breaker.state(), State::Closed);
}
