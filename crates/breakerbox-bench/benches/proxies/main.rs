//! Measures the example `gateway` beside nginx and a bare proxy of hyper's, before the
//! same upstreams.
//!
//! `cargo bench -p breakerbox-bench --bench proxies`, which takes eight minutes and needs
//! nginx and wrk (in Debian, `apt-get install nginx wrk`). Each proxy has the first core
//! for itself; clients and upstreams share the second one. nginx and the gateway
//! know their upstreams' health by the requests alone, and make two attempts.

mod load;
mod proxy;
mod table;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;

use breakerbox_bench::machine::{self, Usage};

use load::{Saturated, Steady};
use proxy::{Directory, Proxy, Upstream};
use table::Row;

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxies: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    for (program, flag) in [("nginx", "-v"), ("wrk", "-v"), ("taskset", "-V")] {
        let found = Command::new(program).arg(flag).output();
        found
            .map_err(|_| format!("there is no {program}: apt-get install nginx wrk util-linux"))?;
    }
    println!("{}; median of {ROUNDS} rounds", machine::description());
    let (before, directory) = (Usage::now(), Directory::new()?);
    println!("\n### All is well\n\n{}", all_is_well(&directory)?);
    for trouble in [Trouble::Killed, Trouble::Hangs] {
        println!(
            "\n### {}\n\n{}",
            trouble.heading(),
            amid(trouble, &directory)?
        );
    }
    let others = Usage::now().others_since(&before) as f64 / 100.0;
    println!("\nOther processes used {others} s of processor time meanwhile.");
    Ok(())
}

fn all_is_well(directory: &Directory) -> Result<String, Failure> {
    let upstreams = Upstream::two(directory)?;
    let mut rows = Row::of_all();
    for _ in 0..ROUNDS {
        // Nobody is always first.
        rows.rotate_left(1);
        for (kind, row) in &mut rows {
            let proxy = Proxy::start(*kind, &upstreams, directory)?;
            row.saturated.push(Saturated::measure(&proxy, SPAN)?);
            row.steady
                .push(Steady::measure(proxy.address(), RATE, SPAN)?);
        }
    }
    Ok(table::of_speed(&rows, RATE))
}

/// What becomes of one of the two upstreams in the middle of the run.
#[derive(Clone, Copy)]
enum Trouble {
    Hangs,
    Killed,
}

impl Trouble {
    const fn heading(self) -> &'static str {
        match self {
            Self::Hangs => "One of two upstreams hangs after a second",
            Self::Killed => "One of two upstreams is killed after a second",
        }
    }
}

fn amid(trouble: Trouble, directory: &Directory) -> Result<String, Failure> {
    let mut rows = Row::of_proxies();
    for _ in 0..ROUNDS {
        rows.rotate_left(1);
        for (kind, row) in &mut rows {
            let upstreams = Upstream::two(directory)?;
            let proxy = Proxy::start(*kind, &upstreams, directory)?;
            let steady = Steady::measure_while(proxy.address(), RATE, SPAN, || {
                std::thread::sleep(Duration::from_secs(1));
                match trouble {
                    Trouble::Hangs => upstreams[0].stop(),
                    Trouble::Killed => upstreams[0].kill(),
                }
            });
            row.steady.push(steady?);
        }
    }
    Ok(table::of_trouble(&rows))
}

/// In which each proxy is first equally often.
const ROUNDS: usize = 6;
/// Requests a second, where they come at a steady rate.
const RATE: u32 = 4_000;
const SPAN: Duration = Duration::from_secs(4);
