//! The conformance table of `sony/gobreaker` v2, in rows that can be read.
//!
//! Who comes from gobreaker may rely on everything below: each table plays one
//! group of gobreaker's own tests against a [`Circuit`]. Where the answers
//! differ the row says [`Step::Differs`], and holds gobreaker's answer, ours and
//! the reason. A tuple is `[requests, successes, failures, ignored, successes in
//! a row, failures in a row]`, where requests are the verdicts in the window and
//! the calls in flight of this generation.
//!
//! # Deliberate differences
//!
//! - **A verdict that crosses a window's end counts when it is settled.**
//!   gobreaker drops it, so that calls which take longer than the window are
//!   never counted and a peer that hangs never opens the breaker.
//! - **A deadline is over at its instant.** gobreaker needs a clock that reads
//!   strictly later; a timer that is told when to fire then fires once too early.
//! - **An Open breaker keeps the counts that opened it.** gobreaker clears them,
//!   and with them the answer to "why?".
//! - **Looking changes nothing.** gobreaker begins a fixed window when somebody
//!   asks for its state; here it begins with a call or a verdict.
//! - **No setting means another one when it is zero.** A window or an opening of
//!   no length and a breaker without probes are refused where they are written.
//! - **A call is settled once.** gobreaker's `done` may be called twice, which
//!   closes a breaker on one probe; settling a `Ticket` consumes it, so there is
//!   no row for that.
//! - **A panic is the runtime's to catch.** Here it is the failure that it counts
//!   as.

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use State::{Closed, HalfOpen, Open};
use Step::{
    Advance, Begin, Changed, Differs, Due, End, Exclude, Expect, Fail, Rejected, Reset, Succeed,
};
use breakerbox_core::{
    Backoff, BreakerConfig, Circuit, Outcome, Ratio, State, Ticket, TripPolicy, Window,
};

#[test]
fn group_2_a_new_breaker_is_closed_and_has_counted_nothing() {
    let start = [Expect(Closed, NOTHING), Due(None)];
    play(DEFAULTS, &start);
    play(ROLLING, &start);
    play(FIXED, &[Expect(Closed, NOTHING), Due(Some(30 * SECOND))]);
}

#[test]
fn group_2_zero_is_refused_and_never_means_a_default() {
    assert!(catch_unwind(|| Window::fixed(Duration::ZERO)).is_err());
    assert!(catch_unwind(|| Window::rolling(30 * SECOND, 0)).is_err());
    assert!(catch_unwind(|| Backoff::fixed(Duration::ZERO)).is_err());
    assert!(catch_unwind(|| DEFAULTS.probes(0)).is_err());
}

#[test]
fn group_3_the_defaults_open_on_the_sixth_failure_in_a_row_for_a_minute() {
    play(
        DEFAULTS,
        &[
            Fail(5),
            Expect(Closed, [5, 0, 5, 0, 0, 5]),
            Succeed(1),
            Expect(Closed, [6, 1, 5, 0, 1, 0]),
            Fail(1),
            Expect(Closed, [7, 1, 6, 0, 0, 1]),
            Fail(5),
            kept([12, 1, 11, 0, 0, 6]),
            Due(Some(MINUTE)),
            Rejected(2),
            kept([12, 1, 11, 0, 0, 6]),
            Advance(MINUTE - MILLISECOND),
            kept([12, 1, 11, 0, 0, 6]),
            Advance(SECOND),
            Expect(HalfOpen, NOTHING),
            Due(None),
            Fail(1),
            kept([1, 0, 1, 0, 0, 1]),
            Advance(MINUTE + NANOSECOND),
            Expect(HalfOpen, NOTHING),
            Succeed(1),
            Expect(Closed, NOTHING),
            Due(None),
        ],
    );
}

#[test]
fn group_3_an_opening_is_over_at_its_deadline() {
    play(
        DEFAULTS,
        &[
            Fail(6),
            Advance(MINUTE - NANOSECOND),
            kept([6, 0, 6, 0, 0, 6]),
            Advance(NANOSECOND),
            Differs {
                why: Why::DeadlineIsOver,
                gobreaker: (Open, NOTHING),
                ours: (HalfOpen, NOTHING),
            },
        ],
    );
}

