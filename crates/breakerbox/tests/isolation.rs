//! R26: whatever is stuck delays nothing but itself.

#![cfg(test)]

use std::future::pending;
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use breakerbox::{
    Breaker, BreakerBox, BreakerBoxSpec, BreakerConfig, CallError, CommandError, Counts, Event,
    Forced, Orphaned, Override, State, TripPolicy, Window,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::advance;
use tokio_test::{assert_ready, task};

#[path = "support/outside.rs"]
mod outside;

use outside::block_on;

const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2));

/// A box of two breakers, of which the owner of the first asks a policy and gets no
/// answer until it is released.
struct Stuck {
    breakers: BreakerBox,
    release: &'static Barrier,
    runtime: Runtime,
    stuck: Breaker,
}

impl Stuck {
    /// Each test has barriers of its own.
    fn new<const TEST: usize>() -> Self {
        let [asked, release] = &BARRIERS[TEST];
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let breakers = runtime.block_on(BreakerBox::start("test")).unwrap();
        let config = CONFIG.trip_on(TripPolicy::custom(wait::<TEST>));
        let make = |name, config| runtime.block_on(breakers.breaker(name, config)).unwrap();
        let (stuck, _other) = (make("stuck", config), make("other", CONFIG));
        assert_eq!(fail(&stuck), Err(CallError::Failed("down")));
        asked.wait();
        Self {
            breakers,
            release,
            runtime,
            stuck,
        }
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.release.wait();
        self.runtime.block_on(self.breakers.shutdown());
    }
}

fn fail(breaker: &Breaker) -> Result<(), CallError<&'static str>> {
    breaker.run(|| Err("down"))
}

/// A policy that says when it is asked, and answers when it is released.
fn wait<const TEST: usize>(_: &Counts) -> bool {
    let [asked, release] = &BARRIERS[TEST];
    asked.wait();
    release.wait();
    true
}

const HOUR: Duration = Duration::from_secs(3_600);

static BARRIERS: [[Barrier; 2]; 6] = [const { [Barrier::new(2), Barrier::new(2)] }; 6];

#[test]
fn r26_a_policy_that_does_not_answer_keeps_nobody_from_looking() {
    let place = Stuck::new::<0>();
    let snapshots = assert_ready!(task::spawn(place.breakers.snapshots()).poll());
    let failures = |nth: usize| snapshots[nth].counts.failures;
    assert_eq!((failures(0), failures(1)), (0, 1), "of other, and of stuck");
    assert_eq!(snapshots[1].state, State::Closed);
    let snapshot = assert_ready!(task::spawn(place.stuck.snapshot()).poll());
    assert_eq!(snapshot.counts.failures, 1);
}

#[test]
fn r26_breakers_come_and_go_while_one_that_is_stuck_is_removed() {
    let place = Stuck::new::<1>();
    let mut removal = task::spawn(place.breakers.remove("stuck"));
    assert!(removal.poll().is_pending());
    let found = assert_ready!(task::spawn(place.breakers.breaker("other", CONFIG)).poll());
    let other = found.unwrap();
    for _ in 0..2 {
        assert_eq!(fail(&other), Err(CallError::Failed("down")));
    }
    assert_eq!(other.state(), State::Open);
    assert!(matches!(fail(&other), Err(CallError::Rejected(_))));
    place.runtime.block_on(async {
        place.breakers.breaker("new", CONFIG).await.unwrap();
        assert!(place.breakers.remove("other").await.is_some());
        assert_eq!(place.breakers.snapshots().await.len(), 1, "of new");
    });
    assert!(!removal.is_woken(), "its policy has not answered");
    drop(removal);
}

#[test]
fn r26_a_box_ends_though_an_owner_is_stuck() {
    let place = Stuck::new::<2>();
    let report = place.runtime.block_on(place.breakers.shutdown());
    let stuck: Vec<_> = report.unclean().map(|it| &*it.child).collect();
    assert_eq!(stuck, ["stuck"], "its policy has not answered");
    assert_eq!(report.stopped.len(), 2);
    assert_eq!(
        place
            .stuck
            .try_acquire()
            .map(drop)
            .map_err(|it| it.reason()),
        Ok(()),
        "orphaned, it admits"
    );
    let snapshot = assert_ready!(task::spawn(place.stuck.snapshot()).poll());
    assert_eq!(snapshot.orphaned, Some(Orphaned::Admit));
}

