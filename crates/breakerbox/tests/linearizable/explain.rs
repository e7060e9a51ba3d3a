use std::collections::VecDeque;
use std::time::Instant;

use breakerbox::{Counts, Generation, Outcome, State};
use breakerbox_core::{Admission, Circuit, Pace, Question, Ticket};

use super::crew::{Did, Operation};

/// What all that was done left behind.
///
/// A success is counted and ends a run of failures in two steps. So one that
/// overlaps a failure may be before it in the run and after it in the sums, and
/// one that overlaps an opening may be in its evidence or late. R20 is about
/// admission and R02 about being counted once, and both hold; but the verdicts
/// in a row are not compared, and where the state has changed it is left open
/// which of the verdicts that cannot open came late.
#[derive(Debug)]
pub(crate) struct End {
    counts: Counts,
    late: u64,
    state: State,
}

impl End {
    pub(crate) fn of(state: State, counts: Counts, late: u64) -> Self {
        Self {
            counts,
            late,
            state,
        }
    }

    fn is_of(&self, circuit: &Circuit, start: &Circuit) -> bool {
        let counts = circuit.counts();
        let late = circuit.late() - start.late();
        let same_late = late == self.late || circuit.generation() != start.generation();
        let harmless = |counts: &Counts, late| counts.successes + counts.ignored + late;
        circuit.state() == self.state
            && counts.failures == self.counts.failures
            && harmless(&counts, late) == harmless(&self.counts, self.late)
            && same_late
    }
}

/// Whether some order of the operations makes `start` give the same answers.
pub(crate) fn explains(start: &Circuit, operations: &[Operation], now: Instant, end: &End) -> bool {
    let search = Search {
        end,
        now,
        operations,
        start,
    };
    search.goes_on(&Moment {
        circuit: start.clone(),
        done: 0,
        gate: None,
        leaves: vec![None; operations.len()],
        unasked: VecDeque::new(),
    })
}

struct Search<'a> {
    end: &'a End,
    now: Instant,
    operations: &'a [Operation],
    start: &'a Circuit,
}

/// How things stand when some of the operations have been done.
#[derive(Clone)]
struct Moment {
    circuit: Circuit,
    /// A bit for each operation.
    done: u32,
    gate: Option<Behind>,
    leaves: Vec<Leave>,
    /// What a custom policy has not been asked yet, and until when it has time.
    ///
    /// The owner asks it, when whoever left the question has counted its verdict
    /// and before that call returns.
    unasked: VecDeque<(Question, u64)>,
}

impl Moment {
    /// If the state has changed, admission goes by `before` for a while.
    fn lag(&mut self, before: Circuit, until: u64) {
        if self.circuit.generation() != before.generation() {
            self.gate.get_or_insert(Behind {
                circuit: before,
                until,
            });
        }
    }
}

/// What admission goes by while a change of state has not been published.
///
/// A generation ends for verdicts before it ends for admission, by as much as
/// its owner needs: R20 is about admission, and gives it until whoever caused
/// the change has returned. Meanwhile calls are admitted in the old generation,
/// and their verdicts are late.
#[derive(Clone)]
struct Behind {
    circuit: Circuit,
    until: u64,
}

/// The ticket that an operation got: its generation and whether it is a probe.
type Leave = Option<(Generation, bool)>;

impl Search<'_> {
    fn goes_on(&self, moment: &Moment) -> bool {
        let published = || Moment {
            gate: None,
            ..moment.clone()
        };
        if moment.gate.is_some() && self.goes_on(&published()) {
            return true;
        }
        if !moment.unasked.is_empty() && self.goes_on(&self.asked(moment)) {
            return true;
        }
        let undone = || (0..self.operations.len()).filter(|it| moment.done >> it & 1 == 0);
        let Some(first_end) = undone().map(|it| self.operations[it].ended).min() else {
            return moment.unasked.is_empty() && self.end.is_of(&moment.circuit, self.start);
        };
        undone()
            .filter(|it| self.operations[*it].began < first_end)
            .any(|it| {
                let mut next = moment.clone();
                next.done |= 1 << it;
                self.agrees(&mut next, it) && self.goes_on(&next)
            })
    }

    /// Whether the operation, done now, is answered as the breaker did.
    fn agrees(&self, moment: &mut Moment, it: usize) -> bool {
        let operation = self.operations[it];
        match operation.did {
            Did::Acquire(answer) => {
                let overdue = |(_, until): &(Question, u64)| *until < operation.began;
                if moment.unasked.iter().any(overdue) {
                    return false;
                }
                let gate = match &mut moment.gate {
                    Some(behind) if behind.until < operation.began => return false,
                    Some(behind) => &mut behind.circuit,
                    None => &mut moment.circuit,
                };
                let asked = gate.try_acquire(self.now);
                moment.leaves[it] = asked.as_ref().ok().map(of_ticket);
                asked.err().map(|rejected| rejected.reason()) == answer
            }
            Did::Settle(acquired, outcome) => moment.leaves[acquired]
                .map(|leave| self.settle(moment, leave, outcome, operation.ended))
                .is_some(),
        }
    }

    fn settle(&self, moment: &mut Moment, leave: (Generation, bool), outcome: Outcome, until: u64) {
        let before = moment.circuit.clone();
        let ticket = || self.ticket(&before, leave);
        let question = moment
            .circuit
            .record(ticket(), outcome, Pace::Fast, self.now);
        moment
            .unasked
            .extend(question.map(|question| (question, until)));
        match &mut moment.gate {
            // A place that comes back does so at once.
            Some(Behind { circuit, .. }) if outcome == Outcome::Ignored => {
                circuit.settle(ticket(), outcome, self.now);
            }
            _ => {}
        }
        moment.lag(before, until);
    }

    /// How things stand when a custom policy has answered the oldest question.
    fn asked(&self, moment: &Moment) -> Moment {
        let mut next = moment.clone();
        if let Some((question, until)) = next.unasked.pop_front()
            && question.ask(next.circuit.config())
        {
            next.circuit.answer_open(&question, self.now);
            next.lag(moment.circuit.clone(), until);
        }
        next
    }

    fn ticket(&self, circuit: &Circuit, (generation, is_probe): (Generation, bool)) -> Ticket {
        let admission = if is_probe {
            Admission::Probe(circuit.standing())
        } else {
            Admission::Plain
        };
        admission.ticket(generation, || self.now)
    }
}

fn of_ticket(ticket: &Ticket) -> (Generation, bool) {
    (ticket.generation(), ticket.is_probe())
}
