//! The example `gobreaker`, run as a person runs it.

#![cfg(test)]

mod example;

use std::process::{Command, Output};

use tokio::net::TcpSocket;

#[test]
fn five_calls_to_its_own_server_are_answered() {
    let lines = lines_of(gobreaker().output());
    assert_eq!(
        lines,
        (1..=5)
            .map(|attempt| format!("{attempt}: 200 OK"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn five_calls_to_a_dead_port_fail_and_the_sixth_would_open_it() {
    // It does not listen, and while it is bound nobody else does.
    let dead = TcpSocket::new_v4().unwrap();
    dead.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", dead.local_addr().unwrap());
    let lines = lines_of(gobreaker().arg(url).output());
    assert_eq!(lines.len(), 5, "{lines:?}");
    for (line, attempt) in lines.iter().zip(1..) {
        assert!(line.starts_with(&format!("{attempt}: failed: ")), "{line}");
    }
}

fn gobreaker() -> Command {
    let mut command = Command::new(example::path("gobreaker"));
    command.env("NO_PROXY", "127.0.0.1");
    command
}

/// What it printed, if it ended as it should.
fn lines_of(run: std::io::Result<Output>) -> Vec<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = run.unwrap();
    assert!(
        status.success(),
        "{status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8(stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}
