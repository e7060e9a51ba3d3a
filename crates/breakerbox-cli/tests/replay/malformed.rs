//! Bad files and lines: exit code 2, one message, whole lines before it.

use std::path::Path;

use crate::{ConfigFile, breakerbox, replay};

const CONFIG: &str = "trip = { consecutive_failures = 3 }";
const HEADER: &str = "start_ms,duration_ms,outcome";

#[test]
fn each_kind_of_bad_line_is_refused_with_its_number_and_what_is_allowed() {
    for (line, wrong, allowed) in [
        (
            "x,1,success",
            "start_ms \"x\" is no decimal number",
            "such as 31 or 31.5",
        ),
        (
            "9,,success",
            "duration_ms \"\" is no decimal number",
            "such as 31 or 31.5",
        ),
        (
            "-9,1,success",
            "start_ms \"-9\" is negative",
            "from 0 to 3153600000000",
        ),
        (
            "9,-0.5,success",
            "duration_ms \"-0.5\" is negative",
            "from 0 to 3153600000000",
        ),
        (
            "NaN,1,success",
            "start_ms \"NaN\" is no decimal number",
            "such as 31",
        ),
        (
            "9,inf,success",
            "duration_ms \"inf\" is no decimal number",
            "such as 31",
        ),
        (
            "9,1e3,success",
            "duration_ms \"1e3\" is no decimal number",
            "such as 31",
        ),
        (
            "9, 1,success",
            "duration_ms \" 1\" is no decimal number",
            "such as 31",
        ),
        (
            "3153600000001,1,success",
            "is too large",
            "3153600000000 (100 years)",
        ),
        (
            "9,99999999999999999999999999,success",
            "is too large",
            "(100 years)",
        ),
        (
            "6.9,1,success",
            "start_ms 6.9 is before the call above",
            "ascending order, here at least 7",
        ),
        (
            "9,1,maybe",
            "outcome \"maybe\" is unknown",
            "expected success, failure or ignored",
        ),
        (
            "9,1,Success",
            "outcome \"Success\" is unknown",
            "expected success, failure or ignored",
        ),
        (
            "9,1,",
            "outcome \"\" is unknown",
            "expected success, failure or ignored",
        ),
        (
            "9,1",
            "has 2 columns",
            "expected 3: start_ms,duration_ms,outcome",
        ),
        (
            "9",
            "has 1 columns",
            "expected 3: start_ms,duration_ms,outcome",
        ),
        (
            "9,1,success,",
            "has 4 columns",
            "expected 3: start_ms,duration_ms,outcome",
        ),
        (
            "9;1;success",
            "has 1 columns",
            "expected 3: start_ms,duration_ms,outcome",
        ),
        (
            HEADER,
            "start_ms \"start_ms\" is no decimal number",
            "such as 31",
        ),
        (
            "9,1,\"success",
            "outcome \"\\\"success\" is unknown",
            "expected success",
        ),
    ] {
        let bytes = line.as_bytes();
        refused_on_line_4(bytes, wrong, allowed);
    }
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_are_refused() {
    refused_on_line_4(b"9,1,succ\xffss", "not UTF-8", "expected plain text");
    let endless = vec![b'9'; 5_000_000];
    refused_on_line_4(&endless, "too long", "expected at most 1024 bytes");
    let word = vec![b'x'; 1_000];
    refused_on_line_4(&word, "columns", "expected 3");
    let number = [&[b'x'; 900][..], b",1,success"].concat();
    refused_on_line_4(&number, "xxx\"... is no decimal", "such as 31");
}

#[test]
fn a_missing_or_wrong_header_is_refused_before_anything_is_printed() {
    for (log, line, wrong) in [
        ("", 1, "there is no header"),
        ("\n \r\n", 2, "there is no header"),
        ("0,1,success\n", 1, "the header is \"0,1,success\""),
        (
            "\nduration_ms,start_ms,outcome\n",
            2,
            "the header is \"duration_ms",
        ),
        (
            "start_ms,duration_ms\n",
            1,
            "the header is \"start_ms,duration_ms\"",
        ),
        ("start_ms,duration_ms,outcome,host\n", 1, "the header is"),
    ] {
        for options in [&[][..], &["--json"]] {
            let refused = replay(CONFIG, log, options);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (Some(2), ""),
                "{log:?}"
            );
            assert_one_message(&refused.stderr, &format!("<stdin>:{line}: {wrong}"));
            assert!(refused.stderr.contains(&format!("expected {HEADER}")));
        }
    }
}