#[test]
fn group_4_a_fixed_window_forgets_and_as_many_probes_close_as_are_admitted() {
    let mut steps = [Succeed(1), Fail(1), Exclude(1)].repeat(5);
    steps.extend([
        Expect(Closed, [15, 5, 5, 5, 0, 1]),
        Advance(30 * SECOND - MILLISECOND),
        Succeed(1),
        Expect(Closed, [16, 6, 5, 5, 1, 0]),
        Advance(SECOND),
        Fail(1),
        Expect(Closed, [1, 0, 1, 0, 0, 1]),
        Succeed(1),
        Fail(1),
        kept([3, 1, 2, 0, 0, 1]),
        Changed(Closed, Open),
        Advance(90 * SECOND + NANOSECOND),
        Expect(HalfOpen, NOTHING),
        Changed(Open, HalfOpen),
        Exclude(4),
        Expect(HalfOpen, [4, 0, 0, 4, 0, 0]),
        Fail(1),
        kept([5, 0, 1, 4, 0, 1]),
        Changed(HalfOpen, Open),
        Advance(90 * SECOND + NANOSECOND),
        Changed(Open, HalfOpen),
    ]);
    steps.extend(RECOVERY);
    steps.extend([Due(Some(30 * SECOND)), Changed(HalfOpen, Closed)]);
    play(FIXED, &steps);
}

#[test]
fn group_5_a_rolling_window_forgets_slice_by_slice() {
    let mut steps = [Succeed(1), Fail(1), Exclude(1)].repeat(5);
    steps.extend([
        Expect(Closed, [15, 5, 5, 5, 0, 1]),
        Advance(3 * SECOND),
        Succeed(1),
        Expect(Closed, [16, 6, 5, 5, 1, 0]),
        Advance(2 * SECOND),
        Succeed(1),
        Exclude(1),
        Expect(Closed, [18, 7, 5, 6, 2, 0]),
        Advance(2 * SECOND),
        Exclude(1),
        Succeed(1),
        Expect(Closed, [20, 8, 5, 7, 3, 0]),
        Advance(2 * SECOND),
        Fail(1),
        Expect(Closed, [21, 8, 6, 7, 0, 1]),
    ]);
    for i in 0..6 {
        steps.extend([Advance(3 * SECOND), Succeed(1), Fail(1)]);
        steps.push(Expect(Closed, [23 + 2 * i, 9 + i, 7 + i, 7, 0, 1]));
    }
    steps.extend([
        Advance(3 * SECOND),
        Fail(1),
        Expect(Closed, [19, 9, 8, 2, 0, 2]),
    ]);
    for i in 0..5 {
        steps.extend([Fail(1), Expect(Closed, [20 + i, 9, 9 + i, 2, 0, 3 + i])]);
    }
    steps.extend([
        Fail(1),
        kept([25, 9, 14, 2, 0, 8]),
        Advance(90 * SECOND + NANOSECOND),
        Expect(HalfOpen, NOTHING),
    ]);
    steps.extend(RECOVERY);
    steps.push(Due(None));
    play(ROLLING, &steps);
}

#[test]
fn group_6_a_panic_counts_as_a_failure() {
    play(DEFAULTS, &[Fail(1), Expect(Closed, [1, 0, 1, 0, 0, 1])]);
}

#[test]
fn group_7_a_call_that_crosses_the_end_of_its_window_counts_when_it_is_settled() {
    let crossing = |ours| Differs {
        why: Why::CountsWhenSettled,
        gobreaker: (Closed, NOTHING),
        ours: (Closed, ours),
    };
    play(
        FIXED,
        &[
            Advance(29 * SECOND),
            Succeed(1),
            Begin("slow"),
            Advance(SECOND / 2),
            Expect(Closed, [2, 1, 0, 0, 1, 0]),
            Advance(SECOND / 2 + NANOSECOND),
            crossing([1, 0, 0, 0, 0, 0]),
            Advance(SECOND / 2),
            End("slow", Outcome::Success),
            crossing([1, 1, 0, 0, 1, 0]),
        ],
    );
}

#[test]
fn group_7_calls_that_all_take_longer_than_the_window_still_open() {
    for window in [Window::fixed(SECOND), Window::rolling(SECOND, 10)] {
        let hangs = ["1", "2", "3", "4", "5", "6"];
        let mut steps = hangs.map(Begin).to_vec();
        steps.push(Advance(1_100 * MILLISECOND));
        steps.extend(hangs.map(|name| End(name, Outcome::failure())));
        steps.push(Differs {
            why: Why::CountsWhenSettled,
            gobreaker: (Closed, NOTHING),
            ours: (Open, [6, 0, 6, 0, 0, 6]),
        });
        play(DEFAULTS.window(window), &steps);
    }
}