/// An owner that comes back from its policy when its breaker is orphaned changes
/// nothing any more.
#[test]
fn r26_an_owner_that_was_deciding_when_it_was_given_up_decides_nothing() {
    let place = Stuck::new::<3>();
    place.runtime.block_on(place.breakers.remove("stuck"));
    let breaker = place.stuck.clone();
    let mut events = breaker.events();
    drop(place);
    let snapshot = assert_ready!(task::spawn(breaker.snapshot()).poll());
    assert_eq!(
        (snapshot.state, snapshot.orphaned),
        (State::Closed, Some(Orphaned::Admit))
    );
    assert!(breaker.try_acquire().is_ok());
    assert!(assert_ready!(task::spawn(events.next()).poll()).is_none());
}

#[test]
fn r18_an_owner_that_comes_back_tells_nothing_after_the_end() {
    let place = Stuck::new::<4>();
    let breaker = place.stuck.clone();
    let mut events = [breaker.events(), place.breakers.events()];
    place.runtime.block_on(place.breakers.remove("stuck"));
    for events in &mut events {
        let told = place.runtime.block_on(events.next());
        assert!(matches!(told, Some(Event::Orphaned { .. })), "{told:?}");
    }
    assert!(assert_ready!(task::spawn(events[0].next()).poll()).is_none());
    // Its policy answers, and the box ends.
    drop(place);
    for events in &mut events {
        let told = assert_ready!(task::spawn(events.next()).poll());
        let is_others = told
            .as_ref()
            .is_none_or(|event| event.breaker() == Some("other"));
        assert!(is_others, "{told:?}");
    }
}

#[test]
fn r26_a_command_to_a_stuck_owner_says_so_and_is_carried_out_once_it_is_back() {
    let undriven = Builder::new_current_thread().enable_all().build().unwrap();
    let breakers = undriven.block_on(BreakerBox::start("test")).unwrap();
    let breaker = undriven
        .block_on(breakers.breaker("stuck", CONFIG))
        .unwrap();
    let mut events = breaker.events();
    // The owner is never polled, and a second of its callers is over at once.
    let mut callers = Builder::new_current_thread();
    let callers = callers.enable_all().start_paused(true).build().unwrap();
    let other = CONFIG.probes(7);
    callers.block_on(async {
        for word in [
            Override::forced_closed("first"),
            Override::forced_open("second"),
        ] {
            assert_eq!(breaker.force(word).await, Err(CommandError::Stuck));
        }
        assert_eq!(breaker.reset().await, Err(CommandError::Stuck));
        for config in [CONFIG.probes(8), other] {
            let changed = breaker.reconfigure(config).await;
            assert_eq!(changed, Err(CommandError::Stuck));
        }
    });
    assert_eq!(breaker.state(), State::Closed);
    let told = undriven.block_on(async {
        let mut told = Vec::new();
        while told.len() < 3 {
            told.push(events.next().await.unwrap());
        }
        assert_eq!(breaker.release().await, Ok(()), "it is back");
        told
    });
    let [
        Event::Overridden { word, .. },
        Event::Changed { .. },
        Event::Reconfigured { .. },
    ] = &told[..]
    else {
        panic!("only the last one of each kind, in their order: {told:?}");
    };
    assert_eq!(word.as_ref().map(Override::forced), Some(Forced::Open));
    assert_eq!(undriven.block_on(breaker.snapshot()).config, other);
    undriven.block_on(breakers.shutdown());
    assert_eq!(
        callers.block_on(breaker.reset()),
        Err(CommandError::Stopped)
    );
}

