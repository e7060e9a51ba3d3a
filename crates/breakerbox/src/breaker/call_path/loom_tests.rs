//! Every schedule of callers and owner, within bounds.
//!
//! The models play the part of [`Ledger`](super::super::ledger) with the same
//! calls in the same order, and a circuit that is real. What loom cannot see is
//! named where it matters: it never fails a weak compare-and-swap by chance, and
//! it treats `SeqCst` as `AcqRel`, which the call path does not use.

use std::collections::VecDeque;
use std::time::Duration;

use breakerbox_core::{BreakerConfig, Circuit, Ratio, State, TripPolicy, Window};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::*;

mod generations;
mod sleep;

/// A breaker without an actor: whoever reports plays the owner.
struct Model {
    books: Mutex<Books>,
    now: Instant,
    path: CallPath,
    reports: Mutex<VecDeque<Report>>,
}

struct Books {
    batch: VecDeque<Report>,
    circuit: Circuit,
    heard: Heard,
}

impl Model {
    fn new(config: BreakerConfig) -> Arc<Self> {
        let now = epoch();
        let circuit = Circuit::new(config, 1, now).unwrap();
        let model = Arc::new(Self {
            path: CallPath::new(circuit.standing(), now),
            books: Mutex::new(Books {
                batch: VecDeque::new(),
                circuit,
                heard: Heard::default(),
            }),
            now,
            reports: Mutex::new(VecDeque::new()),
        });
        model.decide();
        model
    }

    /// Makes a call, if it may be made, and returns how many were.
    fn call(&self, slot: usize, outcome: Outcome) -> u64 {
        let Ok(admitted) = self.path.admit() else {
            return 0;
        };
        self.settle(slot, admitted.ticket(|| self.now), outcome);
        1
    }

    /// Settles, and has decided when it returns.
    fn settle(&self, slot: usize, ticket: Ticket, outcome: Outcome) {
        self.settle_at(slot, ticket, outcome, self.now);
    }

    fn settle_at(&self, slot: usize, ticket: Ticket, outcome: Outcome, now: Instant) {
        if self.leave(slot, ticket, outcome, now) == Fold::Report {
            self.decide_at(now);
        }
    }

    /// Settles, and asks nobody to decide.
    fn leave(&self, slot: usize, ticket: Ticket, outcome: Outcome, now: Instant) -> Fold {
        let fold = if ticket.is_decisive() {
            Fold::Report
        } else {
            self.path
                .fold_at(slot, ticket.generation(), outcome, || now)
        };
        if fold == Fold::Report {
            let notice = ticket.notice();
            {
                let mut reports = self.reports.lock().unwrap();
                let reading = self.path.reading_at(&ticket, outcome);
                reports.push_back((ticket, outcome, reading, now));
            }
            self.path.hand_back(notice, outcome);
        }
        fold
    }

    fn decide(&self) {
        self.decide_at(self.now);
    }

    fn decide_at(&self, now: Instant) {
        let mut books = self.books.lock().unwrap();
        while self.judge_or(&mut books, |books| books.close(&self.path, now)) {}
    }

    /// Judges the oldest report; if there is none, does something else.
    fn judge_or(&self, books: &mut Books, close: impl FnOnce(&mut Books)) -> bool {
        if books.batch.is_empty() {
            let mut reports = self.reports.lock().unwrap();
            if reports.is_empty() {
                close(books);
            }
            std::mem::swap(&mut books.batch, &mut *reports);
        }
        let Some((ticket, outcome, reading, at)) = books.batch.pop_front() else {
            return false;
        };
        if let Some(reading) = reading.filter(|it| it.is_of(books.circuit.generation())) {
            books.enter(&reading, at);
        }
        books.act(&self.path, |circuit| circuit.settle(ticket, outcome, at));
        true
    }
}

type Report = (Ticket, Outcome, Option<Reading>, Instant);

