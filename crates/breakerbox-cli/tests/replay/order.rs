//! What comes before what, and what it does to the breaker.

use crate::story;

/// One failure opens for 100 ms, one success closes.
const HAIR_TRIGGER: &str = r#"
window = "unbounded"
open_for = "100ms"
probes = 1
trip = { consecutive_failures = 1 }
"#;

#[test]
fn at_one_instant_ends_come_before_starts() {
    let told = story(HAIR_TRIGGER, &["0,10,failure", "10,1,success"]);
    assert_eq!(
        told,
        [
            "2 admitted",
            "@10 closed -> open consecutive_failures, 2",
            "3 rejected open 100",
            "open, 0 late, 0s 1f 0i, row 0s 1f",
        ]
    );
}

#[test]
fn a_call_of_zero_duration_ends_right_after_its_own_start() {
    let told = story(HAIR_TRIGGER, &["7,5,success", "7,0,failure", "7,0,success"]);
    assert_eq!(
        told,
        [
            "2 admitted",
            "3 admitted",
            "@7 closed -> open consecutive_failures, 2",
            "4 rejected open 100",
            "open, 1 late, 0s 1f 0i, row 0s 1f",
        ]
    );
}

#[test]
fn calls_that_end_at_one_instant_end_in_the_order_of_their_lines() {
    let config = format!("{UNBOUNDED}\ntrip = {{ consecutive_failures = 3 }}");
    let last = |calls: &[&str]| story(&config, calls).pop();
    assert_eq!(
        last(&["0,10,success", "5,5,failure", "6,4,failure"]).as_deref(),
        Some("closed, 0 late, 1s 2f 0i, row 0s 2f")
    );
    assert_eq!(
        last(&["0,10,failure", "5,5,failure", "6,4,success"]).as_deref(),
        Some("closed, 0 late, 1s 2f 0i, row 1s 0f")
    );
}

#[test]
fn r07_a_deadline_comes_before_a_start_at_its_instant() {
    let told = story(
        HAIR_TRIGGER,
        &["0,0,failure", "99.999999,0,success", "100,0,success"],
    );
    assert_eq!(
        told[1..],
        [
            "@0 closed -> open consecutive_failures, 2",
            "3 rejected open 0.000001",
            "@100 open -> half_open open_elapsed, 3",
            "4 admitted",
            "@100 half_open -> closed probes_succeeded, 4",
            "closed, 0 late, 0s 0f 0i, row 0s 0f",
        ]
    );
}

#[test]
fn r06_a_probe_that_ends_at_its_deadline_is_overdue() {
    let config = format!("probe_deadline = \"10ms\"\n{HAIR_TRIGGER}");
    let overdue = story(&config, &["0,0,failure", "100,10,success"]);
    assert_eq!(
        overdue[2..],
        [
            "@100 open -> half_open open_elapsed, 3",
            "3 admitted",
            "@110 half_open -> open probe_overdue, 4",
            "open, 1 late, 0s 1f 0i, row 0s 1f",
        ]
    );
    let in_time = story(&config, &["0,0,failure", "100,9.999999,success"]);
    assert_eq!(
        in_time[4],
        "@109.999999 half_open -> closed probes_succeeded, 4"
    );
}

#[test]
fn r07_transitions_stand_between_calls_at_their_own_time() {
    let config = format!("probe_deadline = \"10ms\"\n{HAIR_TRIGGER}");
    // The probe hangs: while it does, the breaker opens and half opens by itself.
    let calls = ["0,0,failure", "150,1000,success", "500,0,success"];
    assert_eq!(
        story(&config, &calls)[1..],
        [
            "@0 closed -> open consecutive_failures, 2",
            "@100 open -> half_open open_elapsed, 3",
            "3 admitted",
            "@160 half_open -> open probe_overdue, 4",
            "@260 open -> half_open open_elapsed, 5",
            "4 admitted",
            "@500 half_open -> closed probes_succeeded, 6",
            "closed, 1 late, 0s 0f 0i, row 0s 0f",
        ]
    );
}

