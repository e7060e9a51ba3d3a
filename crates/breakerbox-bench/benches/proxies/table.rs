use std::fmt::Write;
use std::time::Duration;

use crate::load::{Saturated, Steady};
use crate::proxy::Kind;

/// What was measured of one proxy, a value for each round.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) saturated: Vec<Saturated>,
    pub(crate) steady: Vec<Steady>,
}

impl Row {
    pub(crate) fn of_all() -> Vec<(Kind, Self)> {
        [Kind::Direct, Kind::Nginx, Kind::Bare, Kind::Gateway]
            .map(|kind| (kind, Self::default()))
            .into()
    }

    pub(crate) fn of_proxies() -> Vec<(Kind, Self)> {
        [Kind::Nginx, Kind::Gateway]
            .map(|kind| (kind, Self::default()))
            .into()
    }

    fn speed(&self) -> [f64; 4] {
        let saturated = || self.saturated.iter();
        [
            median(saturated().map(|it| it.a_second)),
            median(saturated().map(|it| millis(it.processor) * 1e3)),
            median(saturated().map(|it| millis(it.p99))),
            median(self.steady.iter().map(|it| millis(it.p99))),
        ]
    }
}

/// How fast each is, and how that compares with nginx.
pub(crate) fn of_speed(rows: &[(Kind, Row)], rate: u32) -> String {
    let mut page = format!(
        "| | requests a second | of nginx's | p99, ms | processor, us each \
         | of hyper's | p99 at {rate} a second, ms | of nginx's |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    let speed_of = |wanted| {
        let row = rows.iter().find(|(kind, _)| *kind == wanted);
        row.map_or([f64::NAN; 4], |(_, row)| row.speed())
    };
    let (of_nginx, of_hyper) = (speed_of(Kind::Nginx), speed_of(Kind::Bare));
    for (kind, row) in rows {
        let ([a_second, processor, p99, steady], name) = (row.speed(), kind.name());
        let (more, longer) = (a_second / of_nginx[0], steady / of_nginx[3]);
        let dearer = processor / of_hyper[1];
        let line = format!(
            "| {name} | {a_second:.0} | {more:.2} | {p99:.2} | {processor:.1} | {dearer:.2} \
             | {steady:.2} | {longer:.2} |"
        );
        writeln!(page, "{line}").expect("a string takes all");
    }
    page
}

/// What the clients of each notice of a trouble.
pub(crate) fn of_trouble(rows: &[(Kind, Row)]) -> String {
    let mut page = "| | requests | failed, all rounds | p99, ms | longest, ms |\n\
                    |---|---:|---:|---:|---:|\n"
        .to_owned();
    for (kind, row) in rows {
        let steady = || row.steady.iter();
        let requests: u64 = steady().map(|it| it.requests).sum();
        let failed: u64 = steady().map(|it| it.failed).sum();
        let p99 = median(steady().map(|it| millis(it.p99)));
        let most = median(steady().map(|it| millis(it.most)));
        let name = kind.name();
        writeln!(
            page,
            "| {name} | {requests} | {failed} | {p99:.2} | {most:.0} |"
        )
        .expect("a string takes all");
    }
    page
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
