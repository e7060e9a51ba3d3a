use std::hint::black_box;

use super::{From, Row};
use crate::guards::{InPool, Picks};
use crate::stopwatch;
use crate::work::Works;

pub(super) fn add(rows: &mut Vec<Row>) {
    rows.push(Row::one(PICK, "bare loop", |_, span| {
        stopwatch::alone::<Works>(span, black_box)
    }));
    for endpoints in [10, 1_000] {
        let name = format!("breakerbox, of {endpoints} endpoints");
        rows.push(Row::blocking::<Works, _>(
            PICK,
            &name,
            From::Here,
            move |_| Picks::of(endpoints),
        ));
    }
    for endpoints in [10, 1_000] {
        let name = format!("breakerbox, `call`, {endpoints} endpoints");
        rows.push(Row::future::<Works, _>(
            CALL,
            &name,
            From::Here,
            move |shop| InPool(shop.pool(endpoints)),
        ));
    }
}

const CALL: &str = "Pool, a call";
const PICK: &str = "Pool, a pick";
