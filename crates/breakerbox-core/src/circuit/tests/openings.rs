use super::*;

/// One failure opens, one probe decides; 1, 2, 4, 8 s.
const DOUBLING: BreakerConfig = BreakerConfig::new()
    .healthy_span(Duration::from_secs(60))
    .open_for(Backoff::exponential(SECOND, Duration::from_secs(8)))
    .probes(1)
    .retry_after_cap(Duration::from_secs(100))
    .trip_on(TripPolicy::consecutive_failures(1))
    .window(Window::unbounded());

#[test]
fn r08_each_opening_in_a_row_lasts_longer_up_to_the_limit() {
    let mut bench = Bench::opened(DOUBLING);
    let mut lasted = vec![bench.open_for().as_secs()];
    for _ in 0..4 {
        bench.pass_to_deadline();
        lasted.push(bench.fail_probe().as_secs());
    }
    assert_eq!(lasted, [1, 2, 4, 8, 8]);
}

#[test]
fn r08_closing_does_not_forget_openings_but_each_healthy_span_forgets_one() {
    for (healthy, lasts) in [
        (Duration::ZERO, 8),
        (MINUTE - NANOSECOND, 8),
        (MINUTE, 4),
        (2 * MINUTE - NANOSECOND, 4),
        (2 * MINUTE, 2),
        (3 * MINUTE, 1),
        (24 * HOUR, 1),
    ] {
        let mut bench = Bench::half_opened(DOUBLING);
        for _ in 0..2 {
            bench.fail_probe();
            bench.pass_to_deadline();
        }
        bench.call(SUCCESS);
        bench.pass(healthy);
        bench.call(FAILURE);
        assert_eq!(bench.open_for(), lasts * SECOND, "after {healthy:?}");
    }
}

#[test]
fn r08_healthy_spans_of_two_closings_do_not_add_up() {
    let mut bench = Bench::half_opened(DOUBLING);
    for _ in 0..2 {
        bench.call(SUCCESS);
        bench.pass(MINUTE / 2);
        bench.call(FAILURE);
        bench.pass_to_deadline();
    }
    assert_eq!(bench.fail_probe(), 8 * SECOND);
}

#[test]
fn r08_a_reset_forgets_all_openings() {
    let mut bench = Bench::half_opened(DOUBLING);
    bench.fail_probe();
    bench.circuit.reset(bench.now);
    bench.call(FAILURE);
    assert_eq!(bench.open_for(), SECOND);
}

#[test]
fn r08_a_very_small_backoff_still_grows_to_its_limit() {
    let tiny = Backoff::exponential(NANOSECOND, HOUR);
    assert_eq!(tiny.longest(33), Duration::from_nanos(1 << 32));
    assert_eq!(tiny.longest(60), HOUR);
    assert_eq!(tiny.longest(u32::MAX), HOUR);
    let longest = Backoff::exponential(crate::span::LONGEST, crate::span::LONGEST);
    assert_eq!(
        longest.factor(u32::MAX).longest(u32::MAX),
        crate::span::LONGEST
    );
}

#[test]
fn r08_jitter_shortens_an_opening_and_another_seed_shortens_it_otherwise() {
    let jittered = DOUBLING.open_for(Backoff::fixed(10 * SECOND).jitter(Ratio::percent(50)));
    let opening = |seed| {
        let now = epoch();
        let mut circuit = Circuit::new(jittered, seed, now).unwrap();
        let ticket = circuit.try_acquire(now).unwrap();
        circuit.settle(ticket, FAILURE, now);
        circuit.next_deadline().unwrap() - now
    };
    assert_eq!(opening(1), opening(1));
    assert_ne!(opening(1), opening(2));
    assert!((1..100).all(|seed| (5 * SECOND..=10 * SECOND).contains(&opening(seed))));
}

#[test]
fn r08_retry_after_lengthens_an_opening_up_to_the_cap_and_never_shortens_it() {
    for (asked, lasts) in [
        (Duration::ZERO, SECOND),
        (SECOND - NANOSECOND, SECOND),
        (30 * SECOND, 30 * SECOND),
        (100 * SECOND, 100 * SECOND),
        (101 * SECOND, 100 * SECOND),
        (Duration::MAX, 100 * SECOND),
    ] {
        let mut bench = Bench::new(DOUBLING);
        bench.call(Outcome::failure_after(asked));
        assert_eq!(bench.open_for(), lasts, "asked for {asked:?}");
        assert_eq!(bench.changes()[0].until, Some(bench.now + lasts));
    }
}

