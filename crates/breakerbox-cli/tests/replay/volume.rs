//! A log of a million lines, made on the way.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::thread;

use crate::ConfigFile;

#[test]
fn a_million_lines_stream_in_constant_memory() {
    for options in [&[][..], &["--json"]] {
        let short = peak_kilobytes(10_000, options);
        let long = peak_kilobytes(1_000_000, options);
        // 16 bytes a line would be 16 MB.
        assert!(
            long < short + 4_000,
            "{options:?}: {short} kB, then {long} kB"
        );
    }
}

/// The most memory that a replay of so many lines took, up to nearly its end.
fn peak_kilobytes(lines: u64, options: &[&str]) -> u64 {
    let config = ConfigFile::new("open_for = { initial = \"1s\", max = \"8s\" }\nprobes = 2");
    let mut child = config.replay().args(options).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = thread::spawn(move || {
        stdout
            .lines()
            .map(Result::unwrap)
            .fold((0, String::new()), |(calls, total), line| {
                let is_call = line.starts_with("{\"type\":\"call\"");
                let is_total =
                    line.starts_with("calls ") || line.starts_with("{\"type\":\"summary\"");
                (
                    calls + u64::from(is_call),
                    if is_total { line } else { total },
                )
            })
    });
    let mut stdin = BufWriter::new(child.stdin.take().unwrap());
    write_log(&mut stdin, lines);
    stdin.flush().unwrap();
    // It waits for more now, with at most a pipe of lines yet to read.
    let peak = peak_of(child.id());
    drop(stdin);
    let (calls, total) = reader.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(calls, if options.is_empty() { 0 } else { lines });
    assert!(
        total.contains(&format!("\"calls\":{lines},")) || total.contains(&format!(" {lines}: ")),
        "{total}"
    );
    peak
}

/// A call each 5 ms, of which about ten are in flight, and an outage each minute.
fn write_log(log: &mut impl Write, lines: u64) {
    writeln!(log, "start_ms,duration_ms,outcome").unwrap();
    for number in 0..lines {
        let start = number * 5;
        let outcome = if start / 10_000 % 6 == 5 {
            "failure"
        } else {
            "success"
        };
        let duration = 20 + number * 7 % 60;
        writeln!(log, "{start}.{},{duration}.25,{outcome}", number % 10).unwrap();
    }
}

fn peak_of(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}