impl Books {
    fn act(&mut self, path: &CallPath, act: impl FnOnce(&mut Circuit)) {
        let before = self.circuit.generation();
        act(&mut self.circuit);
        if self.circuit.generation() != before {
            let left = path.begin(self.circuit.generation());
            let late = self.heard.over(left);
            self.circuit.note_late(late);
        }
    }

    fn close(&mut self, path: &CallPath, now: Instant) {
        let reading = path.take(self.circuit.generation());
        self.enter(&reading, now);
        self.heard.taken();
        self.act(path, |circuit| circuit.handle_deadline(now));
        let run = self.circuit.counts().consecutive_failures;
        let laid = path.publish(
            self.circuit.standing(),
            self.circuit.fuse(),
            run,
            self.circuit.retry_at(),
        );
        self.heard.laid(laid);
    }

    fn enter(&mut self, reading: &Reading, now: Instant) {
        let news = self.heard.news(reading, &self.circuit.counts());
        let due = self.circuit.next_deadline();
        let before_due = due.map_or(now, |due| now.min(due - Duration::from_nanos(1)));
        self.circuit.absorb(&news, before_due);
    }
}

const CONFIG: BreakerConfig =
    BreakerConfig::gobreaker().trip_on(TripPolicy::consecutive_failures(2));
const RATE: BreakerConfig = CONFIG.trip_on(TripPolicy::failure_rate(Ratio::percent(50), 3));
const FAILURE: Outcome = Outcome::failure();

fn epoch() -> Instant {
    use std::sync::OnceLock;
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(check);
}

/// Runs two callers to their end and the owner after them.
fn run(
    config: BreakerConfig,
    one: impl FnOnce(&Model) + Send + 'static,
    two: impl FnOnce(&Model),
) -> Arc<Model> {
    let model = Model::new(config);
    let other = Arc::clone(&model);
    let thread = thread::spawn(move || one(&other));
    two(&model);
    thread.join().unwrap();
    model.decide();
    model
}

fn one_call(slot: usize, outcome: Outcome) -> impl FnOnce(&Model) + Send {
    move |model| {
        model.call(slot, outcome);
    }
}

/// Successes, failures and ignored in the window, late, and the state.
fn end(model: &Model) -> (u64, u64, u64, u64, State) {
    let books = model.books.lock().unwrap();
    let counts = books.circuit.counts();
    (
        counts.successes,
        counts.failures,
        counts.ignored,
        books.circuit.late(),
        books.circuit.state(),
    )
}

#[test]
fn r20_two_failures_in_a_row_open_whoever_makes_them() {
    model(|| {
        let model = run(CONFIG, one_call(0, FAILURE), one_call(1, FAILURE));
        let (_, failures, _, late, state) = end(&model);
        assert_eq!((failures, late, state), (2, 0, State::Open));
    });
}

#[test]
fn r20_who_has_failed_for_the_second_time_meets_an_open_breaker() {
    model(|| {
        let fail_twice = |slot| {
            move |model: &Model| {
                model.call(slot, FAILURE);
                model.call(slot, FAILURE);
                assert!(model.path.admit().is_err(), "it had failed twice in a row");
            }
        };
        run(CONFIG, fail_twice(0), fail_twice(1));
    });
}

#[test]
fn r04_no_failure_that_would_open_by_rate_goes_unheard() {
    model(|| {
        let fail_twice = |slot| {
            move |model: &Model| {
                model.call(slot, FAILURE);
                model.call(slot, FAILURE);
            }
        };
        let model = run(RATE, fail_twice(0), fail_twice(1));
        assert_eq!(end(&model).4, State::Open);
    });
}

#[test]
fn r20_no_failure_is_folded_behind_one_that_waits() {
    model(|| {
        let pushes_back = Outcome::failure_after(Duration::from_secs(1));
        let all = CONFIG.trip_on(TripPolicy::failure_rate(Ratio::percent(100), 2));
        let model = run(all, one_call(0, pushes_back), one_call(1, FAILURE));
        assert_eq!(end(&model).4, State::Open, "2 of 2");
    });
}