#[test]
fn r08_the_longest_retry_after_of_the_generation_counts_from_when_it_was_asked() {
    let mut bench = Bench::new(DOUBLING.trip_on(TripPolicy::consecutive_failures(4)));
    bench.call(Outcome::failure_after(30 * SECOND));
    bench.pass(5 * SECOND);
    bench.calls(&[Outcome::failure_after(20 * SECOND), FAILURE, FAILURE]);
    assert_eq!(bench.open_for(), 25 * SECOND);

    bench.pass_to_deadline();
    assert_eq!(bench.fail_probe(), 2 * SECOND);
    bench.pass_to_deadline();
    bench.call(Outcome::failure_after(50 * SECOND));
    assert_eq!(bench.open_for(), 50 * SECOND);
}

#[test]
fn r08_what_a_failure_asked_for_ends_with_its_generation() {
    let mut bench = Bench::new(DOUBLING.trip_on(TripPolicy::consecutive_failures(2)));
    bench.call(Outcome::failure_after(30 * SECOND));
    bench.circuit.reset(bench.now);
    bench.calls(&[FAILURE, FAILURE]);
    assert_eq!(bench.open_for(), SECOND);
}

#[test]
fn r08_a_rejection_says_why_and_when_to_come_back() {
    let mut bench = Bench::opened(DOUBLING);
    let until = bench.circuit.next_deadline();
    let rejected = bench.rejected();
    assert_eq!(rejected, Rejected::new(RejectReason::Open, until));
    assert_eq!(rejected.retry_after(bench.now), Some(SECOND));
    bench.pass_to_deadline();
    let _probe = bench.acquire();
    assert_eq!(
        bench.rejected(),
        Rejected::new(RejectReason::HalfOpen, None)
    );
}

#[test]
fn r24_a_rejection_never_says_to_come_back_after_no_time() {
    let mut bench = Bench::opened(TWO_IN_ROW);
    let rejected = bench.rejected();
    bench.pass_to_deadline();
    assert_eq!(rejected.retry_after(bench.now), Some(NANOSECOND));
    assert_eq!(rejected.retry_after(bench.now + HOUR), Some(NANOSECOND));
}

/// What a box may forget of a breaker that nobody holds.
#[test]
fn r27_only_what_has_nothing_to_remember_is_blank() {
    let config = TWO_IN_ROW
        .window(Window::fixed(MINUTE))
        .probes(1)
        .healthy_span(HOUR)
        .ramp(crate::Ramp::linear(Ratio::percent(50), 2 * HOUR));
    let mut bench = Bench::new(config);
    assert!(bench.circuit.is_blank(), "it is new");
    for (outcome, is_kept) in [(IGNORED, false), (SUCCESS, true), (FAILURE, true)] {
        bench.call(outcome);
        assert_eq!(!bench.circuit.is_blank(), is_kept, "{outcome:?}");
        bench.pass(MINUTE);
        assert!(bench.circuit.is_blank(), "{outcome:?} has left the window");
    }
    bench.force(Override::forced_closed("test"));
    assert!(!bench.circuit.is_blank(), "an operator's word");
    bench.circuit.release(bench.now);
    bench.calls(&[FAILURE, FAILURE]);
    assert!(!bench.circuit.is_blank(), "Open");
    bench.pass_to_deadline();
    assert_eq!(
        (bench.circuit.state(), bench.circuit.is_blank()),
        (HalfOpen, true)
    );
    bench.call(SUCCESS);
    bench.pass(MINUTE);
    assert_eq!(bench.circuit.state(), Closed);
    assert!(
        !bench.circuit.is_blank(),
        "an opening is remembered, and it ramps"
    );
    bench.pass(HOUR);
    assert_eq!(bench.circuit.openings(), 0);
    assert!(!bench.circuit.is_blank(), "it ramps");
    bench.pass(HOUR);
    assert!(bench.circuit.is_blank());
}
