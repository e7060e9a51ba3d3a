use super::*;

/// What `text` is read as, or the message with the line it points to.
fn read(text: &str) -> Result<BreakerConfig, String> {
    let file: ConfigFile = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1);
        format!("{line:?} {}", error.message())
    })?;
    BreakerConfig::try_from(file).map_err(|error| error.to_string())
}

#[test]
fn an_empty_file_is_the_default() {
    assert_eq!(read(""), Ok(BreakerConfig::new()));
}

#[test]
fn each_key_is_read() {
    let seconds = Duration::from_secs;
    let config = read(
        r#"
        window = { fixed = "3s" }
        open_for = "1m 30s"
        healthy_span = "2s"
        probes = 7
        probe_deadline = "never"
        retry_after_cap = "250ms"
        abandoned = { failure_after = "2s" }
        orphaned = "reject"
        call_timeout = "9s"
        slow_after = "8s"
        [trip]
        consecutive_failures = 4
        failure_rate = { percent = 12.5, min_calls = 20 }
        slow_rate = { percent = 30, min_calls = 10 }
        "#,
    );
    let expected = BreakerConfig::new()
        .window(Window::fixed(seconds(3)))
        .open_for(Backoff::fixed(seconds(90)))
        .healthy_span(seconds(2))
        .probes(7)
        .without_probe_deadline()
        .retry_after_cap(Duration::from_millis(250))
        .abandoned(Abandoned::FailureAfter(seconds(2)))
        .orphaned(Orphaned::Reject)
        .call_timeout(seconds(9))
        .slow_after(seconds(8))
        .trip_on(
            TripPolicy::consecutive_failures(4)
                .or(TripPolicy::failure_rate(
                    Ratio::parts_per_million(125_000),
                    20,
                ))
                .or(TripPolicy::slow_rate(Ratio::percent(30), 10)),
        );
    assert_eq!(config, Ok(expected));
}

#[test]
fn each_shape_of_window_and_backoff_is_read() {
    let second = Duration::from_secs(1);
    let window = |text: &str| read(&format!("window = {text}")).map(|config| config.window);
    assert_eq!(window(r#""unbounded""#), Ok(Window::unbounded()));
    assert_eq!(window("{ last = 100 }"), Ok(Window::last(100)));
    assert_eq!(
        window(r#"{ rolling = "1s", slices = 4 }"#),
        Ok(Window::rolling(second, 4))
    );
    let backoff =
        read(r#"open_for = { initial = "1s", max = "9s", factor = 3, jitter_percent = 20 }"#);
    assert_eq!(
        backoff.map(|config| config.open_for),
        Ok(Backoff::exponential(second, 9 * second)
            .factor(3)
            .jitter(Ratio::percent(20)))
    );
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_what_would_be_right() {
    for (text, line, said) in [
        ("\nprobe = 3", 2, "unknown field `probe`"),
        ("\nprobes = 0", 2, "0 is out of range, expected 1 to 65535"),
        (
            "probes = 70000",
            1,
            "70000 is out of range, expected 1 to 65535",
        ),
        ("probes = -1", 1, "-1 is out of range, expected 1 to 65535"),
        ("\n\nopen_for = \"60\"", 3, "is no duration"),
        (
            "open_for = \"0s\"",
            1,
            "is out of range, expected more than 0s",
        ),
        ("open_for = 60", 1, "expected \"60s\" or { initial"),
        (
            "open_for = { initial = \"9s\", max = \"1s\" }",
            1,
            "initial = 9s is longer than max = 1s",
        ),
        ("open_for = { initial = \"1s\" }", 1, "missing field `max`"),
        (
            "\nwindow = \"forever\"",
            2,
            "is no window, expected \"unbounded\"",
        ),
        (
            "window = { rolling = \"10s\" }",
            1,
            "these keys do not make a window, expected",
        ),
        (
            "window = { last = 0 }",
            1,
            "0 is out of range, expected 1 to 1048576",
        ),
        (
            "window = { rolling = \"1s\", slices = 2000 }",
            1,
            "expected 1 to 1024",
        ),
        ("probe_deadline = \"soon\"", 1, "is no duration"),
        (
            "abandoned = \"lost\"",
            1,
            "expected \"ignored\", \"failure\"",
        ),
        (
            "orphaned = \"panic\"",
            1,
            "expected \"admit\" or \"reject\"",
        ),
        (
            "probes = 3\n[trip]\n",
            2,
            "without a signal the breaker would never open",
        ),
        (
            "[trip]\nfailure_rate = { percent = 0, min_calls = 1 }",
            2,
            "percent = 0 would open the breaker",
        ),
        (
            "[trip]\nfailure_rate = { percent = 101, min_calls = 1 }",
            2,
            "expected 0 to 100",
        ),
        (
            "[trip]\nfailure_rate = { percent = nan, min_calls = 1 }",
            2,
            "expected 0 to 100",
        ),
        (
            "[trip]\nfailure_rate = { percent = 10 }",
            2,
            "missing field `min_calls`",
        ),
        (
            "[trip]\nconsecutive_failures = 0",
            2,
            "0 is out of range, expected 1 to",
        ),
        ("probes = \"x\"", 1, "expected a whole number of at least 1"),
        ("probes = 1.5", 1, "expected a whole number of at least 1"),
        ("healthy_span = 3", 1, "expected a duration such as"),
        ("trip = 4", 1, "expected a table with consecutive_failures"),
        (
            "trip = [6]",
            1,
            "expected a table with consecutive_failures",
        ),
        (
            "[[trip]]\nconsecutive_failures = 6",
            1,
            "expected a table with consecutive_failures",
        ),
        (
            "[trip]\nfailure_rate = [50, 3]",
            2,
            "expected { percent = 50",
        ),
        ("[trip]\nconsecutive = 6", 2, "unknown field `consecutive`"),
    ] {
        let refused = read(text).unwrap_err();
        assert!(refused.contains(said), "{text}: {refused}");
        assert!(
            refused.starts_with(&format!("Some({line})")),
            "{text}: {refused}"
        );
    }
}

#[test]
fn r17_a_policy_that_its_window_can_never_satisfy_is_refused() {
    for (policy, key) in [
        ("consecutive_failures = 11", "trip.consecutive_failures"),
        (
            "failure_rate = { percent = 50, min_calls = 20 }",
            "trip.failure_rate",
        ),
    ] {
        let refused = read(&format!("window = {{ last = 10 }}\n[trip]\n{policy}")).unwrap_err();
        assert!(
            refused.starts_with(key) && refused.contains("the last 10"),
            "{refused}"
        );
    }
    assert!(read("window = { last = 10 }\n[trip]\nconsecutive_failures = 10").is_ok());
    let refused = read("window = { last = 10 }").unwrap_err();
    assert!(refused.contains("the file does not set it"), "{refused}");
}