#[test]
fn r10_a_success_ends_a_run_of_failures() {
    model(|| {
        let model = run(
            CONFIG.trip_on(TripPolicy::consecutive_failures(3)),
            |model| {
                model.call(0, FAILURE);
                model.call(0, Outcome::Success);
                model.call(0, FAILURE);
            },
            one_call(1, FAILURE),
        );
        // Three in a row take all failures on one side of the success.
        let (successes, failures, _, _, state) = end(&model);
        assert_eq!((successes, failures, state), (1, 3, State::Closed));
    });
}

#[test]
fn r02_each_verdict_is_counted_in_exactly_one_of_window_and_late() {
    model(|| {
        let model = Model::new(CONFIG);
        let straggler = model.path.admit().unwrap().ticket(epoch);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || {
            other.settle(0, straggler, Outcome::Success);
        });
        model.call(1, FAILURE);
        model.call(1, FAILURE);
        thread.join().unwrap();
        model.decide();
        let (successes, failures, ignored, late, _) = end(&model);
        assert_eq!(successes + failures + ignored + late, 3);
        assert_eq!(failures, 2);
    });
}

#[test]
fn r02_a_straggling_failure_is_counted_once_too() {
    model(|| {
        let model = Model::new(CONFIG);
        let straggler = model.path.admit().unwrap().ticket(epoch);
        let other = Arc::clone(&model);
        let thread = thread::spawn(move || other.settle(0, straggler, FAILURE));
        let calls = model.call(1, FAILURE) + model.call(1, FAILURE);
        thread.join().unwrap();
        model.decide();
        let (_, failures, _, late, state) = end(&model);
        assert_eq!((failures + late, state), (calls + 1, State::Open));
    });
}

#[test]
fn no_success_is_lost_or_counted_twice() {
    model(|| {
        let succeed = |slot| {
            move |model: &Model| {
                model.call(slot, Outcome::Success);
                model.decide();
                model.call(slot, Outcome::Success);
            }
        };
        let model = run(RATE, succeed(0), succeed(1));
        assert_eq!(end(&model), (4, 0, 0, 0, State::Closed));
    });
}

#[test]
fn r01_probes_are_never_more_than_their_places() {
    model(|| {
        let model = Model::new(CONFIG.probes(1));
        {
            let mut books = model.books.lock().unwrap();
            let opened = epoch();
            for _ in 0..2 {
                let ticket = books.circuit.try_acquire(opened).unwrap();
                books.circuit.settle(ticket, FAILURE, opened);
            }
            let due = books.circuit.next_deadline().unwrap();
            books.act(&model.path, |circuit| circuit.handle_deadline(due));
        }
        model.decide();
        let other = Arc::clone(&model);
        let probing = |slot| {
            move |model: &Model| {
                let Ok(admitted) = model.path.admit() else {
                    return 0;
                };
                model.settle(slot, admitted.ticket(epoch), Outcome::Ignored);
                1
            }
        };
        let thread = thread::spawn(move || probing(0)(&other));
        let mine = probing(1)(&model);
        let probes = mine + thread.join().unwrap();
        assert!(probes >= 1, "a place that came back was lost");
        assert_eq!(model.path.standing().places, 1);
    });
}

#[test]
fn r09_the_first_verdict_after_a_silence_is_heard() {
    model(|| {
        let window = Window::rolling(Duration::from_secs(1), 2);
        let model = run(
            RATE.window(window),
            one_call(0, Outcome::Success),
            one_call(1, Outcome::Success),
        );
        assert_eq!(end(&model).0, 2);
        assert!(
            model
                .books
                .lock()
                .unwrap()
                .circuit
                .next_deadline()
                .is_some(),
            "it is awake"
        );
    });
}
