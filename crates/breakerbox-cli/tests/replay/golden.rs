//! Whole runs. The expected files were worked out by hand from the promises.

use std::fs;

use crate::breakerbox;

#[test]
fn an_outage_with_late_verdicts_and_a_hanging_probe_is_replayed_as_promised() {
    check("outage", &["--json"], "jsonl");
    check("outage", &[], "txt");
}

#[test]
fn a_log_that_begins_late_and_changes_nothing_says_so() {
    check("quiet", &["--json"], "jsonl");
    check("quiet", &[], "txt");
}

fn check(name: &str, options: &[&str], expected: &str) {
    let file = |kind| format!("{}/tests/golden/{name}.{kind}", env!("CARGO_MANIFEST_DIR"));
    let output = breakerbox()
        .args(["replay", "--config", &file("toml"), &file("csv")])
        .args(options)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout, fs::read_to_string(file(expected)).unwrap());
}
