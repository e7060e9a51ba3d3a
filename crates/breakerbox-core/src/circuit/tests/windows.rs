use super::*;

const PATIENT: BreakerConfig = TWO_IN_ROW.trip_on(TripPolicy::consecutive_failures(100));
const FIXED: BreakerConfig = PATIENT.window(Window::fixed(Duration::from_secs(10)));
const ROLLING: BreakerConfig = PATIENT.window(Window::rolling(Duration::from_secs(10), 5));

#[test]
fn r09_the_first_fixed_window_begins_with_the_generation() {
    let mut bench = Bench::new(FIXED);
    bench.pass(9 * SECOND);
    bench.call(FAILURE);
    bench.pass(SECOND - NANOSECOND);
    assert_eq!(bench.counts(), [0, 1, 0, 0, 1]);
    bench.pass(NANOSECOND);
    assert_eq!(bench.counts(), [0; 5]);
}

#[test]
fn r09_a_later_fixed_window_begins_with_the_first_call() {
    let mut bench = Bench::new(FIXED);
    bench.pass(HOUR);
    assert_eq!(
        (bench.circuit.next_deadline(), bench.circuit.standing().wake),
        (None, Wake::Asleep)
    );
    let _in_flight = bench.acquire();
    let begun = bench.now;
    assert_eq!(bench.circuit.standing().wake, Wake::Awake);
    bench.pass(9 * SECOND);
    bench.call(SUCCESS);
    assert_eq!(bench.circuit.next_deadline(), Some(begun + 10 * SECOND));
    bench.pass(SECOND);
    assert_eq!(bench.counts(), [0; 5]);
}

#[test]
fn r09_a_later_fixed_window_begins_with_the_first_verdict() {
    let mut bench = Bench::new(FIXED);
    let ticket = bench.acquire();
    bench.pass(HOUR);
    bench.settle(ticket, IGNORED);
    assert_eq!(bench.circuit.next_deadline(), Some(bench.now + 10 * SECOND));
    assert_eq!(bench.counts(), [0, 0, 1, 0, 0]);
}

#[test]
fn r09_neither_a_late_verdict_nor_a_rejected_call_begins_a_fixed_window() {
    let mut bench = Bench::new(FIXED);
    let old = bench.acquire();
    bench.circuit.reset(bench.now);
    bench.pass(HOUR);
    bench.settle(old, FAILURE);
    bench.force(Override::forced_open("test"));
    bench.rejected();
    assert_eq!(bench.circuit.standing().wake, Wake::Asleep);
}

#[test]
fn r09_a_rolling_window_lets_go_slice_by_slice_at_the_instants_of_its_generation() {
    let mut bench = Bench::new(ROLLING);
    bench.pass(SECOND);
    bench.call(FAILURE);
    bench.pass(SECOND - NANOSECOND);
    bench.call(SUCCESS);
    bench.pass(NANOSECOND);
    bench.call(FAILURE);
    bench.pass(8 * SECOND - NANOSECOND);
    assert_eq!(bench.counts(), [1, 2, 0, 0, 1]);
    bench.pass(NANOSECOND);
    assert_eq!(bench.counts(), [0, 1, 0, 0, 1]);
    bench.pass(2 * SECOND);
    assert_eq!(
        (bench.counts(), bench.circuit.next_deadline()),
        ([0; 5], None)
    );
}

#[test]
fn r09_a_rolling_window_stays_aligned_over_a_long_silence() {
    let mut bench = Bench::new(ROLLING);
    bench.pass(HOUR + SECOND);
    bench.call(FAILURE);
    assert_eq!(bench.circuit.next_deadline(), Some(bench.now + SECOND));
    bench.pass(9 * SECOND - NANOSECOND);
    assert_eq!(bench.counts(), [0, 1, 0, 0, 1]);
    bench.pass(NANOSECOND);
    assert_eq!(bench.counts(), [0; 5]);
}

#[test]
fn r09_slices_that_do_not_divide_a_span_are_rounded_up() {
    let thirds = PATIENT.window(Window::rolling(10 * SECOND, 3));
    let mut bench = Bench::new(thirds);
    bench.call(FAILURE);
    bench.pass(10 * SECOND);
    assert_eq!(bench.counts(), [0, 1, 0, 0, 1]);
    bench.pass(2 * NANOSECOND);
    assert_eq!(bench.counts(), [0; 5]);
}

#[test]
fn r09_the_last_calls_really_slide() {
    let rate = TripPolicy::failure_rate(Ratio::percent(100), 3);
    let mut bench = Bench::new(PATIENT.window(Window::last(3)).trip_on(rate));
    for (outcome, counts) in [
        (FAILURE, [0, 1, 0, 0, 1]),
        (SUCCESS, [1, 1, 0, 1, 0]),
        (FAILURE, [1, 2, 0, 0, 1]),
        (FAILURE, [1, 2, 0, 0, 2]),
        (FAILURE, [0, 3, 0, 0, 3]),
    ] {
        bench.pass(HOUR);
        bench.call(outcome);
        assert_eq!(bench.counts(), counts);
    }
    assert_eq!(bench.circuit.state(), Open);
}

