use super::{From, Row, blocking, futures};
use crate::guards::{Boxed, Shape};
use crate::table::{ONE_TASK, ONE_THREAD, TWO_TASKS, TWO_THREADS};
use crate::work::Works;

pub(super) fn add(rows: &mut Vec<Row>) {
    let shape = Shape::LastHundred;
    blocking::<Works>(rows, ONE_THREAD, From::Here, shape);
    futures::<Works>(rows, "Closed, `call` of a ready future", From::Here, shape);
    blocking::<Works>(rows, TWO_THREADS, From::TwoThreads, shape);
    for (group, tasks) in [(ONE_TASK, 1), (TWO_TASKS, 2)] {
        futures::<Works>(rows, group, From::Tasks(tasks), shape);
        rows.push(Row::future::<Works, _>(
            group,
            "breakerbox, `call`, six in a row",
            From::Tasks(tasks),
            |shop| Boxed(shop.breaker(Shape::InARow(6))),
        ));
    }
}
