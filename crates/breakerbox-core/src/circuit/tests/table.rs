use Began::{Next, Same};
use Input::{
    Acquire, AcquireForced, AcquireTwo, Deadline, Early, Reconfigure, Release, Reset, Settle,
    SettleLate, SettleTwo,
};

use super::*;

#[test]
fn each_input_does_in_each_state_what_the_table_says() {
    for (state, input, answer, becomes, generation, counts, late) in TABLE {
        let row = format!("({state}, {input:?})");
        let (mut bench, ticket, old) = Bench::in_state(state);
        let before = bench.circuit.generation();
        assert_eq!(play(&mut bench, input, ticket, old), answer, "{row}");
        let began = bench.circuit.generation() > before;
        let [successes, failures, ignored, ..] = bench.counts();
        assert_eq!(bench.circuit.state(), becomes, "{row}");
        assert_eq!(if began { Next } else { Same }, generation, "{row}");
        assert_eq!([successes, failures, ignored], counts, "{row}");
        assert_eq!(bench.circuit.late(), late, "{row}");
        assert_eq!(bench.changes().len(), usize::from(began), "{row}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Acquire,
    AcquireForced(Forced),
    AcquireTwo,
    Deadline,
    /// One nanosecond before the deadline.
    Early,
    Reconfigure,
    Release,
    Reset,
    Settle(Outcome),
    /// With the ticket of an older generation.
    SettleLate(Outcome),
    /// And another call with the same outcome.
    SettleTwo(Outcome),
}

/// Whether an input begins a generation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Began {
    Next,
    Same,
}

/// State, input, answer, state after it, generation, `[successes, failures,
/// ignored]`, late.
type Row = (State, Input, Answer, State, Began, [u64; 3], u64);

fn play(bench: &mut Bench, input: Input, ticket: Ticket, old: Ticket) -> Answer {
    match input {
        Acquire => return bench.answer(),
        AcquireForced(Forced::Closed) => {
            bench.force(Override::forced_closed("test"));
            return bench.answer();
        }
        AcquireForced(Forced::Open) => {
            bench.force(Override::forced_open("test"));
            return bench.answer();
        }
        AcquireTwo => {
            bench.answer();
            return bench.answer();
        }
        Deadline => {
            let due = bench.circuit.next_deadline().unwrap_or(bench.now);
            bench.circuit.handle_deadline(due);
        }
        Early => {
            let due = bench.circuit.next_deadline().unwrap_or(bench.now);
            bench.circuit.handle_deadline(due - NANOSECOND);
        }
        Reconfigure => bench.reconfigure(TWO_IN_ROW.probes(7)),
        Release => bench.circuit.release(bench.now),
        Reset => bench.circuit.reset(bench.now),
        Settle(outcome) => bench.settle(ticket, outcome),
        SettleLate(outcome) => bench.settle(old, outcome),
        SettleTwo(outcome) => {
            bench.settle(ticket, outcome);
            bench.call(outcome);
        }
    }
    Silence
}

/// Each state and each input, and what comes of it.
///
/// Each breaker begins with the counts that its state shows without an input,
/// with one ticket of its own generation and one of an older one.
#[rustfmt::skip]
const TABLE: [Row; 45] = [
    (Closed,   Early,                         Silence,         Closed,   Same, [0, 1, 0], 0),
    (Closed,   Deadline,                      Silence,         Closed,   Same, [0, 1, 0], 0),
    (Closed,   Acquire,                       Plain,           Closed,   Same, [0, 1, 0], 0),
    (Closed,   AcquireForced(Forced::Closed), Plain,           Closed,   Same, [0, 1, 0], 0),
    (Closed,   AcquireForced(Forced::Open),   Not(ForcedOpen), Closed,   Same, [0, 1, 0], 0),
    (Closed,   Settle(SUCCESS),               Silence,         Closed,   Same, [1, 1, 0], 0),
    (Closed,   Settle(FAILURE),               Silence,         Open,     Next, [0, 2, 0], 0),
    (Closed,   Settle(IGNORED),               Silence,         Closed,   Same, [0, 1, 1], 0),
    (Closed,   SettleLate(SUCCESS),           Silence,         Closed,   Same, [0, 1, 0], 1),
    (Closed,   SettleLate(FAILURE),           Silence,         Closed,   Same, [0, 1, 0], 1),
    (Closed,   SettleLate(IGNORED),           Silence,         Closed,   Same, [0, 1, 0], 1),
    (Closed,   Release,                       Silence,         Closed,   Same, [0, 1, 0], 0),
    (Closed,   Reset,                         Silence,         Closed,   Next, [0, 0, 0], 0),
    (Closed,   Reconfigure,                   Silence,         Closed,   Same, [0, 1, 0], 0),
    (HalfOpen, Early,                         Silence,         HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, Deadline,                      Silence,         Open,     Next, [0, 1, 0], 0),
    (HalfOpen, Acquire,                       Probe,           HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, AcquireTwo,                    Not(ProbesOut),  HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, AcquireForced(Forced::Closed), Probe,           HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, AcquireForced(Forced::Open),   Not(ForcedOpen), HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, Settle(SUCCESS),               Silence,         HalfOpen, Same, [1, 0, 0], 0),
    (HalfOpen, SettleTwo(SUCCESS),            Silence,         Closed,   Next, [0, 0, 0], 0),
    (HalfOpen, Settle(FAILURE),               Silence,         Open,     Next, [0, 1, 0], 0),
    (HalfOpen, Settle(IGNORED),               Silence,         HalfOpen, Same, [0, 0, 1], 0),
    (HalfOpen, SettleTwo(IGNORED),            Silence,         HalfOpen, Same, [0, 0, 2], 0),
    (HalfOpen, SettleLate(SUCCESS),           Silence,         HalfOpen, Same, [0, 0, 0], 1),
    (HalfOpen, SettleLate(FAILURE),           Silence,         HalfOpen, Same, [0, 0, 0], 1),
    (HalfOpen, SettleLate(IGNORED),           Silence,         HalfOpen, Same, [0, 0, 0], 1),
    (HalfOpen, Release,                       Silence,         HalfOpen, Same, [0, 0, 0], 0),
    (HalfOpen, Reset,                         Silence,         Closed,   Next, [0, 0, 0], 0),
    (HalfOpen, Reconfigure,                   Silence,         HalfOpen, Same, [0, 0, 0], 0),
    (Open,     Early,                         Silence,         Open,     Same, [0, 2, 0], 0),
    (Open,     Deadline,                      Silence,         HalfOpen, Next, [0, 0, 0], 0),
    (Open,     Acquire,                       Not(IsOpen),     Open,     Same, [0, 2, 0], 0),
    (Open,     AcquireForced(Forced::Closed), Plain,           Open,     Same, [0, 2, 0], 0),
    (Open,     AcquireForced(Forced::Open),   Not(ForcedOpen), Open,     Same, [0, 2, 0], 0),
    (Open,     Settle(SUCCESS),               Silence,         Open,     Same, [1, 2, 0], 0),
    (Open,     Settle(FAILURE),               Silence,         Open,     Same, [0, 3, 0], 0),
    (Open,     Settle(IGNORED),               Silence,         Open,     Same, [0, 2, 1], 0),
    (Open,     SettleLate(SUCCESS),           Silence,         Open,     Same, [0, 2, 0], 1),
    (Open,     SettleLate(FAILURE),           Silence,         Open,     Same, [0, 2, 0], 1),
    (Open,     SettleLate(IGNORED),           Silence,         Open,     Same, [0, 2, 0], 1),
    (Open,     Release,                       Silence,         Open,     Same, [0, 2, 0], 0),
    (Open,     Reset,                         Silence,         Closed,   Next, [0, 0, 0], 0),
    (Open,     Reconfigure,                   Silence,         Open,     Same, [0, 2, 0], 0),
];
