use super::{From, Row, blocking, futures};
use crate::guards::{AsyncRecloser, Boxed, ByHand, Shape};
use crate::stopwatch;
use crate::work::{Fails, FiveThenOne, OneInFour};

pub(super) fn add(rows: &mut Vec<Row>) {
    let (row, rate) = (Shape::SixInARow, Shape::HalfOfTwenty);
    blocking::<FiveThenOne>(rows, "Failing: 5 of 6, six in a row open it", HERE, row);
    blocking::<OneInFour>(rows, "Failing: 1 of 4, half of twenty open it", HERE, rate);
    futures::<FiveThenOne>(rows, "Failing: 5 of 6, `call`", HERE, row);
    futures::<OneInFour>(rows, "Failing: 1 of 4, `call`", HERE, rate);
    // Who fails when is up to the scheduler, so no run of six may open these.
    futures::<OneInFour>(rows, "Failing: 1 of 4, 64 callers", From::Tasks(64), rate);
    add_burning(rows);
    add_reported(rows);
}

fn add_burning(rows: &mut Vec<Row>) {
    rows.push(Row {
        group: BURNING,
        measure: Box::new(|shop, span| {
            let guard = Boxed(shop.custom());
            stopwatch::one_by_one::<Fails>(shop.runtime(), span, &guard).into()
        }),
        names: ["median", "p99"]
            .map(|part| format!("every call, {part}"))
            .into(),
    });
    rows.push(Row::future::<Fails, _>(
        BURNING,
        "every call, 64 callers, amortised",
        MANY,
        |shop| Boxed(shop.custom()),
    ));
}

fn add_reported(rows: &mut Vec<Row>) {
    let (last, group) = (
        Shape::LastHundred,
        "Reported, not barred: 1 of 4 fails, amortised",
    );
    rows.push(Row::blocking::<OneInFour, _>(
        group,
        "last 100, permit",
        HERE,
        move |shop| ByHand(shop.breaker(last)),
    ));
    rows.push(Row::future::<OneInFour, _>(
        group,
        "last 100, `call`",
        ONE,
        move |shop| Boxed(shop.breaker(last)),
    ));
    rows.push(Row::future::<OneInFour, _>(
        group,
        "last 100, recloser",
        ONE,
        move |_| AsyncRecloser::new(last),
    ));
    rows.push(Row::future::<OneInFour, _>(
        group,
        "last 100, 64 callers",
        MANY,
        move |shop| Boxed(shop.breaker(last)),
    ));
    rows.push(Row::future::<OneInFour, _>(
        group,
        "custom, `call`",
        ONE,
        |shop| Boxed(shop.custom()),
    ));
}

const BURNING: &str = "A failure that burns the fuse";
const HERE: From = From::Here;
const ONE: From = From::Tasks(1);
const MANY: From = From::Tasks(64);
