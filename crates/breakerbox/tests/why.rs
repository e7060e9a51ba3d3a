//! Why a breaker has opened: the kind and the text of the failure that led to it are in
//! its snapshot, in the event, and in the log.

#![cfg(test)]

use std::cell::RefCell;
use std::fmt;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerConfig, Event, Failure, FailureKind, Outcome, Reason,
    State, TripPolicy, Window,
};
use futures_util::FutureExt;
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
        let mut line = Line(format!("{} ", event.metadata().level()));
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
    let slow =
        TripPolicy::slow_rate(breakerbox::Ratio::percent(50), 2).or(TripPolicy::in_flight(3));
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
