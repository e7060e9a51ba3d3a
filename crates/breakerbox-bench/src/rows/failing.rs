use super::{From, Row, blocking, futures};
use crate::guards::{AsyncRecloser, Boxed, ByHand, Judge, Judged, Shape};
use crate::stopwatch;
use crate::work::{Fails, FiveThenOne, OneInFour};

pub(super) fn add(rows: &mut Vec<Row>) {
    let (row, rate) = (Shape::InARow(6), Shape::HalfOfTwenty);
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
    for (who, kind) in [
        ("the built-in signals", Judge::BuiltIn),
        ("a custom policy", Judge::Custom),
    ] {
        rows.push(Row {
            group: BURNING,
            labels: ["median", "p99"]
                .map(|part| format!("judged by {who}, {part}").into())
                .into(),
            measure: Box::new(move |shop, span| {
                let guard = Judged(shop.judged_by(kind));
                stopwatch::one_by_one::<Fails>(shop.runtime(), span, &guard).into()
            }),
        });
        rows.push(Row::future::<Fails, _>(
            BURNING,
            &format!("judged by {who}, 64 callers, amortised"),
            MANY,
            move |shop| Judged(shop.judged_by(kind)),
        ));
    }
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
        |shop| Boxed(shop.judged_by(Judge::Custom)),
    ));
}

const BURNING: &str = "A failure that burns the fuse";
const HERE: From = From::Here;
const ONE: From = From::Tasks(1);
const MANY: From = From::Tasks(64);