#[test]
fn time_stops_at_the_last_event() {
    let calls = ["0,0,failure", "99,1000,success"];
    assert_eq!(
        story(HAIR_TRIGGER, &calls)[2..],
        ["3 rejected open 1", "open, 0 late, 0s 1f 0i, row 0s 1f"],
        "a rejected call is not in flight, so nothing ends after it"
    );
    let calls = ["0,300,success", "0,0,failure"];
    assert_eq!(
        story(HAIR_TRIGGER, &calls)[3..],
        [
            "@100 open -> half_open open_elapsed, 3",
            "half_open, 1 late, 0s 0f 0i, row 0s 0f"
        ],
        "the last end is an event, and the deadline before it passes"
    );
}

#[test]
fn r02_a_verdict_of_an_older_generation_is_late_and_changes_nothing() {
    // Admitted while Closed, they end while Open, HalfOpen and Closed again.
    let calls = [
        "0,50,failure",
        "0,130,failure",
        "0,180,failure",
        "1,0,failure",
        "120,20,success",
        "190,0,ignored",
    ];
    assert_eq!(
        story(HAIR_TRIGGER, &calls)[4..],
        [
            "@1 closed -> open consecutive_failures, 2",
            "@101 open -> half_open open_elapsed, 3",
            "6 admitted",
            "@140 half_open -> closed probes_succeeded, 4",
            "7 admitted",
            "closed, 3 late, 0s 0f 1i, row 0s 0f",
        ]
    );
}

#[test]
fn r01_half_open_admits_as_many_as_are_out_or_succeeded_and_an_ignored_one_hands_back() {
    let config = HAIR_TRIGGER.replace("probes = 1", "probes = 2");
    let calls = [
        "0,0,failure",
        "100,5,success",
        "100,9,ignored",
        "100,1,success",
        "108.999999,0,success",
        "109,1,success",
    ];
    assert_eq!(
        story(&config, &calls)[2..],
        [
            "@100 open -> half_open open_elapsed, 3",
            "3 admitted",
            "4 admitted",
            "5 rejected half_open null",
            "6 rejected half_open null",
            "7 admitted",
            "@110 half_open -> closed probes_succeeded, 4",
            "closed, 0 late, 0s 0f 0i, row 0s 0f",
        ]
    );
}

#[test]
fn r09_a_fixed_window_sees_a_burst_that_straddles_its_end_in_two_halves() {
    let config = "window = { fixed = \"10ms\" }\ntrip = { consecutive_failures = 2 }";
    // Fails at 9, 10 (where the next window begins) and 19.5 (still in that one).
    let calls = ["4,5,failure", "9.5,0.5,failure", "11,8.5,failure"];
    assert_eq!(
        story(config, &calls)[2..4],
        ["4 admitted", "@19.5 closed -> open consecutive_failures, 2"]
    );
}

#[test]
fn r09_a_later_fixed_window_begins_with_the_first_call_after_the_former() {
    let config = "window = { fixed = \"10ms\" }\ntrip = { consecutive_failures = 2 }";
    // From 25 to 35: aligned windows would end at 30 and hold one failure each.
    let calls = ["0,0,failure", "25,1,failure", "34,0.999999,failure"];
    assert_eq!(
        story(config, &calls)[3],
        "@34.999999 closed -> open consecutive_failures, 2"
    );
    let calls = ["0,0,failure", "25,1,failure", "34,1,failure"];
    assert_eq!(
        story(config, &calls)[3],
        "closed, 0 late, 0s 1f 0i, row 0s 1f"
    );
}

#[test]
fn r09_a_verdict_counts_when_it_is_settled_however_long_the_call_took() {
    let config = "window = { fixed = \"10ms\" }\ntrip = { consecutive_failures = 2 }";
    assert_eq!(
        story(config, &["0,50,failure", "0,51,failure"])[2],
        "@51 closed -> open consecutive_failures, 2"
    );
}

