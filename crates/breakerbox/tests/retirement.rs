//! R27: a box forgets nothing that counts, and keeps nothing for ever.

#![cfg(test)]

use std::time::Duration;

use breakerbox::{
    Backoff, Breaker, BreakerBox, BreakerBoxSpec, BreakerConfig, BreakerError, Override, Ratio,
    State, TripPolicy, Window,
};
use tokio::task::yield_now;
use tokio::time::advance;

/// Opens at 50 % of at least 40 within a minute, for a second.
const CONFIG: BreakerConfig = BreakerConfig::new()
    .window(Window::rolling(MINUTE, 6))
    .trip_on(TripPolicy::failure_rate(Ratio::percent(50), 40))
    .open_for(Backoff::fixed(SECOND))
    .healthy_span(SECOND);

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

async fn hosts(maximum: usize, idle: Option<Duration>) -> BreakerBox {
    let spec = BreakerBoxSpec::new("hosts").maximum(maximum);
    let spec = match idle {
        Some(idle) => spec.retire_idle_after(idle),
        None => spec,
    };
    spec.start().await.unwrap()
}

/// Asks for a breaker and keeps no handle.
async fn visit(breakers: &BreakerBox, name: &str) {
    breakers.breaker(name, CONFIG).await.unwrap();
}

async fn names(breakers: &BreakerBox) -> Vec<String> {
    let snapshots = breakers.snapshots().await.into_iter();
    snapshots.map(|breaker| breaker.name.to_string()).collect()
}

/// Lets time pass in small steps, in which everybody has their turn.
async fn pass(span: Duration) {
    for _ in 0..20 {
        advance(span / 20).await;
        for _ in 0..20 {
            yield_now().await;
        }
    }
}

fn fail(breaker: &Breaker) {
    drop(breaker.try_acquire().unwrap().failure());
}

fn open(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        fail(breaker);
    }
}

/// What somebody does with a breaker before its box is left alone for an hour.
type Use = fn(Breaker) -> Box<dyn std::any::Any>;

#[tokio::test(start_paused = true)]
async fn r27_what_is_idle_is_retired_and_nothing_else() {
    let kept: [(&str, Use); 4] = [
        ("held", |breaker| Box::new(breaker)),
        ("permit", |breaker| {
            Box::new(breaker.try_acquire_owned().unwrap())
        }),
        ("clone", |breaker| Box::new(breaker.clone())),
        ("forced", |breaker| Box::new(breaker.name().len())),
    ];
    let gone: [(&str, Use); 6] = [
        ("untouched", |_| Box::new(())),
        ("weak", |breaker| Box::new(breaker.downgrade())),
        ("events", |breaker| Box::new(breaker.events())),
        ("dead for good", |breaker| {
            open(&breaker);
            Box::new(())
        }),
        ("one failure", |breaker| {
            fail(&breaker);
            Box::new(())
        }),
        ("one of each", |breaker| {
            breaker.try_acquire().unwrap().success();
            fail(&breaker);
            Box::new(())
        }),
    ];
    let breakers = hosts(usize::MAX, Some(MINUTE)).await;
    let mut held = Vec::new();
    for (name, use_it) in kept.iter().chain(&gone) {
        let breaker = breakers.breaker(*name, CONFIG).await.unwrap();
        if *name == "forced" {
            breaker.force(Override::forced_open("test")).await.unwrap();
        }
        held.push(use_it(breaker));
    }
    pass(10 * MINUTE).await;
    assert_eq!(
        names(&breakers).await,
        ["clone", "forced", "held", "permit"]
    );
    drop(held);
    pass(10 * MINUTE).await;
    assert_eq!(
        names(&breakers).await,
        ["forced"],
        "an operator's word stays"
    );
}

#[tokio::test(start_paused = true)]
async fn r27_evidence_in_the_window_keeps_a_breaker() {
    // Nobody holds it between two calls, and idle is what is left alone for a second.
    let breakers = hosts(usize::MAX, Some(SECOND)).await;
    let mut made = 0;
    let opened = loop {
        made += 1;
        assert!(made <= 80, "it fails every other time");
        let breaker = breakers.breaker("half failing", CONFIG).await.unwrap();
        if made % 2 == 0 {
            breaker.try_acquire().unwrap().success();
        } else {
            fail(&breaker);
        }
        if breaker.state() == State::Open {
            break made;
        }
        drop(breaker);
        pass(Duration::from_millis(1_100)).await;
    };
    assert_eq!(opened, 41, "20 of 40 successes do not fail");
}

#[tokio::test(start_paused = true)]
async fn r27_the_one_that_was_used_least_recently_makes_room() {
    let breakers = hosts(3, None).await;
    for name in ["a", "b", "c"] {
        visit(&breakers, name).await;
    }
    visit(&breakers, "a").await;
    visit(&breakers, "d").await;
    assert_eq!(names(&breakers).await, ["a", "c", "d"]);

    let held = breakers.find("c").unwrap();
    visit(&breakers, "e").await;
    assert_eq!(names(&breakers).await, ["c", "d", "e"], "c is held");
    drop(held);

    let (used, other) = (breakers.find("d").unwrap(), breakers.find("e").unwrap());
    pass(SECOND).await;
    used.try_acquire().unwrap().success();
    drop((used, other));
    pass(2 * MINUTE).await;
    visit(&breakers, "f").await;
    visit(&breakers, "g").await;
    assert_eq!(
        names(&breakers).await,
        ["d", "f", "g"],
        "d was used through a handle"
    );
}

#[tokio::test(start_paused = true)]
async fn r27_what_is_in_use_or_has_evidence_makes_no_room() {
    let breakers = hosts(3, None).await;
    let held = breakers.breaker("held", CONFIG).await.unwrap();
    fail(&breakers.breaker("failed", CONFIG).await.unwrap());
    open(&breakers.breaker("open", CONFIG).await.unwrap());
    let full = breakers.breaker("another", CONFIG).await;
    assert_eq!(full.unwrap_err(), BreakerError::Full(3));
    // Open for a second, and then HalfOpen.
    pass(2 * SECOND).await;
    visit(&breakers, "another").await;
    assert_eq!(names(&breakers).await, ["another", "failed", "held"]);
    pass(2 * MINUTE).await;
    visit(&breakers, "one more").await;
    visit(&breakers, "and another").await;
    assert_eq!(names(&breakers).await, ["and another", "held", "one more"]);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn r27_made_up_names_never_keep_out_a_real_one() {
    let breakers = hosts(100, None).await;
    let real = breakers.breaker("real", CONFIG).await.unwrap();
    for round in 0..1_000 {
        visit(&breakers, &format!("made up {round}")).await;
    }
    visit(&breakers, "another real one").await;
    assert_eq!(names(&breakers).await.len(), 100);
    let same = breakers.find("real").unwrap();
    open(&real);
    assert_eq!(same.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn r27_any_span_will_do() {
    for span in [Duration::from_nanos(1), SECOND, Duration::MAX] {
        let breakers = hosts(usize::MAX, Some(span)).await;
        visit(&breakers, "idle").await;
        pass(10 * SECOND).await;
        let is_kept = span == Duration::MAX;
        assert_eq!(breakers.find("idle").is_some(), is_kept, "{span:?}");
        breakers.shutdown().await;
    }
}
