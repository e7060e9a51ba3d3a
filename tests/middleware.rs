//! The examples of middleware, run as a person runs them.

#![cfg(test)]

mod example;

use std::process::Command;

#[test]
fn a_client_of_reqwest_is_cut_off_by_broken_bodies_and_let_through_again() {
    let said = run("reqwest_client");
    assert_eq!(said.matches("the body broke").count(), 3, "{said}");
    assert_eq!(said.matches("not sent").count(), 2, "{said}");
    assert!(
        said.ends_with("7: 16 bytes; the breaker is closed\n"),
        "{said}"
    );
}

#[test]
fn a_client_of_tonic_fails_over_without_a_failed_call() {
    let said = run("tonic_client");
    assert_eq!(said.matches(": Serving by ").count(), 12, "{said}");
    assert!(said.contains("11: Serving by south"), "{said}");
}

#[test]
fn routes_of_axum_share_a_breaker_and_say_when_to_come_back() {
    let said = run("axum_server");
    let refused = said.matches("503 Service Unavailable, retry after ");
    assert_eq!(refused.count(), 2, "{said}");
    assert!(said.contains("/healthz: 200 OK"), "{said}");
    assert!(said.ends_with("it was asked 5 times\n"), "{said}");
}

/// What an example says, which must end well.
fn run(name: &str) -> String {
    let run = Command::new(example::path(name)).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}\n{said}\n{errors}", run.status);
    said
}