#[test]
fn group_7_a_call_from_before_the_outage_decides_nothing_about_the_recovery() {
    for outcome in [Outcome::Success, Outcome::failure(), Outcome::Ignored] {
        play(
            DEFAULTS,
            &[
                Begin("slow"),
                Fail(6),
                Advance(MINUTE + NANOSECOND),
                End("slow", outcome),
                Expect(HalfOpen, NOTHING),
            ],
        );
    }
}

#[test]
fn group_7_looking_at_a_breaker_begins_no_window() {
    play(
        FIXED,
        &[
            Advance(31 * SECOND),
            Expect(Closed, NOTHING),
            Advance(19 * SECOND),
            Fail(1),
            Expect(Closed, [1, 0, 1, 0, 0, 1]),
            Advance(12 * SECOND),
            Differs {
                why: Why::LookingChangesNothing,
                gobreaker: (Closed, NOTHING),
                ours: (Closed, [1, 0, 1, 0, 0, 1]),
            },
        ],
    );
}

#[test]
fn group_8_whoever_classifies_the_call_decides_what_it_counts_as() {
    play(
        DEFAULTS,
        &[
            Succeed(5),
            Expect(Closed, [5, 5, 0, 0, 5, 0]),
            Reset,
            Expect(Closed, NOTHING),
            Fail(6),
            kept([6, 0, 6, 0, 0, 6]),
        ],
    );
}

#[test]
fn group_9_an_excluded_call_is_in_no_streak() {
    play(
        DEFAULTS,
        &[
            Exclude(3),
            Expect(Closed, [3, 0, 0, 3, 0, 0]),
            Succeed(3),
            Expect(Closed, [6, 3, 0, 3, 3, 0]),
            Fail(2),
            Expect(Closed, [8, 3, 2, 3, 0, 2]),
        ],
    );
}

#[test]
fn group_11_in_two_steps_the_probes_that_are_out_are_all_there_are() {
    play(
        DEFAULTS.probes(2),
        &[
            Fail(5),
            Expect(Closed, [5, 0, 5, 0, 0, 5]),
            Succeed(1),
            Expect(Closed, [6, 1, 5, 0, 1, 0]),
            Fail(1),
            Expect(Closed, [7, 1, 6, 0, 0, 1]),
            Fail(5),
            kept([12, 1, 11, 0, 0, 6]),
            Rejected(3),
            Advance(MINUTE - MILLISECOND),
            kept([12, 1, 11, 0, 0, 6]),
            Advance(SECOND),
            Expect(HalfOpen, NOTHING),
            Begin("first"),
            Begin("second"),
            Rejected(2),
            End("first", Outcome::Ignored),
            End("second", Outcome::Ignored),
            Succeed(1),
            Expect(HalfOpen, [3, 1, 0, 2, 1, 0]),
            Fail(1),
            kept([4, 1, 1, 2, 0, 1]),
            Advance(MINUTE + NANOSECOND),
            Expect(HalfOpen, NOTHING),
            Succeed(2),
            Expect(Closed, NOTHING),
        ],
    );
}

