use std::time::Duration;

use super::*;
use crate::{Backoff, Counts, Ratio, State, TripPolicy, TripReason, Wake, Window};

mod admission;
mod calls;
mod openings;
mod overrides;
mod probes;
mod reconfigure;
mod slow;
mod table;
mod time;
mod windows;

use Answer::{Not, Plain, Probe, Silence};
use RejectReason::{ForcedOpen, HalfOpen as ProbesOut, Open as IsOpen};
use State::{Closed, HalfOpen, Open};

/// What comes of an input, beside its effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Not(RejectReason),
    Plain,
    Probe,
    Silence,
}

/// A circuit and the time it is told.
struct Bench {
    circuit: Circuit,
    now: Instant,
}

impl Bench {
    fn new(config: BreakerConfig) -> Self {
        let now = epoch();
        let circuit = Circuit::new(config, 1, now).unwrap();
        Self { circuit, now }
    }

    /// With as many failures in a row as open it.
    fn opened(config: BreakerConfig) -> Self {
        let mut bench = Self::new(config);
        while bench.circuit.state() == Closed {
            bench.call(FAILURE);
        }
        bench.changes();
        bench
    }

    /// At the instant at which it turned HalfOpen.
    fn half_opened(config: BreakerConfig) -> Self {
        let mut bench = Self::opened(config);
        bench.pass_to_deadline();
        bench.changes();
        bench
    }

    /// In `state`, with a ticket of this generation and one of an older one.
    fn in_state(state: State) -> (Self, Ticket, Ticket) {
        let mut bench = Self::new(TWO_IN_ROW);
        let old = bench.acquire();
        bench.circuit.reset(bench.now);
        bench.call(FAILURE);
        if state != Closed {
            bench.call(FAILURE);
        }
        if state == HalfOpen {
            bench.pass_to_deadline();
        }
        bench.force(Override::forced_closed(
            "to have a ticket of an Open breaker, too",
        ));
        let ticket = bench.acquire();
        bench.circuit.release(bench.now);
        bench.changes();
        (bench, ticket, old)
    }

    fn answer(&mut self) -> Answer {
        match self.circuit.try_acquire(self.now) {
            Ok(ticket) if ticket.is_probe() => Probe,
            Ok(_) => Plain,
            Err(rejected) => Not(rejected.reason()),
        }
    }

    fn acquire(&mut self) -> Ticket {
        self.circuit.try_acquire(self.now).unwrap()
    }

    fn rejected(&mut self) -> Rejected {
        self.circuit.try_acquire(self.now).unwrap_err()
    }

    fn settle(&mut self, ticket: Ticket, outcome: Outcome) {
        self.circuit.settle(ticket, outcome, self.now);
    }

    fn call(&mut self, outcome: Outcome) {
        let ticket = self.acquire();
        self.settle(ticket, outcome);
    }

    fn calls(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            self.call(*outcome);
        }
    }

    fn force(&mut self, word: Override) {
        self.circuit.force(word, self.now);
    }

    fn reconfigure(&mut self, config: BreakerConfig) {
        self.circuit.reconfigure(config, self.now).unwrap();
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.circuit.handle_deadline(self.now);
    }

    fn pass_to_deadline(&mut self) {
        self.now = self.circuit.next_deadline().unwrap();
        self.circuit.handle_deadline(self.now);
    }

    /// Opens it again from HalfOpen, and says for how long.
    fn fail_probe(&mut self) -> Duration {
        self.call(FAILURE);
        self.open_for()
    }

    fn open_for(&self) -> Duration {
        assert_eq!(self.circuit.state(), Open);
        self.circuit.next_deadline().unwrap() - self.now
    }

    fn changes(&mut self) -> Vec<Transition> {
        std::iter::from_fn(|| self.circuit.poll_transition()).collect()
    }

    /// Successes, failures, ignored, successes in a row, failures in a row.
    fn counts(&self) -> [u64; 5] {
        let counts = self.circuit.counts();
        [
            counts.successes,
            counts.failures,
            counts.ignored,
            counts.consecutive_successes,
            counts.consecutive_failures,
        ]
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has to begin at some instant"
)]
fn epoch() -> Instant {
    Instant::now() + HOUR
}

/// Opens on 2 failures in a row for 10 s; 2 probes, 5 s each; no window.
const TWO_IN_ROW: BreakerConfig = BreakerConfig::new()
    .open_for(Backoff::fixed(Duration::from_secs(10)))
    .probe_deadline(Duration::from_secs(5))
    .probes(2)
    .trip_on(TripPolicy::consecutive_failures(2))
    .window(Window::unbounded());

const FAILURE: Outcome = Outcome::failure();
const IGNORED: Outcome = Outcome::Ignored;
const SUCCESS: Outcome = Outcome::Success;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const NANOSECOND: Duration = Duration::from_nanos(1);
