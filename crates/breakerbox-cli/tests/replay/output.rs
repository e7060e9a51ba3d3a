//! How it is shown, and to whom.

use std::io::{BufRead, BufReader, Write};
use std::thread;

use crate::{ConfigFile, replay};

const HEADER: &str = "start_ms,duration_ms,outcome\n";

/// Opens on each failure, for 1 ms; each probe decides.
const FLAPPING: &str = r#"
open_for = "1ms"
probes = 1
trip = { consecutive_failures = 1 }
"#;

#[test]
fn a_header_alone_is_a_log_without_calls() {
    let replayed = replay("", HEADER, &["--json"]);
    assert_eq!(replayed.code, Some(0));
    assert_eq!(
        replayed.stdout,
        "{\"type\":\"summary\",\"state\":\"closed\",\"calls\":0,\"admitted\":0,\"rejected\":0,\"late\":0,\
         \"counts\":{\"successes\":0,\"failures\":0,\"ignored\":0,\"consecutive_successes\":0,\
         \"consecutive_failures\":0}}\n"
    );
    let replayed = replay("", HEADER, &[]);
    assert!(replayed.stdout.contains("calls       0: 0 admitted"));
}

#[test]
fn a_thousand_transitions_do_not_flood_the_report() {
    let calls: String = (0..1_000)
        .map(|n| format!("{},0,failure\n", n * 2))
        .collect();
    let replayed = replay(FLAPPING, format!("{HEADER}{calls}"), &[]);
    // Opened 1 000 times, half opened in between: 1 999, of which 60 are shown.
    assert!(
        replayed
            .stdout
            .contains("... 1939 more, all of them with --json ...")
    );
    assert!(replayed.stdout.lines().count() < 80);
    assert!(
        replayed
            .stdout
            .contains("\n        1.998s  half_open -> open")
    );
    assert!(replayed.stdout.is_ascii());
}

#[test]
fn the_plot_keeps_to_the_columns_of_the_terminal() {
    let calls = "0,0,failure\n1,0,failure\n1000,0,success\n";
    for (columns, widest) in [("50", 50), ("0", 40), ("9999", 200), ("many", 72)] {
        let config = ConfigFile::new(FLAPPING);
        let mut child = config.replay().env("COLUMNS", columns).spawn().unwrap();
        let log = format!("{HEADER}{calls}");
        (child.stdin.take().unwrap())
            .write_all(log.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let row = stdout.lines().find(|line| line.contains("+-")).unwrap();
        assert!(row.len() <= widest && row.len() * 10 > widest * 8, "{row}");
    }
}

#[test]
fn the_jitter_follows_the_seed() {
    let config = r#"
        open_for = { initial = "100ms", max = "100ms", jitter_percent = 20 }
        trip = { consecutive_failures = 1 }
    "#;
    let half_opens_at = |options: &[&str]| -> f64 {
        let log = format!("{HEADER}0,0,failure\n100,0,success\n");
        let replayed = replay(config, log, &[options, &["--json"]].concat());
        let line = replayed.stdout.lines().nth(2).unwrap();
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["to"], "half_open");
        event["at_ms"].as_f64().unwrap()
    };
    let usual = half_opens_at(&[]);
    assert!((80.0..=100.0).contains(&usual));
    assert_eq!(usual.to_bits(), half_opens_at(&["--seed", "0"]).to_bits());
    assert_ne!(usual.to_bits(), half_opens_at(&["--seed", "1"]).to_bits());
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for options in [&[][..], &["--json"]] {
        let config = ConfigFile::new(FLAPPING);
        let mut child = config.replay().args(options).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let _ = stdin.write_all(HEADER.as_bytes());
            for start in 0..100_000 {
                if writeln!(stdin, "{start},0,failure").is_err() {
                    return;
                }
            }
        });
        if options.is_empty() {
            drop(child.stdout.take());
        } else {
            let mut first = String::new();
            let mut stdout = BufReader::new(child.stdout.take().unwrap());
            stdout.read_line(&mut first).unwrap();
            assert!(first.ends_with("\"admitted\"}\n"), "{first}");
        }
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
    }
}
