use breakerbox::{ChildSnapshot, Snapshot, SupervisorSnapshot};

use crate::journal::Journal;
use crate::table::Table;

/// How the breakers do.
pub(crate) fn breakers(snapshots: &[Snapshot], journal: &Journal) -> Table {
    let mut table = Table::new([
        "breaker",
        "state",
        "succeeded",
        "failed",
        "failed in a row",
        "late",
        "generation",
        "openings",
        "last change",
        "incarnation",
    ]);
    for breaker in snapshots {
        let last = breaker
            .last_transition
            .map(|change| change.reason.to_string());
        table.add([
            breaker.name.to_string(),
            breaker.state.to_string(),
            breaker.counts.successes.to_string(),
            breaker.counts.failures.to_string(),
            breaker.counts.consecutive_failures.to_string(),
            breaker.late.to_string(),
            breaker.generation.to_string(),
            journal.openings(&breaker.name).to_string(),
            last.unwrap_or_else(|| "none yet".to_owned()),
            breaker.incarnation.to_string(),
        ]);
    }
    table
}

/// How the supervisors do, and the workers; breakers have a table of their own.
pub(crate) fn actors(breakers: &SupervisorSnapshot, workers: &SupervisorSnapshot) -> Table {
    let mut table = Table::new(["actor", "phase", "incarnation", "restarts", "last exit"]);
    table.add(supervisor(breakers));
    table.add(supervisor(workers));
    for child in &workers.children {
        table.add(worker(child));
    }
    table
}

fn supervisor(supervisor: &SupervisorSnapshot) -> [String; 5] {
    let nothing = || "-".to_owned();
    let name = format!("supervisor {}", supervisor.name);
    [
        name,
        supervisor.phase.to_string(),
        nothing(),
        nothing(),
        nothing(),
    ]
}

fn worker(ChildSnapshot { name, status, .. }: &ChildSnapshot) -> [String; 5] {
    let last_exit = status.last_exit.as_ref().map(ToString::to_string);
    [
        format!("  worker {name}"),
        status.phase.to_string(),
        status.incarnation.to_string(),
        status.restarts.to_string(),
        last_exit.unwrap_or_else(|| "none yet".to_owned()),
    ]
}
