//! Why a breaker has opened: the kind and the text of the failure that led to it are in
//! its snapshot, in the event, and in the log.

#![cfg(test)]

use std::cell::RefCell;
use std::fmt;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::task::Poll;
use std::time::Duration;

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, ChildSpec, Endpoint, Event, Failure, FailureKind,
    Judgement, Outcome, PoolConfig, Ratio, Reason, State, TripPolicy, Window,
};
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::advance;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

/// Opens on the second failure in a row.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::unbounded())
    .trip_on(TripPolicy::consecutive_failures(2))
    .open_for(Backoff::fixed(OPEN_FOR))
    .call_timeout(LIMIT);

const LIMIT: Duration = Duration::from_secs(1);
const OPEN_FOR: Duration = Duration::from_secs(10);
const DNS: FailureKind = FailureKind::named("dns");

/// Keeps the lines that are logged, for each thread.
///
/// It is there for all threads: whether anybody listens is known of each line of code,
/// not of each thread.
struct Log;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    fn start() {
        static START: Once = Once::new();
        START.call_once(|| tracing::subscriber::set_global_default(Self).unwrap());
    }

    /// What was logged on this thread since it was last asked, of lines with this text.
    fn take(text: &str) -> Vec<String> {
        let lines = LINES.take().into_iter();
        lines.filter(|line| line.contains(text)).collect()
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let about = event.metadata();
        let mut line = Line(format!("{} {} ", about.level(), about.target()));
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

const CHANGED: &str = "breaker changed state";

/// A way for a call to fail, and what is known of it then.
type Way = (
    &'static str,
    fn(&Breaker) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>,
    Option<FailureKind>,
    Option<&'static str>,
);

const WAYS: [Way; 8] = [
    (
        "an error",
        |breaker| Box::pin(breaker.call(ready(Err::<(), _>("down"))).map(drop)),
        None,
        None,
    ),
    (
        "a plain failure",
        |breaker| Box::pin(async { breaker.try_acquire().unwrap().failure().await }),
        None,
        None,
    ),
    (
        "a timeout",
        |breaker| Box::pin(breaker.call(pending::<Result<(), ()>>()).map(drop)),
        Some(FailureKind::TIMEOUT),
        Some("it took longer than 1s"),
    ),
    (
        "a panic",
        |breaker| {
            Box::pin(async {
                let panics = || -> Result<(), ()> { panic!("on purpose") };
                assert!(catch_unwind(AssertUnwindSafe(|| breaker.run(panics))).is_err());
            })
        },
        Some(FailureKind::PANIC),
        None,
    ),
    (
        "a classifier that says the kind",
        |breaker| {
            let judge = |_: &Result<(), ()>| Outcome::failure_of(FailureKind::REFUSED);
            Box::pin(breaker.call_with(judge, ready(Err(()))).map(drop))
        },
        Some(FailureKind::REFUSED),
        None,
    ),
    (
        "a classifier that says it all",
        |breaker| {
            let judge = |_: &Result<(), ()>| Failure::of(DNS).text("no such host");
            Box::pin(breaker.call_with(judge, ready(Err(()))).map(drop))
        },
        Some(DNS),
        Some("no such host"),
    ),
    (
        "a permit, with a text alone",
        |breaker| {
            let failure = Failure::new().text("down");
            Box::pin(breaker.try_acquire().unwrap().settle(failure))
        },
        None,
        Some("down"),
    ),
    (
        "an owned permit",
        |breaker| {
            let failure = Failure::of(DNS).retry_after(LIMIT);
            Box::pin(breaker.try_acquire_owned().unwrap().settle(failure))
        },
        Some(DNS),
        None,
    ),
];

#[tokio::test(start_paused = true)]
async fn r11_an_opening_says_what_sort_of_failure_led_to_it() {
    Log::start();
    for (way, fail, kind, text) in WAYS {
        for probes in [false, true] {
            let breakers = BreakerBox::start("test").await.unwrap();
            let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
            // Of another kind, which is not the last one.
            breaker
                .try_acquire()
                .unwrap()
                .settle(Failure::of(DNS))
                .await;
            if probes {
                breaker.try_acquire().unwrap().failure().await;
                advance(OPEN_FOR).await;
                assert_eq!(breaker.state(), State::HalfOpen);
                breaker.snapshot().await;
                tokio::task::yield_now().await;
            }
            Log::take(CHANGED);
            let mut events = breaker.events();
            fail(&breaker).await;
            assert_eq!(breaker.state(), State::Open, "{way}");

            let last = breaker.snapshot().await.last_failure.unwrap();
            assert_eq!((last.kind, last.text.as_deref()), (kind, text), "{way}");
            let opened = loop {
                let Some(Event::Changed {
                    failure,
                    transition,
                    ..
                }) = events.next().await
                else {
                    panic!("{way}: it opens");
                };
                if transition.to == State::Open {
                    break failure;
                }
            };
            assert_eq!(opened, Some(last), "{way}");
            let lines = Log::take(CHANGED);
            let line = lines.last().unwrap();
            let shown = kind.map(|kind| format!("failure.kind=\"{kind}\""));
            assert!(shown.is_none_or(|it| line.contains(&it)), "{way}: {line}");
            let shown = text.map(|text| format!("failure.text=\"{text}\""));
            assert!(shown.is_none_or(|it| line.contains(&it)), "{way}: {line}");
            breakers.shutdown().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r11_an_opening_for_another_reason_blames_no_failure() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let slow = TripPolicy::slow_rate(Ratio::percent(50), 2).or(TripPolicy::in_flight(3));
    let config = CONFIG.slow_after(LIMIT / 2).trip_on(slow);
    for (reason, name) in [("slow", "slow"), ("in flight", "crowded")] {
        let breaker = breakers.breaker(name, config).await.unwrap();
        let mut events = breaker.events();
        breaker
            .try_acquire()
            .unwrap()
            .settle(Failure::of(DNS))
            .await;
        if name == "slow" {
            let permit = breaker.try_acquire().unwrap();
            advance(LIMIT).await;
            permit.success();
        } else {
            let permits: Vec<_> = (0..3).map(|_| breaker.try_acquire().unwrap()).collect();
            permits.into_iter().for_each(breakerbox::Permit::success);
        }
        assert_eq!(breaker.state(), State::Open, "{reason}");
        let Some(Event::Changed {
            failure,
            transition,
            ..
        }) = events.next().await
        else {
            panic!("{reason}");
        };
        assert!(matches!(transition.reason, Reason::Tripped(_)));
        assert_eq!(failure, None, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn r26_a_text_is_cut_to_what_a_breaker_may_keep() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let long = Failure::new().text("é".repeat(1_000));
    breaker.try_acquire().unwrap().settle(long).await;
    let last = breaker.snapshot().await.last_failure.unwrap();
    assert_eq!(last.text.unwrap().len(), 256);
}

#[tokio::test(start_paused = true)]
async fn r02_a_late_failure_is_not_the_last_one() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let straggler = breaker.try_acquire().unwrap();
    breaker.reset().await.unwrap();
    straggler.settle(Failure::of(DNS)).await;
    assert_eq!(breaker.snapshot().await.last_failure, None);
    assert_eq!(breaker.snapshot().await.late, 1);
}

/// Nothing guards its calls any more, which must not go unseen.
#[tokio::test(start_paused = true)]
async fn r40_a_breaker_that_is_in_use_warns_once_when_it_is_orphaned() {
    Log::start();
    for is_held in [false, true] {
        let breakers = BreakerBox::start("test").await.unwrap();
        let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
        let held = is_held.then_some(breaker);
        Log::take("");
        breakers.shutdown().await;
        breakers.shutdown().await;
        let warnings = Log::take("WARN");
        assert_eq!(warnings.len(), usize::from(is_held), "{warnings:?}");
        assert!(warnings.iter().all(|line| line.contains("peer")));
        drop(held);
    }
}

/// What the box itself holds is no use, and neither is a handle that goes in time.
#[tokio::test(start_paused = true)]
async fn r46_a_box_that_ends_warns_in_one_line_and_only_of_what_is_in_use() {
    Log::start();
    for (held, counts) in [
        ("nothing", None),
        ("a handle that goes as the box ends", None),
        ("two breakers", Some((2, 0))),
        ("the pool", Some((0, 1))),
        ("an endpoint's breaker", Some((1, 0))),
    ] {
        let breakers = BreakerBox::start("test").await.unwrap();
        let two = [
            breakers.breaker("one", CONFIG).await.unwrap(),
            breakers.breaker("two", CONFIG).await.unwrap(),
        ];
        let endpoints = ["eu", "us"].map(|name| Endpoint::new(name, ()));
        let pool = breakers.pool("pool", PoolConfig::new(), endpoints);
        let pool = pool.await.unwrap();
        let of_endpoint = pool.breaker("eu").unwrap();
        let two = (held == "two breakers").then_some(two);
        let of_endpoint = (held == "an endpoint's breaker").then_some(of_endpoint);
        let late = (held == "a handle that goes as the box ends").then(|| pool.clone());
        let pool = (held == "the pool").then_some(pool);
        if let Some(late) = late {
            let late = std::sync::Mutex::new(Some(late));
            let ends_late = ChildSpec::task("late", move |stop| {
                let late = late.lock().unwrap().take();
                async move {
                    stop.cancelled().await;
                    drop(late);
                    Ok::<_, std::convert::Infallible>(())
                }
            });
            breakers.supervisor().add(ends_late).await.unwrap();
        }
        Log::take("");
        breakers.shutdown().await;
        let lines = Log::take("breakerbox::");
        let loud = |line: &&String| line.starts_with("WARN") || line.starts_with("ERROR");
        let warnings: Vec<_> = lines.iter().filter(loud).collect();
        match (counts, &warnings[..]) {
            (None, []) => {}
            (Some((of_breakers, of_pools)), [line]) => {
                let fields = [
                    format!("breaker.count={of_breakers} "),
                    format!("pool.count={of_pools} "),
                ];
                assert!(fields.iter().all(|it| line.contains(it)), "{held}: {line}");
            }
            _ => panic!("{held}: {warnings:?}"),
        }
        drop((two, of_endpoint, pool));
    }
}

/// An endpoint that is taken out while only its pool has its breaker warns nobody.
#[tokio::test(start_paused = true)]
async fn r46_an_endpoint_that_is_removed_warns_nobody() {
    Log::start();
    let breakers = BreakerBox::start("test").await.unwrap();
    let endpoints = ["eu", "us"].map(|name| Endpoint::new(name, ()));
    let pool = breakers.pool("pool", PoolConfig::new(), endpoints);
    let pool = pool.await.unwrap();
    Log::take("");
    assert!(pool.remove("eu").await);
    assert_eq!(Log::take("WARN"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn r46_an_opening_is_a_warning_and_a_recovery_is_none() {
    Log::start();
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG.probes(1)).await.unwrap();
    Log::take("");
    for _ in 0..2 {
        breaker.try_acquire().unwrap().failure().await;
    }
    advance(OPEN_FOR).await;
    breaker
        .try_acquire()
        .unwrap()
        .settle(Outcome::Success)
        .await;
    breaker.snapshot().await;
    tokio::task::yield_now().await;
    let lines = Log::take(CHANGED);
    let levels: Vec<_> = lines.iter().filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(levels, ["WARN", "INFO", "INFO"], "{lines:?}");
    assert!(lines[0].contains("trip.reason"));
}

/// The user's own judgement, which panics when it is looked at.
struct Broken;

impl From<Broken> for Judgement {
    fn from(_: Broken) -> Self {
        panic!("on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn r03_a_judgement_that_panics_is_a_failure_and_takes_no_place_along() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let crowd = CONFIG.trip_on(TripPolicy::in_flight(50));
    let breaker = breakers.breaker("peer", crowd).await.unwrap();
    for _ in 0..2 {
        let call = breaker.call_with(|_: &Result<(), ()>| Broken, ready(Ok(())));
        assert!(AssertUnwindSafe(call).catch_unwind().await.is_err());
        let permit = breaker.try_acquire().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| permit.settle(Broken))).is_err());
    }
    let snapshot = breaker.snapshot().await;
    assert_eq!((snapshot.counts.failures, snapshot.in_flight), (4, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn r12_a_call_that_has_panicked_is_made_once() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let breaker = breakers.breaker("peer", CONFIG).await.unwrap();
    let call = breaker.call(poll_fn(|_| -> Poll<Result<(), ()>> {
        panic!("on purpose")
    }));
    let mut call = Box::pin(call);
    for _ in 0..3 {
        let polled = AssertUnwindSafe(call.as_mut()).catch_unwind().await;
        assert!(polled.is_err());
    }
    assert_eq!(breaker.snapshot().await.counts.failures, 1);
}

/// A success that is slow may complete the evidence, and then no failure has.
#[tokio::test(start_paused = true)]
async fn r11_an_opening_blames_only_the_failure_that_it_is_about() {
    let breakers = BreakerBox::start("test").await.unwrap();
    let slow = TripPolicy::slow_rate(Ratio::percent(100), 50);
    let of_two = TripPolicy::failure_rate(Ratio::percent(50), 2).or(slow);
    let custom = TripPolicy::custom(|counts| counts.slow == 1).or(slow);
    for (name, policy) in [("rate", of_two), ("custom", custom)] {
        let config = CONFIG.slow_after(LIMIT / 2).trip_on(policy);
        let breaker = breakers.breaker(name, config).await.unwrap();
        let mut events = breaker.events();
        breaker
            .try_acquire()
            .unwrap()
            .settle(Failure::of(DNS))
            .await;
        let permit = breaker.try_acquire().unwrap();
        advance(LIMIT).await;
        permit.settle(Outcome::Success).await;
        assert_eq!(breaker.state(), State::Open, "{name}");
        let Some(Event::Changed { failure, .. }) = events.next().await else {
            panic!("{name}: it opens");
        };
        assert_eq!(failure, None, "{name}: by a slow success");
    }
    // Both are entered before the owner asks about the first.
    let first = TripPolicy::custom(|counts| counts.failures == 1);
    let config = CONFIG.trip_on(first);
    let breaker = breakers.breaker("first", config).await.unwrap();
    let mut events = breaker.events();
    let permits = [(); 2].map(|()| breaker.try_acquire().unwrap());
    let texts = ["first", "second"].into_iter();
    let settled = permits
        .into_iter()
        .zip(texts)
        .map(|(permit, text)| permit.settle(Failure::new().text(text)));
    join_all(settled.collect::<Vec<_>>()).await;
    let Some(Event::Changed { failure, .. }) = events.next().await else {
        panic!("it opens");
    };
    assert_eq!(failure.unwrap().text.as_deref(), Some("first"));
}
