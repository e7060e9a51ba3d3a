//! The `breakerbox` command.
//!
//! A breaker's numbers are guessed, unless something shows what they do. Each
//! subcommand is a file of this crate; none has rules of its own, they all ask
//! the core.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod replay;

use replay::Replay;

fn main() -> ExitCode {
    match Breakerbox::parse().command {
        Command::Replay(replay) => replay.run(),
    }
}

/// Circuit breakers as supervised actors.
#[derive(Debug, Parser)]
#[command(name = "breakerbox", version)]
struct Breakerbox {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replay(Replay),
}
