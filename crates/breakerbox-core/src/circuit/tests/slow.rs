use super::*;

const HALF_SLOW: BreakerConfig = TWO_IN_ROW
    .slow_after(SECOND)
    .trip_on(TripPolicy::slow_rate(Ratio::percent(50), 4));

impl Bench {
    fn slow_call(&mut self, outcome: Outcome) {
        let ticket = self.acquire();
        self.circuit.settle_slow(ticket, outcome, self.now);
    }
}

#[test]
fn r14_slow_calls_count_beside_their_outcome() {
    let mut bench = Bench::new(TWO_IN_ROW.slow_after(SECOND));
    bench.slow_call(SUCCESS);
    bench.slow_call(FAILURE);
    bench.slow_call(IGNORED);
    bench.call(SUCCESS);
    assert_eq!(bench.counts(), [2, 1, 1, 1, 0]);
    assert_eq!(
        bench.circuit.counts().slow,
        2,
        "what is ignored is not slow either"
    );
}

#[test]
fn r14_a_slow_success_opens_when_enough_calls_were_slow() {
    let mut bench = Bench::new(HALF_SLOW);
    bench.slow_call(SUCCESS);
    bench.calls(&[SUCCESS, SUCCESS]);
    assert_eq!(bench.circuit.state(), Closed);
    bench.slow_call(SUCCESS);
    assert_eq!(bench.circuit.state(), Open);
    let reason = bench.circuit.last_transition().unwrap().reason;
    assert_eq!(reason, Reason::Tripped(TripReason::SlowRate));
}

#[test]
fn r14_a_slow_call_leaves_the_window_with_its_verdict() {
    let mut bench = Bench::new(HALF_SLOW.window(Window::last(4)));
    bench.slow_call(SUCCESS);
    bench.calls(&[SUCCESS; 4]);
    assert_eq!(bench.circuit.counts().slow, 0);
    bench.slow_call(SUCCESS);
    assert_eq!(bench.circuit.state(), Closed);
}

#[test]
fn r05_where_slowness_is_watched_a_slow_probe_opens() {
    let mut bench = Bench::new(HALF_SLOW);
    for _ in 0..4 {
        bench.slow_call(SUCCESS);
    }
    bench.pass_to_deadline();
    bench.call(SUCCESS);
    bench.slow_call(SUCCESS);
    let last = bench.circuit.last_transition().unwrap();
    assert_eq!((last.to, last.reason), (Open, Reason::ProbeSlow));
}

#[test]
fn r05_where_slowness_is_not_watched_a_slow_probe_is_a_success() {
    let mut bench = Bench::half_opened(TWO_IN_ROW.slow_after(SECOND));
    bench.slow_call(SUCCESS);
    bench.slow_call(SUCCESS);
    assert_eq!(bench.circuit.state(), Closed);
}

#[test]
fn r17_a_rate_of_slow_calls_needs_something_to_be_slow() {
    let refused = |config| Circuit::new(config, 1, epoch()).unwrap_err().to_string();
    let never_slow = TWO_IN_ROW.trip_on(TripPolicy::slow_rate(Ratio::percent(50), 4));
    assert!(refused(never_slow).contains("it needs slow_after"));
    let cut_off = HALF_SLOW.call_timeout(SECOND / 2);
    assert!(refused(cut_off).contains("call_timeout ends them after 500ms"));
}