#[test]
fn r09_ignored_calls_take_no_place_and_are_never_pushed_out() {
    let never = TripPolicy::custom(|_| false);
    let mut bench = Bench::new(TWO_IN_ROW.window(Window::last(2)).trip_on(never));
    bench.calls(&[IGNORED, SUCCESS, IGNORED, IGNORED, FAILURE, IGNORED]);
    assert_eq!(bench.counts(), [1, 1, 4, 0, 1]);
    bench.call(FAILURE);
    assert_eq!(bench.counts(), [0, 2, 4, 0, 2]);
}

#[test]
fn r09_an_unbounded_window_forgets_nothing() {
    let mut bench = Bench::new(PATIENT);
    for _ in 0..50 {
        bench.call(FAILURE);
        bench.pass(HOUR);
    }
    assert_eq!(
        (bench.counts(), bench.circuit.next_deadline()),
        ([0, 50, 0, 0, 50], None)
    );
}

#[test]
fn r09_half_open_counts_from_its_start_without_a_window() {
    for window in [
        Window::fixed(SECOND),
        Window::last(2),
        Window::rolling(SECOND, 2),
    ] {
        let mut bench = Bench::half_opened(TWO_IN_ROW.probes(4).window(window));
        for _ in 0..3 {
            bench.call(SUCCESS);
            bench.pass(HOUR);
        }
        assert_eq!(bench.counts(), [3, 0, 0, 3, 0], "{window}");
    }
}

#[test]
fn r09_a_call_that_takes_longer_than_the_window_counts_when_it_is_settled() {
    for config in [FIXED, ROLLING] {
        let mut bench = Bench::new(config.trip_on(TripPolicy::consecutive_failures(2)));
        let hangs = [bench.acquire(), bench.acquire()];
        bench.pass(HOUR);
        for ticket in hangs {
            bench.settle(ticket, FAILURE);
        }
        assert_eq!(bench.circuit.state(), Open);
    }
}

#[test]
fn r10_a_streak_is_only_as_long_as_what_of_it_is_inside_the_window() {
    let mut bench = Bench::new(ROLLING.trip_on(TripPolicy::consecutive_failures(4)));
    bench.calls(&[FAILURE, FAILURE]);
    bench.pass(8 * SECOND);
    bench.call(FAILURE);
    assert_eq!(bench.counts(), [0, 3, 0, 0, 3]);
    bench.pass(2 * SECOND);
    bench.call(FAILURE);
    assert_eq!(
        (bench.counts(), bench.circuit.state()),
        ([0, 2, 0, 0, 2], Closed)
    );
}

#[test]
fn r10_successes_in_a_row_are_counted_alike_and_a_cleared_window_begins_at_nothing() {
    let mut bench = Bench::new(FIXED);
    bench.calls(&[FAILURE, SUCCESS, SUCCESS, IGNORED]);
    assert_eq!(bench.counts(), [2, 1, 1, 2, 0]);
    bench.pass(10 * SECOND);
    bench.call(SUCCESS);
    assert_eq!(bench.counts(), [1, 0, 0, 1, 0]);
}

#[test]
fn r10_a_streak_cut_by_the_window_stays_cut_when_the_breaker_opens() {
    let mut bench = Bench::new(FIXED.trip_on(TripPolicy::custom(|counts| counts.failures == 3)));
    bench.calls(&[FAILURE, FAILURE]);
    bench.pass(10 * SECOND);
    bench.calls(&[FAILURE, FAILURE, FAILURE]);
    bench.force(Override::forced_closed("test"));
    bench.call(FAILURE);
    assert_eq!(bench.counts(), [0, 4, 0, 0, 4]);
}

#[test]
fn r09_verdicts_folded_past_a_windows_end_never_open_a_healthy_breaker() {
    let tally = |failures, successes| Tally {
        failures,
        successes,
        ..Tally::default()
    };
    let half = TripPolicy::failure_rate(Ratio::percent(50), 4);
    // Successes and failures that were folded, and how many are inside when they
    // are taken in that long after the window began.
    for (window, folded, taken_at, inside) in [
        // Within the window.
        (FIXED, (7, 4), 9, (7, 4)),
        (ROLLING, (7, 4), 1, (7, 4)),
        // A success may be of the window that has begun since, a failure is not.
        (FIXED, (1_000, 4), 10, (1_000, 0)),
        (FIXED, (99, 1), 3_600, (99, 0)),
        (ROLLING, (7, 4), 3, (7, 4)),
        // The first slice of five, each of 2 s, has left after 10 s.
        (ROLLING, (7, 4), 9, (7, 4)),
        (ROLLING, (7, 4), 10, (7, 0)),
        (ROLLING, (7, 4), 3_600, (7, 0)),
    ] {
        let mut bench = Bench::new(window.trip_on(half));
        let ticket = bench.acquire();
        bench.settle(ticket, IGNORED);
        let (successes, failures) = folded;
        let now = bench.now + taken_at * SECOND;
        bench.circuit.absorb(&tally(failures, successes), now);
        let counts = bench.circuit.counts();
        assert_eq!((counts.successes, counts.failures), inside, "{taken_at} s");
        bench.now = now;
        bench.call(FAILURE);
        assert_eq!(bench.circuit.state(), Closed, "{taken_at} s: {counts}");
    }
}
