//! The example `lifecycle`, which gets its signals from the system.
//!
//! Each signal is sent once the program has said that it is where the test wants it, and
//! what takes time there waits for Enter.

#![cfg(test)]
#![cfg(unix)]

mod example;

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A process of the example, killed at the latest when the test ends, however it ends.
struct Program {
    keyboard: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
    said: Vec<String>,
}

impl Program {
    fn start(argument: &str) -> Self {
        let mut process = Command::new(example::path("lifecycle"))
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keyboard: process.stdin.take().unwrap(),
            lines: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
            said: Vec::new(),
        }
    }

    /// Returns whether it has said this, or reads on until it has.
    fn says(&mut self, words: &str) -> bool {
        while !self.said.iter().any(|line| line.contains(words)) {
            let Some(line) = self.lines.next() else {
                return false;
            };
            self.said.push(line.unwrap());
        }
        true
    }

    #[track_caller]
    fn read_to(&mut self, words: &str) {
        assert!(self.says(words), "{words:?} never came: {:#?}", self.said);
    }

    /// Sends these signals one right after the other, which a shell can.
    fn signal(&self, signals: &[&str]) {
        let id = self.process.id();
        let kills = signals.iter().map(|signal| format!("kill -{signal} {id}"));
        let kills = kills.collect::<Vec<_>>().join(" && ");
        let sent = Command::new("sh").args(["-c", &kills]).status().unwrap();
        assert!(sent.success(), "{kills}: {sent}");
    }

    fn press_enter(&mut self) {
        self.keyboard.write_all(b"\n").unwrap();
    }

    /// Reads to the end of its output, which is held open by whatever it left behind,
    /// and returns its exit code.
    fn ends(&mut self) -> Option<i32> {
        self.said.extend(self.lines.by_ref().map(Result::unwrap));
        self.process.wait().unwrap().code()
    }

    /// Returns what its parts have said, without the log and the report.
    fn parts(&self) -> Vec<&str> {
        let said = self.said.iter().map(String::as_str);
        said.filter(|line| line.starts_with("index: ") || line.starts_with("store: "))
            .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// R45, R30: what was up has stopped, in reverse, and what started as well.
#[test]
fn r45_a_sigterm_in_a_slow_start_stops_what_was_started() {
    let mut program = Program::start("slow-start");
    program.read_to("index: starting");
    program.signal(&["TERM"]);
    program.read_to("store: stopping");
    program.press_enter();
    assert_eq!(program.ends(), Some(0), "{:#?}", program.said);
    let expected = [
        "store: up",
        "index: starting",
        "index: stopped",
        "store: stopping, press Enter",
        "store: stopped",
    ];
    assert_eq!(program.parts(), expected);
    program.read_to("service: stopped after SIGTERM");
    program.read_to("not ready");
    assert!(!program.said.contains(&"ready".to_owned()));
}

/// R45: a cluster restarts what failed, and must not be told that it was done.
#[test]
fn r45_a_sigterm_while_a_tree_gives_up_does_not_hide_that_it_failed() {
    let mut program = Program::start("fail");
    program.read_to("store: stopping");
    // Seconds may pass from here to the end of the tree.
    program.read_to("not ready");
    program.signal(&["TERM"]);
    program.read_to("the tree ends already");
    program.press_enter();
    assert_eq!(program.ends(), Some(1), "{:#?}", program.said);
    program.read_to("store: stopped");
    program.read_to("failed: \"index\" failed: the index is damaged; stopped after SIGTERM");
}

/// R45: nor where the second signal kills what is left of it.
#[test]
fn r45_a_tree_that_is_killed_while_it_gives_up_has_failed() {
    let mut program = Program::start("fail");
    program.read_to("store: stopping");
    program.signal(&["TERM"]);
    program.read_to("another signal kills");
    program.signal(&["TERM"]);
    assert_eq!(program.ends(), Some(1), "{:#?}", program.said);
    program.read_to("the index is damaged; killed by a second SIGTERM");
}

/// R45: one of them goes to the process and one to its group, say.
#[test]
fn r45_two_signals_at_once_count_as_one() {
    // The system may deliver two of a kind as one, but not two of different kinds.
    for (signals, is_told_twice) in [(["TERM", "TERM"], false), (["INT", "TERM"], true)] {
        let mut program = Program::start("serve");
        program.read_to("ready");
        program.signal(&signals);
        program.read_to("store: stopping");
        if is_told_twice {
            program.read_to("repeated signal counts as one");
        }
        program.press_enter();
        assert_eq!(program.ends(), Some(0), "{:#?}", program.said);
        program.read_to("store: stopped");
        program.read_to("service: stopped after SIG");
    }
}

/// R39: a second signal ends it at once, with the exit code of that signal.
#[test]
fn r39_a_second_sigterm_ends_it_at_once() {
    for (argument, once) in [("serve", "ready"), ("slow-start", "index: starting")] {
        for (signal, name, code) in [("TERM", "SIGTERM", 143), ("INT", "SIGINT", 130)] {
            let mut program = Program::start(argument);
            program.read_to(once);
            program.signal(&["TERM"]);
            program.read_to("store: stopping");
            program.read_to("another signal kills");
            program.signal(&[signal]);
            assert_eq!(program.ends(), Some(code), "{:#?}", program.said);
            program.read_to(&format!("service: killed by a second {name}"));
            assert!(!program.says("store: stopped"));
        }
    }
}