#[test]
fn r26_news_that_a_stuck_owner_has_not_told_are_counted_beyond_the_latest() {
    const ROUNDS: u64 = 1_000;
    let undriven = Builder::new_current_thread().enable_all().build().unwrap();
    let breakers = undriven.block_on(BreakerBox::start("test")).unwrap();
    let breaker = undriven
        .block_on(breakers.breaker("stuck", CONFIG))
        .unwrap();
    let mut events = breaker.events();
    let mut callers = Builder::new_current_thread();
    let callers = callers.enable_all().start_paused(true).build().unwrap();
    callers.block_on(async {
        for _ in 0..ROUNDS {
            while fail(&breaker) == Err(CallError::Failed("down")) {}
            let rejected = breaker.try_acquire().unwrap_err();
            advance(rejected.retry_after().unwrap()).await;
        }
    });
    // The first opening, and each time HalfOpen and Open.
    let all = 2 * ROUNDS - 1;
    undriven.block_on(async {
        let Some(Event::Missed { events: missed }) = events.next().await else {
            panic!("some are missed");
        };
        assert!(missed > 0 && missed < all);
        for _ in missed..all {
            let told = events.next().await;
            assert!(matches!(told, Some(Event::Changed { .. })), "{told:?}");
        }
        breakers.shutdown().await;
        let last = events.next().await;
        assert!(matches!(last, Some(Event::Orphaned { .. })), "{last:?}");
    });
}

/// A waker of the user's that panics when it is woken and when it is dropped.
struct Bad;

impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("woken");
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

/// What one may wait for at a breaker.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Command,
    Decision,
    Event,
    Ready,
}

impl Wait {
    async fn for_it(self, breaker: Breaker) {
        match self {
            Self::Command => breaker.release().await.unwrap(),
            Self::Decision => breaker.try_acquire().unwrap().failure().await,
            Self::Event => drop(breaker.events().next().await),
            Self::Ready => breaker.ready().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r26_a_waker_that_panics_costs_nobody_else_a_wake_up() {
    for wait in [Wait::Command, Wait::Decision, Wait::Event, Wait::Ready] {
        let breakers = BreakerBox::start("test").await.unwrap();
        let config = CONFIG.trip_on(TripPolicy::custom(|_| false));
        let breaker = breakers.breaker("peer", config).await.unwrap();
        if let Wait::Ready = wait {
            let word = Override::forced_open("test").expires_after(HOUR);
            breaker.force(word).await.unwrap();
        }
        let bad = Waker::from(Arc::new(Bad));
        let mut first = Box::pin(wait.for_it(breaker.clone()));
        let polled = first.as_mut().poll(&mut Context::from_waker(&bad));
        assert!(polled.is_pending(), "{wait:?}");
        let mut second = task::spawn(wait.for_it(breaker.clone()));
        assert!(second.poll().is_pending(), "{wait:?}");
        drop(bad);
        if let Wait::Event | Wait::Ready = wait {
            breaker.release().await.unwrap();
        }
        while !second.is_woken() {
            tokio::task::yield_now().await;
        }
        let snapshot = breaker.snapshot().await;
        assert_eq!(snapshot.incarnation, 1, "{wait:?}: the owner goes on");
        drop(first);
        breakers.shutdown().await;
    }
}

/// Callers outside of tokio use no timers of a runtime that the user's code blocks.
#[test]
fn r26_an_owner_that_is_stuck_delays_no_caller_outside_of_tokio() {
    let [asked, release] = &BARRIERS[5];
    let breakers = BreakerBoxSpec::new("test").own_thread().start_blocking();
    let breakers = breakers.unwrap();
    let config = CONFIG.trip_on(TripPolicy::custom(wait::<5>));
    let stuck = breakers.breaker_blocking("stuck", config).unwrap();
    let brief = CONFIG.call_timeout(Duration::from_millis(1));
    let other = breakers.breaker_blocking("other", brief).unwrap();
    assert_eq!(fail(&stuck), Err(CallError::Failed("down")));
    asked.wait();
    let found = breakers.breaker_blocking("other", brief).unwrap();
    assert_eq!(found.name(), "other");
    let hangs = pending::<Result<(), &str>>();
    let given_up = block_on(other.call(hangs));
    assert!(matches!(given_up, Err(CallError::TimedOut(_))));
    assert_eq!(block_on(stuck.reset()), Err(CommandError::Stuck));
    release.wait();
    block_on(breakers.shutdown());
    // Nor do they need it once it has ended.
    let given_up = block_on(other.call(pending::<Result<(), &str>>()));
    assert!(matches!(given_up, Err(CallError::TimedOut(_))));
}
