//! What is measured: a row for each case, measured once a round.

use std::time::Duration;

use crate::guards::{
    AsyncGuard, AsyncRecloser, Bare, Boxed, ByHand, CircuitbreakerRs, Failsafe, Guard, Nobreak,
    Recloser, Shape, Shop, TowerResilience,
};
use crate::stopwatch;
use crate::table::Label;
use crate::work::Pattern;

mod closed;
mod failing;
mod http;
mod open;
mod pool;
mod storm;
mod system;

pub use system::memory_of;

/// What measures a row for about as long as it is told.
pub type Measure = Box<dyn FnMut(&Shop, Duration) -> Vec<f64>>;

/// One case: a breaker made anew in each round, and what is done with it.
pub struct Row {
    /// The heading that it stands under.
    pub group: &'static str,
    /// What is measured.
    pub labels: Vec<Label>,
    /// Measures it once; a value for each of its labels.
    pub measure: Measure,
}

/// All of them, in the order of the table.
#[must_use]
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    closed::add(&mut rows);
    open::add(&mut rows);
    pool::add(&mut rows);
    http::add(&mut rows);
    failing::add(&mut rows);
    storm::add(&mut rows);
    system::add(&mut rows);
    rows
}

/// From where the calls come.
#[derive(Clone, Copy)]
enum From {
    /// The thread of the benchmark.
    Here,
    /// So many tasks on both workers.
    Tasks(usize),
    /// Two threads.
    TwoThreads,
}

impl Row {
    fn one(
        group: &'static str,
        name: &str,
        mut measure: impl FnMut(&Shop, Duration) -> f64 + 'static,
    ) -> Self {
        Self {
            group,
            measure: Box::new(move |shop, span| vec![measure(shop, span)]),
            labels: vec![name.to_owned().into()],
        }
    }

    fn blocking<P: Pattern, G: Guard>(
        group: &'static str,
        name: &str,
        from: From,
        make: impl Fn(&Shop) -> G + 'static,
    ) -> Self {
        Self::one(group, name, move |shop, span| {
            let guard = make(shop);
            match from {
                From::TwoThreads => stopwatch::two_threads::<P>(span, &guard),
                From::Here | From::Tasks(_) => {
                    stopwatch::alone::<P>(span, |fails| guard.run(fails))
                }
            }
        })
    }

    fn future<P: Pattern, G: AsyncGuard>(
        group: &'static str,
        name: &str,
        from: From,
        make: impl Fn(&Shop) -> G + 'static,
    ) -> Self {
        Self::one(group, name, move |shop, span| {
            let mut guard = make(shop);
            let runtime = shop.runtime();
            match from {
                From::Tasks(tasks) => stopwatch::tasks::<P>(runtime, span, tasks, &guard),
                From::Here | From::TwoThreads => stopwatch::awaited::<P>(runtime, span, &mut guard),
            }
        })
    }
}

/// Everybody's blocking call, in one shape.
fn blocking<P: Pattern>(rows: &mut Vec<Row>, group: &'static str, from: From, shape: Shape) {
    rows.push(Row::blocking::<P, _>(group, "bare call", from, |_| Bare));
    rows.push(Row::blocking::<P, _>(
        group,
        "breakerbox, permit",
        from,
        move |shop| ByHand(shop.breaker(shape)),
    ));
    rows.push(Row::blocking::<P, _>(
        group,
        "breakerbox, `run`",
        from,
        move |shop| Boxed(shop.breaker(shape)),
    ));
    rows.push(Row::blocking::<P, _>(group, "recloser", from, move |_| {
        Recloser::new(shape)
    }));
    rows.push(Row::blocking::<P, _>(group, "failsafe", from, move |_| {
        Failsafe::new(shape)
    }));
    rows.push(Row::blocking::<P, _>(group, "nobreak", from, |_| {
        Nobreak::in_a_row(6)
    }));
    rows.push(Row::blocking::<P, _>(
        group,
        "circuitbreaker-rs",
        from,
        move |_| CircuitbreakerRs::new(shape),
    ));
}

/// Everybody's async call, in one shape.
fn futures<P: Pattern>(rows: &mut Vec<Row>, group: &'static str, from: From, shape: Shape) {
    rows.push(Row::future::<P, _>(group, "bare await", from, |_| Bare));
    rows.push(Row::future::<P, _>(
        group,
        "breakerbox, `call`",
        from,
        move |shop| Boxed(shop.breaker(shape)),
    ));
    rows.push(Row::future::<P, _>(group, "recloser", from, move |_| {
        AsyncRecloser::new(shape)
    }));
    rows.push(Row::future::<P, _>(group, "failsafe", from, move |_| {
        Failsafe::new(shape)
    }));
    rows.push(Row::future::<P, _>(group, "nobreak", from, |_| {
        Nobreak::in_a_row(6)
    }));
    rows.push(Row::future::<P, _>(
        group,
        "circuitbreaker-rs",
        from,
        move |_| CircuitbreakerRs::new(shape),
    ));
    rows.push(Row::future::<P, _>(
        group,
        "tower-resilience",
        from,
        move |_| TowerResilience::new(shape),
    ));
}
