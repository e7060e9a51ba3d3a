//! The examples `factory`, `workers` and `supervise`, run as a person runs them.

#![cfg(test)]

mod example;

use std::process::{Command, Output};

#[test]
fn every_caller_of_the_workers_gets_an_answer() {
    let lines = lines_of(Command::new(example::path("workers")).output());
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    assert!(has("600 callers of 600 got an answer"), "{lines:#?}");
    assert!(has("5 of 5 children stopped by themselves"), "{lines:#?}");
    assert!(has("crashes"), "some of it did fail: {lines:#?}");
}

/// R41: a factory that was restarted does not work beside its former incarnations.
#[test]
fn r41_the_factory_of_the_example_works_once_after_nine_restarts() {
    let lines = lines_of(Command::new(example::path("factory")).output());
    let has = |words: &str| lines.iter().any(|line| line.contains(words));
    assert!(has("99 callers got a price"), "{lines:#?}");
    assert!(has("after 9 restarts"), "{lines:#?}");
}

/// R39: a tree of three levels from its start to its exit code.
#[test]
fn r39_a_tree_ends_in_order_at_sigterm() {
    let lines = lines_of(Command::new(example::path("supervise")).output());
    let at = |words: &str| {
        let found = lines.iter().position(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("{words:?} is missing in {lines:#?}"))
    };
    let last = |words: &str| lines.iter().rposition(|line| line.contains(words)).unwrap();
    assert!(at("started") < at("after two seconds"));
    assert!(at("after two seconds") < at("not ready any more"));
    assert!(last("orders/vans: down, shut down") < last("orders: down, shut down"));
    assert!(last("orders: down, shut down") < last("catalogue: down, shut down"));
    assert!(last("catalogue: down, shut down") < at("shop down"));
    assert!(at("shop down") < at("stopped after"));
}

/// What it printed, if it ended as it should.
fn lines_of(run: std::io::Result<Output>) -> Vec<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = run.unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{status}: {stdout}{stderr}");
    stdout.lines().map(str::to_owned).collect()
}
