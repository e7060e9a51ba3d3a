use std::hint::black_box;
use std::time::Instant;

use super::{From, Row};
use crate::guards::{
    AsyncGuard, AsyncRecloser, Boxed, ByHand, CircuitbreakerRs, Failsafe, Guard, Hinted, Nobreak,
    Recloser, Shape, Shop, TowerResilience,
};
use crate::stopwatch;
use crate::work::Works;

pub(super) fn add(rows: &mut Vec<Row>) {
    rows.push(Row::one(SYNC, "bare loop", |_, span| {
        stopwatch::alone::<Works>(span, black_box)
    }));
    rows.push(Row::one(SYNC, "a reading of the clock", |_, span| {
        let then = Instant::now();
        stopwatch::alone::<Works>(span, |_| Instant::now() > then)
    }));
    rows.push(Row::blocking::<Works, _>(
        SYNC,
        "breakerbox, `try_acquire`",
        HERE,
        |shop| ByHand(shop.open()),
    ));
    rows.push(Row::blocking::<Works, _>(
        SYNC,
        "breakerbox, forced open",
        HERE,
        |shop| ByHand(shop.forced_open()),
    ));
    rows.push(Row::blocking::<Works, _>(
        SYNC,
        "breakerbox, HalfOpen with all places taken",
        HERE,
        |shop| ByHand(shop.half_open()),
    ));
    rows.push(Row::blocking::<Works, _>(
        SYNC,
        "breakerbox, `run`",
        HERE,
        |shop| Boxed(shop.open()),
    ));
    rows.push(Row::blocking::<Works, _>(
        SYNC,
        "breakerbox, with `retry_after`",
        HERE,
        |shop| Hinted(shop.open()),
    ));
    rows.push(blocking("recloser", || Recloser::new(Shape::InARow(6))));
    rows.push(blocking("failsafe", || Failsafe::new(Shape::InARow(6))));
    rows.push(blocking("nobreak", || Nobreak::in_a_row(6)));
    rows.push(blocking("circuitbreaker-rs", || {
        CircuitbreakerRs::new(Shape::InARow(6))
    }));
    rows.push(Row::future::<Works, _>(
        ASYNC,
        "breakerbox, `call`",
        HERE,
        |shop| Boxed(shop.open()),
    ));
    rows.push(future("recloser", || AsyncRecloser::new(Shape::InARow(6))));
    rows.push(future("failsafe", || Failsafe::new(Shape::InARow(6))));
    rows.push(future("nobreak", || Nobreak::in_a_row(6)));
    rows.push(future("circuitbreaker-rs", || {
        CircuitbreakerRs::new(Shape::InARow(6))
    }));
    rows.push(future("tower-resilience", || {
        TowerResilience::new(Shape::InARow(6))
    }));
}

/// A peer's rejection, once it has opened.
fn blocking<G: Guard>(name: &str, make: impl Fn() -> G + 'static) -> Row {
    Row::blocking::<Works, G>(SYNC, name, HERE, move |_| {
        let guard = make();
        (0..MANY).for_each(|_| {
            guard.run(true);
        });
        assert!(!guard.run(false), "it is open");
        guard
    })
}

fn future<G: AsyncGuard>(name: &str, make: impl Fn() -> G + 'static) -> Row {
    Row::future::<Works, G>(ASYNC, name, HERE, move |shop: &Shop| {
        let mut guard = make();
        shop.runtime().block_on(async {
            for _ in 0..MANY {
                guard.call(true).await;
            }
            assert!(!guard.call(false).await, "it is open");
        });
        guard
    })
}

/// More than six: recloser opens with the call after its window is full.
const MANY: usize = 10;
const HERE: From = From::Here;
const SYNC: &str = "Open, rejection";
const ASYNC: &str = "Open, rejection of a future";
