use std::hint::black_box;

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
    rows.push(blocking("recloser", || Recloser::new(Shape::SixInARow)));
    rows.push(blocking("failsafe", || Failsafe::new(Shape::SixInARow)));
    rows.push(blocking("nobreak", Nobreak::six_in_a_row));
    rows.push(blocking("circuitbreaker-rs", || {
        CircuitbreakerRs::new(Shape::SixInARow)
    }));
    rows.push(Row::future::<Works, _>(
        ASYNC,
        "breakerbox, `call`",
        HERE,
        |shop| Boxed(shop.open()),
    ));
    rows.push(future("recloser", || AsyncRecloser::new(Shape::SixInARow)));
    rows.push(future("failsafe", || Failsafe::new(Shape::SixInARow)));
    rows.push(future("nobreak", Nobreak::six_in_a_row));
    rows.push(future("circuitbreaker-rs", || {
        CircuitbreakerRs::new(Shape::SixInARow)
    }));
    rows.push(future("tower-resilience", || {
        TowerResilience::new(Shape::SixInARow)
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
