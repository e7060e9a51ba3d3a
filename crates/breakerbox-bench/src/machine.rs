//! The machine: its cores, its memory, and who else uses it.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use core_affinity::CoreId;
use tokio::runtime::{Builder, Runtime};

/// Keeps this thread on core `number`; where that cannot be, it goes on unpinned.
pub fn pin(number: usize) {
    let _pinned = core_affinity::set_for_current(CoreId { id: number });
}

/// A runtime of two workers, one on each of the first two cores.
///
/// # Panics
///
/// If the system gives no threads.
#[must_use]
pub fn two_workers() -> Runtime {
    let next = AtomicUsize::new(0);
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // Relaxed: only a number for each.
        .on_thread_start(move || pin(next.fetch_add(1, Ordering::Relaxed) % 2))
        .build()
        .expect("the system gives two threads")
}

/// A runtime on this thread, wherever that is pinned.
///
/// # Panics
///
/// If the system has no more file descriptors.
#[must_use]
pub fn one_worker() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the system has file descriptors left")
}

/// Bytes of memory that this process has in use.
///
/// # Panics
///
/// If `/proc` is not there: this runs on Linux.
#[must_use]
pub fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux says how much memory is used");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: u64| pages * PAGE)
}

/// Processor time that has been used, in hundredths of a second.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    all: u64,
    own: u64,
}

impl Usage {
    /// What has been used until now, by everybody and by this process.
    #[must_use]
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let all = numbers(stat.lines().next().unwrap_or_default());
        Self {
            // user, nice, system; then irq, softirq and steal.
            all: [0, 1, 2, 5, 6, 7]
                .iter()
                .filter_map(|at| all.get(*at))
                .sum(),
            own: times(&own).take(4).sum(),
        }
    }

    /// How many hundredths of a second others have used since then.
    #[must_use]
    pub fn others_since(&self, then: &Self) -> u64 {
        (self.all - then.all).saturating_sub(self.own - then.own)
    }
}

/// Processor time that a process has used until now; zero if it is gone.
#[must_use]
pub fn processor_time_of(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let used: u64 = times(&stat).take(2).sum();
    Duration::from_millis(used * 10)
}

/// `utime` and `stime`, in hundredths of a second, then those of the children that
/// were waited for.
fn times(stat: &str) -> impl Iterator<Item = u64> {
    // The name in parentheses may hold spaces; the state and 10 fields come between.
    let fields = numbers(stat.rsplit(')').next().unwrap_or_default());
    fields.into_iter().skip(10)
}

/// What `/proc` says of processor, system and load.
#[must_use]
pub fn description() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |key: &str| {
        let line = info.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split(": ").nth(1))
            .unwrap_or("unknown")
    };
    let (family, model) = (of("cpu family"), of("model name"));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{model} (family {family}), {cores} cores, Linux {}, load {load}",
        kernel.trim()
    )
}

fn numbers(line: &str) -> Vec<u64> {
    line.split_whitespace()
        // Signed: without a terminal a process has -1 for one, which counts too.
        .filter_map(|word| word.parse::<i64>().ok())
        .map(i64::unsigned_abs)
        .collect()
}

const PAGE: u64 = 4_096;