#[test]
fn blank_lines_crlf_quotes_and_a_byte_order_mark_are_read_and_numbered_rightly() {
    let log = "\u{feff}\"start_ms\",\"duration_ms\",\"outcome\"\r\n\r\n0,0,\"failure\"\r\n  \n\n\
               \"1\",0,success\r\n2,0,success";
    let replayed = replay(CONFIG, log, &["--json"]);
    assert_eq!((replayed.code, replayed.stderr.as_str()), (Some(0), ""));
    let numbers: Vec<_> = (replayed.stdout.lines())
        .filter_map(|line| line.split_once("\"line\":")?.1.split(',').next())
        .collect();
    assert_eq!(numbers, ["3", "6", "7"]);
    assert!(replayed.stdout.contains("\"successes\":2,\"failures\":1"));
}

#[test]
fn each_kind_of_bad_configuration_is_refused_with_its_line_and_what_is_allowed() {
    for (text, line, wrong, allowed) in [
        (
            &b"probes = 3\nprobe = 3"[..],
            2,
            "unknown field `probe`",
            "expected one of",
        ),
        (b"probes = 0", 1, "0 is out of range", "expected 1 to 65535"),
        (
            b"\n\nopen_for = \"1 parsec\"",
            3,
            "is no duration",
            "expected one like \"250ms\"",
        ),
        (
            b"\nwindow = { rolling = \"1s\" }",
            2,
            "do not make a window",
            "expected \"unbounded\"",
        ),
        (
            b"\n[trip]\nconsecutive_failures = \"6\"",
            3,
            "invalid value: string",
            "expected a whole number of at least 1",
        ),
        (
            b"\n[trip]\n",
            2,
            "would never open",
            "expected a table with consecutive_failures",
        ),
        (b"probes = ", 1, "", "expected"),
        (b"# fine\n[trip", 2, "unclosed table", "expected `]`"),
        (
            b"probes = 1\nprobes = 2",
            2,
            "duplicate key",
            "expected each key once",
        ),
        (b"# \xff", 1, "not UTF-8", "expected TOML"),
        (
            b"window = { last = 10 }\n[trip]\n\nconsecutive_failures = 11",
            4,
            "trip.consecutive_failures: it needs 11 calls",
            "use at most 10 here, or a window of at least 11",
        ),
        (
            b"window = { last = 10 }\ntrip.failure_rate = { percent = 5, min_calls = 11 }",
            2,
            "trip.failure_rate: it needs 11 calls",
            "use at most 10 here",
        ),
        // What the default asks for clashes with the file.
        (
            b"probes = 1\nwindow = { last = 10 }",
            2,
            "it needs 20 calls",
            "a window of at least 20",
        ),
    ] {
        let config = ConfigFile::new(text);
        let output = config.replay().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
        let path = config.path.display();
        assert_one_message(&stderr, &format!("{path}:{line}: "));
        assert!(
            stderr.contains(wrong) && stderr.contains(allowed),
            "{stderr}"
        );
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused_by_name() {
    let config = ConfigFile::new(CONFIG);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let absent = directory.join("absent");
    for (config, calls, named) in [
        (&*config.path, &*absent, &*absent),
        (&config.path, directory, directory),
        (&absent, Path::new("-"), &absent),
        (directory, Path::new("-"), directory),
    ] {
        let mut command = breakerbox();
        command.arg("replay").arg("--config").args([config, calls]);
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
        assert_one_message(&stderr, &named.display().to_string());
        assert!(
            stderr.contains("cannot be read") && stderr.contains("expected a"),
            "{stderr}"
        );
    }
}

/// Refused after a header and two calls, with either output.
fn refused_on_line_4(line: &[u8], wrong: &str, allowed: &str) {
    let before = format!("{HEADER}\n0,0,success\n7,100,success\n");
    let log = [before.as_bytes(), line, b"\n9,1,success\n"].concat();
    for (options, printed) in [(&[][..], 0), (&["--json"], 2)] {
        let refused = replay(CONFIG, &log, options);
        assert_eq!(refused.code, Some(2), "{wrong}");
        assert_one_message(&refused.stderr, "<stdin>:4: ");
        assert!(
            refused.stderr.contains(wrong),
            "{wrong}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains(allowed),
            "{allowed}: {}",
            refused.stderr
        );
        assert_eq!(refused.stdout.lines().count(), printed);
        assert!(refused.stdout.is_empty() || refused.stdout.ends_with("}\n"));
        assert!(!refused.stdout.contains("summary"));
    }
}

fn assert_one_message(stderr: &str, start: &str) {
    assert!(stderr.starts_with(start), "{stderr}");
    assert!(
        stderr.ends_with('\n') && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert!(stderr.len() < 400, "{stderr}");
}