#[test]
fn r09_a_rolling_window_lets_go_of_a_slice_at_a_time() {
    let config = "window = { rolling = \"10ms\", slices = 2 }\ntrip = { consecutive_failures = 2 }";
    // The slices are 0 to 5, 5 to 10, ...: the failure at 4.9 leaves at 10.
    assert_eq!(
        story(config, &["4.9,0,failure", "9.999999,0,failure"])[2],
        "@9.999999 closed -> open consecutive_failures, 2"
    );
    let calls = ["4.9,0,failure", "10,0,failure", "19.999999,0,failure"];
    assert_eq!(
        story(config, &calls)[3],
        "@19.999999 closed -> open consecutive_failures, 2"
    );
    let calls = ["4.9,0,failure", "10,0,failure", "20,0,failure"];
    assert_eq!(
        story(config, &calls)[3],
        "closed, 0 late, 0s 1f 0i, row 0s 1f"
    );
}

#[test]
fn r09_the_last_calls_really_slide() {
    let config = "window = { last = 3 }\ntrip = { failure_rate = { percent = 60, min_calls = 3 } }";
    // f s s, s pushes f out, then s f f is 2 of 3; of all six it would be half.
    let calls = [
        "0,0,failure",
        "1,0,success",
        "2,0,success",
        "3,0,success",
        "4,0,failure",
        "5,0,failure",
    ];
    assert_eq!(
        story(config, &calls)[6..],
        [
            "@5 closed -> open failure_rate, 2",
            "open, 0 late, 1s 2f 0i, row 0s 2f"
        ]
    );
}

#[test]
fn r04_ignored_calls_and_calls_in_flight_are_in_no_rate() {
    let config =
        format!("{UNBOUNDED}\ntrip = {{ failure_rate = {{ percent = 50, min_calls = 4 }} }}");
    let calls = [
        "0,100,success",
        "0,0,ignored",
        "0,0,success",
        "0,0,failure",
        "1,0,failure",
        "2,0,success",
        "3,0,failure",
    ];
    // s f f s is half, but a success never opens; then s f f s f.
    assert_eq!(
        story(&config, &calls)[7..],
        [
            "@3 closed -> open failure_rate, 2",
            "open, 1 late, 2s 3f 1i, row 0s 1f"
        ]
    );
}

#[test]
fn r08_each_opening_in_a_row_is_longer_up_to_the_max() {
    let config = r#"
        open_for = { initial = "10ms", max = "40ms", factor = 2, jitter_percent = 0 }
        probes = 1
        trip = { consecutive_failures = 1 }
    "#;
    let calls = [
        "0,0,failure",
        "10,0,failure",
        "30,0,failure",
        "70,0,failure",
        "109,0,success",
    ];
    let rejected = "6 rejected open 1".to_owned();
    assert!(story(config, &calls).contains(&rejected));
}

#[test]
fn a_log_may_begin_at_a_unix_timestamp_and_keeps_its_nanoseconds() {
    let calls = [
        "1763884296123.456789,0.000001,failure",
        "1763884296124,1,success",
    ];
    let config = HAIR_TRIGGER.to_owned();
    let log = format!("start_ms,duration_ms,outcome\n{}", calls.join("\n"));
    let replayed = crate::replay(&config, log, &["--json"]);
    let lines: Vec<_> = replayed.stdout.lines().collect();
    assert_eq!(
        lines[..3],
        [
            r#"{"type":"call","line":2,"at_ms":1763884296123.456789,"decision":"admitted"}"#,
            r#"{"type":"transition","at_ms":1763884296123.45679,"from":"closed","to":"open","reason":"consecutive_failures","generation":2}"#,
            r#"{"type":"call","line":3,"at_ms":1763884296124,"decision":"rejected","reason":"open","retry_after_ms":99.45679}"#,
        ]
    );
}

const UNBOUNDED: &str = "window = \"unbounded\"";