#[test]
fn group_12_counts_add_up_and_a_reset_clears_them() {
    play(
        DEFAULTS,
        &[
            Succeed(2),
            Fail(2),
            Exclude(1),
            Expect(Closed, [5, 2, 2, 1, 0, 2]),
            Reset,
            Expect(Closed, NOTHING),
        ],
    );
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes.
    Advance(Duration),
    /// A call of this name is admitted and stays in flight.
    Begin(&'static str),
    /// The next change of state that is reported.
    Changed(State, State),
    /// Where the two answer differently.
    Differs {
        why: Why,
        gobreaker: Seen,
        ours: Seen,
    },
    /// How far away the next deadline is.
    Due(Option<Duration>),
    /// The call of this name ends.
    End(&'static str, Outcome),
    /// So many calls that judge nothing.
    Exclude(u32),
    /// State and counts, alike in both.
    Expect(State, Tuple),
    /// So many calls that fail.
    Fail(u32),
    /// So many calls that are not admitted.
    Rejected(u32),
    /// The operator clears the breaker.
    Reset,
    /// So many calls that succeed.
    Succeed(u32),
}

/// Which of the differences in this file's head a row shows.
#[derive(Clone, Copy, Debug)]
enum Why {
    CountsWhenSettled,
    DeadlineIsOver,
    KeepsItsEvidence,
    LookingChangesNothing,
}

type Seen = (State, Tuple);
type Tuple = [u64; 6];

/// Open, where gobreaker has cleared its counts and a breaker here has not.
const fn kept(evidence: Tuple) -> Step {
    Differs {
        why: Why::KeepsItsEvidence,
        gobreaker: (Open, NOTHING),
        ours: (Open, evidence),
    }
}

fn play(config: BreakerConfig, steps: &[Step]) {
    let mut table = Table::new(config);
    for (row, step) in steps.iter().enumerate() {
        table.play(*step, &format!("row {row}, {step:?}"));
    }
}

struct Table {
    circuit: Circuit,
    in_flight: Vec<(&'static str, Ticket)>,
    now: Instant,
}

impl Table {
    fn new(config: BreakerConfig) -> Self {
        let now = epoch();
        Self {
            circuit: Circuit::new(config, 1, now).expect("the table's configurations are sound"),
            in_flight: Vec::new(),
            now,
        }
    }

    fn play(&mut self, step: Step, row: &str) {
        match step {
            Advance(span) => {
                self.now += span;
                self.circuit.handle_deadline(self.now);
            }
            Begin(name) => {
                let ticket = self.circuit.try_acquire(self.now).expect(row);
                self.in_flight.push((name, ticket));
            }
            Changed(from, to) => {
                let change = self.circuit.poll_transition().expect(row);
                assert_eq!((change.from, change.to), (from, to), "{row}");
            }
            Differs {
                why,
                gobreaker,
                ours,
            } => {
                assert_ne!(gobreaker, ours, "{row} is no difference");
                assert_eq!(self.seen(), ours, "{row}, {why:?}");
            }
            Due(span) => {
                let due = self.circuit.next_deadline();
                assert_eq!(due.map(|due| due - self.now), span, "{row}");
            }
            End(name, outcome) => self.end(name, outcome),
            Exclude(calls) => self.call(calls, Outcome::Ignored, row),
            Expect(state, tuple) => assert_eq!(self.seen(), (state, tuple), "{row}"),
            Fail(calls) => self.call(calls, Outcome::failure(), row),
            Rejected(calls) => (0..calls).for_each(|_| {
                assert!(self.circuit.try_acquire(self.now).is_err(), "{row}");
            }),
            Reset => self.circuit.reset(self.now),
            Succeed(calls) => self.call(calls, Outcome::Success, row),
        }
    }

    fn call(&mut self, calls: u32, outcome: Outcome, row: &str) {
        for _ in 0..calls {
            let ticket = self.circuit.try_acquire(self.now).expect(row);
            self.circuit.settle(ticket, outcome, self.now);
        }
    }

    fn end(&mut self, name: &str, outcome: Outcome) {
        let place = self.in_flight.iter().position(|(begun, _)| *begun == name);
        let (_, ticket) = self
            .in_flight
            .remove(place.expect("a call ends that has begun"));
        self.circuit.settle(ticket, outcome, self.now);
    }

    fn seen(&self) -> Seen {
        let generation = self.circuit.generation();
        let in_flight = self.in_flight.iter();
        let in_flight = in_flight.filter(|(_, ticket)| ticket.generation() == generation);
        let counts = self.circuit.counts();
        let requests = counts.judged() + counts.ignored + in_flight.count() as u64;
        let tuple = [
            requests,
            counts.successes,
            counts.failures,
            counts.ignored,
            counts.consecutive_successes,
            counts.consecutive_failures,
        ];
        (self.circuit.state(), tuple)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has to begin at some instant"
)]
fn epoch() -> Instant {
    Instant::now()
}

/// Three probes close, of which the last one is slow; a fourth is not admitted.
const RECOVERY: [Step; 8] = [
    Succeed(2),
    Expect(HalfOpen, [2, 2, 0, 0, 2, 0]),
    Begin("slow"),
    Expect(HalfOpen, [3, 2, 0, 0, 2, 0]),
    Rejected(1),
    Advance(SECOND),
    End("slow", Outcome::Success),
    Expect(Closed, NOTHING),
];

/// gobreaker's settings without any.
const DEFAULTS: BreakerConfig = BreakerConfig::gobreaker();
/// gobreaker's test configuration "cb".
const FIXED: BreakerConfig = BreakerConfig::gobreaker()
    .open_for(Backoff::fixed(Duration::from_secs(90)))
    .probes(3)
    .trip_on(TripPolicy::failure_rate(Ratio::percent(60), 3))
    .window(Window::fixed(Duration::from_secs(30)));
/// gobreaker's test configuration "rw".
const ROLLING: BreakerConfig = FIXED.window(Window::rolling(Duration::from_secs(30), 10));

const NOTHING: Tuple = [0; 6];
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
