//! Measures breakerbox beside its peers and prints the table.
//!
//! `cargo bench -p breakerbox-bench`; with `-- --quick` three short rounds, and
//! with `-- <words>` only the groups whose heading has all of these words. With
//! `--features ractor-supervisor` that one is among the peers.

use std::time::Duration;

use breakerbox_bench::guards::Shop;
use breakerbox_bench::machine::{self, Usage};
use breakerbox_bench::rows::{self, Row};
use breakerbox_bench::table::{self, Series};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [what, kind] = words.as_slice()
        && what == "--memory"
    {
        return rows::memory_of(kind);
    }
    let (options, wanted): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with("--"));
    let quick = options.iter().any(|option| *option == "--quick");
    let (rounds, span) = if quick {
        (3, Duration::from_millis(20))
    } else {
        (9, Duration::from_millis(60))
    };
    println!("{}; median of {rounds} rounds", machine::description());
    machine::pin(0);
    let mut rows = rows::all();
    rows.retain(|row| wanted.iter().all(|word| row.group.contains(word.as_str())));
    let before = Usage::now();
    let all = measured(&mut rows, rounds, span);
    print!("{}", table::markdown(&all));
    warn(&all, Usage::now().others_since(&before));
}

/// Measures all rows once a round, each round beginning with another one.
fn measured(rows: &mut [Row], rounds: usize, span: Duration) -> Vec<Series> {
    let mut values: Vec<Vec<Vec<f64>>> = rows.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let shop = Shop::new(machine::two_workers());
        for step in 0..rows.len() {
            let at = (step + round * rows.len() / rounds) % rows.len();
            values[at].push((rows[at].measure)(&shop, span));
        }
    }
    rows.iter()
        .zip(values)
        .flat_map(|(row, rounds)| series(row, &rounds))
        .collect()
}

fn series(row: &Row, rounds: &[Vec<f64>]) -> Vec<Series> {
    let of = |part: usize| rounds.iter().map(|values| values[part]).collect();
    let labels = row.labels.iter().enumerate();
    labels
        .map(|(part, label)| Series {
            group: row.group,
            label: label.clone(),
            values: of(part),
        })
        .collect()
}

/// Says what makes a run worthless.
fn warn(all: &[Series], others: u64) {
    println!(
        "\nOther processes used {} s of processor time meanwhile.",
        others as f64 / 100.0
    );
    if let Some(scaling) = table::bare_scaling(all) {
        println!("The bare call on two threads: {scaling:.2} times one.");
        if scaling < 1.9 {
            println!("DISCARD THIS RUN: that should be about 1.9, so the machine was not quiet.");
        }
    }
}
