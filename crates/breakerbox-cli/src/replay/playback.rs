//! A circuit that lives through a log.
//!
//! A log has one line for a call, but a breaker hears of a call twice, and
//! changes by its own clock in between. So the ends of calls in flight and the
//! deadlines of the circuit are put in order with the starts: at one instant
//! deadlines come first, then ends, in the order of their lines, then starts;
//! a call that took no time ends right after its own start, for its end is the
//! only one of that instant which is left when the next start is due.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use breakerbox_core::{Circuit, Counts, Outcome, RejectReason, State, Ticket, Transition};

use super::log::{Log, LoggedCall};
use super::refusal::Refusal;

/// Who is shown what happens, in the order in which it does.
pub(crate) trait View {
    type Output;

    fn call(&mut self, call: &LoggedCall, decision: Decision) -> io::Result<()>;
    fn transition(&mut self, at: Duration, transition: &Transition) -> io::Result<()>;
    fn summary(&mut self, summary: &Summary) -> io::Result<()>;
    fn into_output(self) -> Self::Output;
}

/// What the circuit answered to a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Decision {
    Admitted,
    Rejected {
        reason: RejectReason,
        retry_after: Option<Duration>,
    },
}

/// What it all came to, at the last event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    pub(crate) admitted: u64,
    pub(crate) at: Duration,
    pub(crate) counts: Counts,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) state: State,
}

impl Summary {
    pub(crate) const fn calls(&self) -> u64 {
        self.admitted + self.rejected
    }
}

/// A circuit and the calls that it has admitted.
pub(crate) struct Playback<V> {
    admitted: u64,
    circuit: Circuit,
    /// By when they end, then by line.
    in_flight: BTreeMap<(Duration, u64), InFlight>,
    last_event: Duration,
    /// The instant that stands for 0 ms of the log.
    origin: Instant,
    rejected: u64,
    view: V,
}

struct InFlight {
    duration: Duration,
    outcome: Outcome,
    ticket: Ticket,
}

impl<V: View> Playback<V> {
    /// A playback of what `circuit` makes of 0 ms of the log.
    pub(crate) fn new(view: V, circuit: impl FnOnce(Instant) -> Circuit) -> Self {
        // Only an origin: an `Instant` cannot be had without asking the clock.
        let origin = Instant::now();
        Self {
            admitted: 0,
            circuit: circuit(origin),
            in_flight: BTreeMap::new(),
            last_event: Duration::ZERO,
            origin,
            rejected: 0,
            view,
        }
    }

    /// Plays the log until the last call that was admitted has ended.
    pub(crate) fn play(&mut self, log: &mut Log) -> Result<(), ReplayError> {
        while let Some(call) = log.next_call()? {
            self.end_calls_until(call.start)?;
            self.start(&call)?;
        }
        self.end_calls_until(Duration::MAX)?;
        let summary = self.summary();
        self.view.summary(&summary)?;
        Ok(())
    }

    pub(crate) fn into_output(self) -> V::Output {
        self.view.into_output()
    }

    fn end_calls_until(&mut self, limit: Duration) -> io::Result<()> {
        while let Some(first) = self.in_flight.first_entry() {
            if first.key().0 > limit {
                break;
            }
            let ((at, _), call) = first.remove_entry();
            self.end(at, call)?;
        }
        Ok(())
    }

    fn start(&mut self, call: &LoggedCall) -> io::Result<()> {
        let now = self.origin + call.start;
        self.last_event = call.start;
        self.circuit.handle_deadline(now);
        self.show_transitions()?;
        match self.circuit.try_acquire(now) {
            Ok(ticket) => self.admit(call, ticket),
            Err(rejected) => {
                self.rejected += 1;
                let decision = Decision::Rejected {
                    reason: rejected.reason(),
                    retry_after: rejected.retry_after(now),
                };
                self.view.call(call, decision)
            }
        }
    }

    fn admit(&mut self, call: &LoggedCall, ticket: Ticket) -> io::Result<()> {
        self.admitted += 1;
        self.view.call(call, Decision::Admitted)?;
        // An admission may open the breaker, and is itself let through.
        self.show_transitions()?;
        let end = (call.start + call.duration, call.line);
        let in_flight = InFlight {
            duration: call.duration,
            outcome: call.outcome,
            ticket,
        };
        self.in_flight.insert(end, in_flight);
        Ok(())
    }

    fn end(&mut self, at: Duration, call: InFlight) -> io::Result<()> {
        self.last_event = at;
        let slow_after = self.circuit.config().slowness();
        let now = self.origin + at;
        if slow_after.is_some_and(|slow_after| call.duration >= slow_after) {
            self.circuit.settle_slow(call.ticket, call.outcome, now);
        } else {
            self.circuit.settle(call.ticket, call.outcome, now);
        }
        self.show_transitions()
    }

    fn show_transitions(&mut self) -> io::Result<()> {
        while let Some(transition) = self.circuit.poll_transition() {
            let at = transition.at.saturating_duration_since(self.origin);
            self.view.transition(at, &transition)?;
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary {
            admitted: self.admitted,
            at: self.last_event,
            counts: self.circuit.counts(),
            late: self.circuit.late(),
            rejected: self.rejected,
            state: self.circuit.state(),
        }
    }
}

/// Why a replay did not come to its end.
#[derive(Debug)]
pub(crate) enum ReplayError {
    Refused(Refusal),
    Unwritable(io::Error),
}

impl Error for ReplayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Unwritable(error) => Some(error),
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unwritable(error) => write!(f, "standard output cannot be written: {error}"),
        }
    }
}

impl From<Refusal> for ReplayError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Unwritable(error)
    }
}
