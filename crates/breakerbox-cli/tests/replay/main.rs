//! The `replay` command as a process: what goes in, what comes out.

#![cfg(test)]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

mod golden;
mod malformed;
mod order;
mod output;
mod volume;

/// A configuration file that is removed when the test is over.
struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        static LATEST: AtomicU32 = AtomicU32::new(0);
        let number = LATEST.fetch_add(1, Ordering::Relaxed);
        let name = format!("breaker-{}-{number}.toml", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, bytes).unwrap();
        Self { path }
    }

    /// The command that replays standard input with this configuration.
    fn replay(&self) -> Command {
        let mut command = breakerbox();
        command.arg("replay").arg("--config").arg(&self.path);
        command.arg("-").stdin(Stdio::piped());
        command
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What a replay left behind.
struct Replayed {
    code: Option<i32>,
    stderr: String,
    stdout: String,
}

impl From<Output> for Replayed {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
        }
    }
}

/// The command, without what a terminal would tell it.
fn breakerbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakerbox"));
    command.env_remove("COLUMNS");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Replays `log`, which comes in by standard input.
fn replay(config: &str, log: impl AsRef<[u8]>, options: &[&str]) -> Replayed {
    let config = ConfigFile::new(config);
    let mut child = config.replay().args(options).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let log = log.as_ref().to_vec();
    // Who refuses a line does not read the rest, so the pipe may be gone.
    let writer = thread::spawn(move || drop(stdin.write_all(&log)));
    let replayed = child.wait_with_output().unwrap().into();
    writer.join().unwrap();
    replayed
}

/// Replays calls, given without the header, and tells what `--json` says in short.
///
/// Such as `3 rejected open 100`, `@31.25 closed -> open probe_failed, 4` (the
/// generation), and for the summary `open, 2 late, 1s 3f 0i, row 0s 3f`.
fn story(config: &str, calls: &[&str]) -> Vec<String> {
    let log = format!("start_ms,duration_ms,outcome\n{}\n", calls.join("\n"));
    let replayed = replay(config, log, &["--json"]);
    assert_eq!((replayed.code, replayed.stderr.as_str()), (Some(0), ""));
    replayed.stdout.lines().map(told).collect()
}

fn told(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    let of = |name: &str| match &event[name] {
        // Displayed by Rust, a float has no exponent.
        serde_json::Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string().replace('"', ""),
    };
    match of("type").as_str() {
        "call" if of("decision") == "admitted" => format!("{} admitted", of("line")),
        "call" => format!(
            "{} rejected {} {}",
            of("line"),
            of("reason"),
            of("retry_after_ms")
        ),
        "transition" => format!(
            "@{} {} -> {} {}, {}",
            of("at_ms"),
            of("from"),
            of("to"),
            of("reason"),
            of("generation")
        ),
        _ => {
            let counts = |name: &str| event["counts"][name].to_string();
            format!(
                "{}, {} late, {}s {}f {}i, row {}s {}f",
                of("state"),
                of("late"),
                counts("successes"),
                counts("failures"),
                counts("ignored"),
                counts("consecutive_successes"),
                counts("consecutive_failures"),
            )
        }
    }
}
