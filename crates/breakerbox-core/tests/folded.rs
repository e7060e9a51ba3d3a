//! Folded verdicts and single ones tell the same story.
//!
//! Two circuits hear of the same calls: one of each verdict as it comes, the
//! other of sums, as far as its fuse allows, the way a breaker's callers do.

use std::time::{Duration, Instant};

use breakerbox_core::{
    Backoff, BreakerConfig, Circuit, Outcome, Pace, Ratio, State, Streak, Tally, Ticket,
    TripPolicy, Wake, Window,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[derive(Clone, Debug)]
enum Step {
    Absorb,
    Call(Outcome, Pace),
    Pass(Duration),
}

/// A circuit whose callers fold what they may.
struct Folding {
    circuit: Circuit,
    /// What has been folded and not been absorbed.
    folded: Tally,
    /// Failures since the last success, and successes since the last failure.
    run: (u64, u64),
}

impl Folding {
    fn settle(&mut self, ticket: Ticket, outcome: Outcome, pace: Pace, now: Instant) -> bool {
        let asked = pace == Pace::Slow || self.must_ask(&ticket, outcome, now);
        if asked {
            self.absorb(now);
            self.note(outcome);
            settle(&mut self.circuit, ticket, outcome, pace, now);
            return true;
        }
        self.note(outcome);
        match outcome {
            Outcome::Failure { .. } => self.folded.failures += 1,
            Outcome::Ignored => self.folded.ignored += 1,
            Outcome::Success => self.folded.successes += 1,
        }
        self.folded.streak = self.streak();
        false
    }

    fn must_ask(&self, ticket: &Ticket, outcome: Outcome, now: Instant) -> bool {
        let fuse = self.circuit.fuse();
        let (failures, _) = self.run;
        let asleep = self.circuit.standing().wake == Wake::Asleep;
        let burns = self.folded.failures >= fuse.folds
            || fuse.streak_at.is_some_and(|at| failures + 1 >= at.into());
        // A breaker's successes read no clock, and trust its timer; here there
        // is no timer, so all do.
        let overdue = fuse.until.is_some_and(|until| now >= until);
        ticket.is_probe() || asleep || overdue || outcome.is_failure() && burns
    }

    fn absorb(&mut self, now: Instant) {
        let tally = std::mem::take(&mut self.folded);
        let due = self.circuit.next_deadline();
        let before_due = due.map_or(now, |due| now.min(due - Duration::from_nanos(1)));
        self.circuit.absorb(&tally, before_due);
        self.circuit.handle_deadline(now);
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Failure { .. } => self.run = (self.run.0 + 1, 0),
            Outcome::Ignored => {}
            Outcome::Success => self.run = (0, self.run.1 + 1),
        }
    }

    fn streak(&self) -> Streak {
        match self.run {
            (0, 0) => Streak::Nothing,
            (0, successes) => Streak::Successes(successes),
            (failures, _) => Streak::Failures(failures),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        5 => Just(Outcome::failure()),
        1 => Just(Outcome::Ignored),
        4 => Just(Outcome::Success),
    ];
    let pace = prop_oneof![4 => Just(Pace::Fast), 1 => Just(Pace::Slow)];
    prop_oneof![
        1 => Just(Step::Absorb),
        8 => (outcome, pace).prop_map(|(outcome, pace)| Step::Call(outcome, pace)),
        1 => (1..3_000_u64).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ]
}

fn config() -> impl Strategy<Value = BreakerConfig> {
    let second = Duration::from_secs(1);
    let window = prop_oneof![
        Just(Window::unbounded()),
        Just(Window::fixed(4 * second)),
        Just(Window::rolling(4 * second, 4)),
        (1..9_u32).prop_map(Window::last),
    ];
    let policy = prop_oneof![
        (1..6_u32).prop_map(TripPolicy::consecutive_failures),
        (1..101_u32, 1..9_u32).prop_map(|(percent, min_calls)| TripPolicy::failure_rate(
            Ratio::percent(percent),
            min_calls
        )),
        (1..101_u32, 1..9_u32).prop_map(|(percent, min_calls)| TripPolicy::slow_rate(
            Ratio::percent(percent),
            min_calls
        )),
        Just(TripPolicy::custom(
            |counts| counts.failures >= 4 && counts.successes < 3
        )),
    ];
    (window, policy.clone(), policy).prop_map(move |(window, one, other)| {
        BreakerConfig::new()
            .window(window)
            .trip_on(one.or(other))
            .open_for(Backoff::fixed(second))
            .slow_after(second)
            .probes(2)
    })
}

fn epoch() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs one instant to begin at"
    )]
    Instant::now()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn r04_folded_verdicts_end_in_the_state_of_single_ones(
        config in config(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut now = epoch();
        let Ok(mut single) = Circuit::new(config, 1, now) else { return Ok(()) };
        let mut folding =
            Folding { circuit: single.clone(), folded: Tally::default(), run: (0, 0) };
        for step in steps {
            match step {
                Step::Absorb => folding.absorb(now),
                Step::Pass(span) => {
                    now += span;
                    single.handle_deadline(now);
                    folding.absorb(now);
                }
                Step::Call(outcome, pace) => {
                    let admitted = single.try_acquire(now);
                    let ticket = folding.circuit.try_acquire(now);
                    prop_assert_eq!(admitted.is_ok(), ticket.is_ok());
                    let (Ok(admitted), Ok(ticket)) = (admitted, ticket) else { continue };
                    let generation = single.generation();
                    settle(&mut single, admitted, outcome, pace, now);
                    let asked = folding.settle(ticket, outcome, pace, now);
                    // A verdict that changes the state must not have been folded.
                    prop_assert!(asked || single.generation() == generation);
                    if single.generation() != generation {
                        folding.run = (0, 0);
                    }
                }
            }
            prop_assert_eq!(folding.circuit.state(), single.state());
            let mut settled = folding.circuit.clone();
            settled.absorb(&folding.folded, now);
            prop_assert_eq!(settled.counts(), single.counts());
            prop_assert_eq!(settled.generation(), single.generation());
            if single.state() != State::Closed {
                prop_assert_eq!(&folding.folded, &Tally::default());
                folding.run = run_of(&single);
            }
        }
    }
}

fn settle(circuit: &mut Circuit, ticket: Ticket, outcome: Outcome, pace: Pace, now: Instant) {
    match pace {
        Pace::Fast => circuit.settle(ticket, outcome, now),
        Pace::Slow => circuit.settle_slow(ticket, outcome, now),
    }
}

/// The run that a circuit knows of.
fn run_of(circuit: &Circuit) -> (u64, u64) {
    let counts = circuit.counts();
    (counts.consecutive_failures, counts.consecutive_successes)
}
