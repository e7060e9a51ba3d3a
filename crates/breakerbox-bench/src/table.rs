//! What was measured, as the table that the documentation shows.

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::Hash;

/// What a value is called in its group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label {
    /// The column that it stands in, where there are several.
    pub column: Option<String>,
    /// What was measured.
    pub name: String,
}

impl From<String> for Label {
    fn from(name: String) -> Self {
        Self { column: None, name }
    }
}

/// The values of one row, one for each round, and where it stands.
#[derive(Clone, Debug)]
pub struct Series {
    /// The heading that it stands under.
    pub group: &'static str,
    /// What was measured.
    pub label: Label,
    /// A value for each round, in the unit of its group.
    pub values: Vec<f64>,
}

impl Series {
    /// The middle value.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    fn bounds(&self) -> (f64, f64) {
        let values = self.values.iter().copied();
        (
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(0.0, f64::max),
        )
    }
}

/// All rows, under their headings, in the order in which they came.
///
/// The first row of a group is what the others are net of, if it is bare.
#[must_use]
pub fn markdown(all: &[Series]) -> String {
    let mut page = String::new();
    for group in groups(all) {
        let rows: Vec<_> = all.iter().filter(|row| row.group == group).collect();
        if rows.iter().any(|row| row.label.column.is_some()) {
            page.push_str(&medians(group, &rows));
            continue;
        }
        let two = one_of(group).map(|one| (one, all));
        page.push_str(&heading(group, two.is_some()));
        let bare = rows.iter().find(|row| row.label.name.starts_with(BARE));
        for row in &rows {
            let net = bare.map(|bare| row.median() - bare.median());
            let ratio = two.map(|(one, all)| ratio(row, one, all));
            line(&mut page, row, net, ratio);
        }
    }
    page
}

/// How much more one row gets done in a second than its like in another group.
fn ratio(row: &Series, one: &str, all: &[Series]) -> f64 {
    all.iter()
        .find(|other| other.group == one && other.label == row.label)
        .map_or(f64::NAN, |other| other.median() / row.median())
}

/// By how much the bare call got faster on two threads than on one, if measured.
#[must_use]
pub fn bare_scaling(all: &[Series]) -> Option<f64> {
    let two = all
        .iter()
        .find(|row| row.group == TWO_THREADS && row.label.name.starts_with(BARE))?;
    Some(ratio(two, ONE_THREAD, all))
}

/// A table of medians, with a line for each name and its columns.
fn medians(group: &str, rows: &[&Series]) -> String {
    let columns = in_order(rows.iter().filter_map(|row| row.label.column.as_ref()));
    let mut page = format!("\n### {group}\n\n| median |");
    let rule = "---:|".repeat(columns.len());
    for column in &columns {
        write!(page, " {column} |").expect("a string takes all");
    }
    writeln!(page, "\n|---|{rule}").expect("a string takes all");
    for name in in_order(rows.iter().map(|row| &row.label.name)) {
        write!(page, "| {name} |").expect("a string takes all");
        for row in rows.iter().filter(|row| row.label.name == *name) {
            write!(page, " {} |", row.median()).expect("a string takes all");
        }
        page.push('\n');
    }
    page
}

fn heading(group: &str, two: bool) -> String {
    let extra = if two { " M/s | 2/1 |" } else { " net |" };
    let unit = match group {
        MEMORY => "bytes",
        START_AND_STOP => "us a child",
        _ => "ns a call",
    };
    let rule = if two { "---:|---:|" } else { "---:|" };
    format!("\n### {group}\n\n| {unit} | min | median | max |{extra}\n|---|---:|---:|---:|{rule}\n")
}

fn line(page: &mut String, row: &Series, net: Option<f64>, ratio: Option<f64>) {
    let ((min, max), median) = (row.bounds(), row.median());
    let name = &row.label.name;
    let (min, middle, max) = (number(min), number(median), number(max));
    let last = match (ratio, net) {
        (Some(ratio), _) => format!("{} | {ratio:.2}", number(1e3 / median)),
        (None, Some(net)) if !name.starts_with(BARE) => number(net),
        (None, _) => "-".into(),
    };
    writeln!(page, "| {name} | {min} | {middle} | {max} | {last} |").expect("a string takes all");
}

fn groups(all: &[Series]) -> Vec<&'static str> {
    in_order(all.iter().map(|row| row.group))
}

/// Each of them once, in the order in which they came.
fn in_order<T: Copy + Eq + Hash>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.filter(|one| seen.insert(*one)).collect()
}

/// The group of one thread that a group of two is compared with.
fn one_of(group: &str) -> Option<&'static str> {
    match group {
        TWO_THREADS => Some(ONE_THREAD),
        TWO_TASKS => Some(ONE_TASK),
        _ => None,
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// How the name of a row begins that measures what the others are net of.
pub const BARE: &str = "bare";
/// Blocking calls that work, from one thread.
pub const ONE_THREAD: &str = "Closed, one thread";
/// Blocking calls that work, from two threads.
pub const TWO_THREADS: &str = "Closed, two threads on one breaker";
/// Async calls that work, from one task of a runtime.
pub const ONE_TASK: &str = "Closed, one task";
/// Async calls that work, from two tasks on two workers.
pub const TWO_TASKS: &str = "Closed, two tasks on two workers, one breaker";
/// What things take that do nothing.
pub const MEMORY: &str = "Memory, idle, bytes each of 10,000";
/// How long children take to come and to go.
pub const START_AND_STOP: &str = "Start and stop of 10,000 children";
