//! Every schedule of callers and owner, within bounds.
//!
//! The models run the call path that is shipped: gate, tally, fuse, ledger and
//! answers, with loom's atomics and locks. What loom cannot see: it never fails a
//! weak compare-and-swap by chance, and it treats `SeqCst` as `AcqRel`, which the
//! call path does not use. It knows the latest access to an atomic only, so a
//! thread that loads before it stores hides an earlier load of another thread, and
//! loom does not try the store before that load. So in a model the spawned thread
//! is the one that only reads: its loads get every value that they may.

use std::time::Duration;

use breakerbox_core::{BreakerConfig, Counts, Ratio, State, TripPolicy, Window};
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use super::*;

mod gate;
mod generations;
mod owner;
mod windows;

/// A breaker without an actor: a model plays the owner where it needs one.
struct Model {
    /// What a caller has done before its call. Only the call path can make another
    /// caller see it.
    deed: AtomicUsize,
    /// How many messages have asked the owner to look.
    messages: AtomicUsize,
    path: CallPath,
}

impl Model {
    fn new(config: BreakerConfig) -> Arc<Self> {
        clock::set(Duration::ZERO);
        thread_slot::set(0);
        let now = clock::now();
        let circuit = Circuit::new(config, 1, now).unwrap();
        Arc::new(Self {
            deed: AtomicUsize::new(0),
            messages: AtomicUsize::new(0),
            path: CallPath::new(circuit, now),
        })
    }

    /// With so many failures in a row as open it.
    fn opened(config: BreakerConfig) -> Arc<Self> {
        let model = Self::new(config);
        while model.call(FAILURE) > 0 {}
        model
    }

    /// At the instant at which it may turn HalfOpen, and has not.
    fn due(config: BreakerConfig) -> Arc<Self> {
        let model = Self::opened(config);
        clock::set(OPEN_FOR);
        model
    }

    fn admit(&self) -> Option<PackedTicket> {
        self.path.admit(|_| self.ask()).ok()
    }

    fn settle(&self, ticket: PackedTicket, outcome: Outcome) -> Option<u64> {
        if self.path.fold_plain(&ticket, outcome) {
            return None;
        }
        self.path.settle(ticket, outcome, |_| self.ask())
    }

    /// Makes a call, if it may be made, and returns how many were.
    fn call(&self, outcome: Outcome) -> u64 {
        let Some(ticket) = self.admit() else {
            return 0;
        };
        self.settle(ticket, outcome);
        1
    }

    fn calls(&self, outcomes: &[Outcome]) -> u64 {
        outcomes.iter().map(|outcome| self.call(*outcome)).sum()
    }

    fn ask(&self) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn do_deed(&self) {
        self.deed.store(1, Ordering::Relaxed);
    }

    fn sees_deed(&self) -> bool {
        self.deed.load(Ordering::Relaxed) > 0
    }

    fn state(&self) -> State {
        self.path.standing(|_| self.ask()).state
    }

    /// What the ledger has, brought up to date: the counts, what came late, and the
    /// state.
    fn end(&self) -> (Counts, u64, State) {
        self.path.act(clock::now(), |ledger| {
            let circuit = ledger.circuit();
            (circuit.counts(), circuit.late(), circuit.state())
        })
    }

    /// As a command does.
    fn reset(&self) {
        let now = clock::now();
        self.path.act(now, |ledger| ledger.circuit_mut().reset(now));
    }
}

/// Runs two callers to their end, each on a thread of its own number, and returns
/// what the other one does.
fn beside<T: 'static, U>(
    model: &Arc<Model>,
    other: impl FnOnce(&Model) -> T + Send + 'static,
    own: impl FnOnce(&Model) -> U,
) -> T {
    let theirs = Arc::clone(model);
    let thread = thread::spawn(move || {
        thread_slot::set(1);
        other(&theirs)
    });
    own(model);
    thread.join().unwrap()
}

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(check);
}

const CONFIG: BreakerConfig =
    BreakerConfig::gobreaker().trip_on(TripPolicy::consecutive_failures(2));
const RATE: BreakerConfig = CONFIG.trip_on(TripPolicy::failure_rate(Ratio::percent(50), 3));
const OPEN_FOR: Duration = Duration::from_secs(60);

const FAILURE: Outcome = Outcome::failure();
const IGNORED: Outcome = Outcome::Ignored;
const SUCCESS: Outcome = Outcome::Success;

#[test]
fn r20_two_failures_in_a_row_open_whoever_makes_them() {
    model(|| {
        let model = Model::new(CONFIG);
        let fail = |model: &Model| model.call(FAILURE);
        beside(&model, fail, fail);
        let (counts, late, state) = model.end();
        assert_eq!((counts.failures, late, state), (2, 0, State::Open));
    });
}

/// Whoever has made the calls that open by themselves is rejected.
fn opens_for_whoever_has_failed(config: BreakerConfig, needed: usize) {
    model(move || {
        let model = Model::new(config);
        let fail = move |model: &Model| {
            for _ in 0..needed {
                model.call(FAILURE);
            }
            assert!(model.admit().is_none(), "it has failed {needed} times");
        };
        beside(&model, fail, fail);
    });
}

#[test]
fn r23_whoever_has_failed_as_often_as_opens_by_run_is_rejected() {
    opens_for_whoever_has_failed(CONFIG, 2);
}

#[test]
fn r23_whoever_has_failed_as_often_as_opens_by_rate_is_rejected() {
    let all = TripPolicy::failure_rate(Ratio::percent(100), 2);
    opens_for_whoever_has_failed(CONFIG.trip_on(all), 2);
}

#[test]
fn r23_whoever_has_failed_as_often_as_opens_among_the_last_calls_is_rejected() {
    let all = TripPolicy::failure_rate(Ratio::percent(100), 2);
    opens_for_whoever_has_failed(CONFIG.trip_on(all).window(Window::last(2)), 2);
}

#[test]
fn r04_no_failure_that_would_open_by_rate_goes_unjudged() {
    model(|| {
        let model = Model::new(RATE);
        let fail = |model: &Model| model.calls(&[FAILURE, FAILURE]);
        beside(&model, fail, fail);
        assert_eq!(model.end().2, State::Open);
    });
}

#[test]
fn r04_a_failure_that_is_judged_alone_counts_beside_one_that_is_folded() {
    model(|| {
        let all = TripPolicy::failure_rate(Ratio::percent(100), 2);
        let model = Model::new(CONFIG.trip_on(all));
        let pushes_back = Outcome::failure_after(Duration::from_secs(1));
        let push = move |model: &Model| model.call(pushes_back);
        beside(&model, push, |model| model.call(FAILURE));
        assert_eq!(model.end().2, State::Open, "2 of 2");
    });
}

#[test]
fn r23_a_failure_that_is_judged_alone_is_in_the_run_of_those_that_are_folded() {
    model(|| {
        let model = Model::new(CONFIG.trip_on(TripPolicy::consecutive_failures(3)));
        let pushes_back = Outcome::failure_after(Duration::from_secs(1));
        let push = move |model: &Model| model.call(pushes_back);
        beside(&model, push, |model| model.calls(&[FAILURE, FAILURE]));
        assert_eq!(model.end().2, State::Open);
    });
}

#[test]
fn r04_a_failure_is_judged_with_the_successes_that_its_thread_has_seen() {
    model(|| {
        // Of 3 calls 2 have to fail: with both successes neither order opens.
        let model = Model::new(RATE);
        let succeed = |model: &Model| model.calls(&[SUCCESS, SUCCESS]);
        let made = beside(&model, succeed, |_| ());
        assert_eq!(made, 2);
        let fail = |model: &Model| model.call(FAILURE);
        beside(&model, fail, |model| model.call(SUCCESS));
        let (counts, _, state) = model.end();
        assert_eq!((counts.successes, counts.failures), (3, 1));
        assert_eq!(state, State::Closed);
    });
}

#[test]
fn r04_a_failure_is_not_judged_without_the_successes_before_another_one() {
    model(|| {
        // Two of four have failed at most, whichever verdict is the last.
        let most = TripPolicy::failure_rate(Ratio::percent(60), 2);
        let model = Model::new(CONFIG.trip_on(most));
        // Its thread has not looked at the fuse, which would show it the successes.
        let pushes_back = Outcome::failure_after(Duration::from_secs(1));
        let push = move |model: &Model| model.call(pushes_back);
        beside(&model, push, |model| {
            model.calls(&[SUCCESS, SUCCESS, FAILURE])
        });
        assert_eq!(model.end().2, State::Closed);
    });
}

#[test]
fn r20_whoever_sees_a_run_ended_sees_the_success_that_ended_it() {
    model(|| {
        let model = Model::new(RATE);
        model.call(FAILURE);
        // Nothing is left of the fuse, so nobody need disarm it.
        model.end();
        let look = |model: &Model| {
            let (counts, ..) = model.end();
            assert!(counts.consecutive_failures + counts.successes >= 1);
        };
        beside(&model, look, |model| model.call(SUCCESS));
    });
}

#[test]
fn r20_whoever_sees_a_failure_sees_the_success_before_it() {
    model(|| {
        let model = Model::new(RATE);
        let both = |model: &Model| model.calls(&[SUCCESS, FAILURE]);
        beside(&model, both, |model| {
            let (counts, ..) = model.end();
            assert!(counts.failures <= counts.successes, "{counts}");
        });
    });
}

#[test]
fn r10_a_success_ends_a_run_of_failures() {
    model(|| {
        let model = Model::new(CONFIG.trip_on(TripPolicy::consecutive_failures(3)));
        let three = |model: &Model| model.calls(&[FAILURE, SUCCESS, FAILURE]);
        beside(&model, three, |model| model.call(FAILURE));
        let (counts, _, state) = model.end();
        // Three in a row take all failures on one side of the success.
        assert_eq!((counts.successes, counts.failures), (1, 3));
        assert_eq!(state, State::Closed);
    });
}

#[test]
fn r10_a_run_that_a_success_has_ended_begins_again_at_one() {
    model(|| {
        let model = Model::new(CONFIG);
        model.call(FAILURE);
        // The one that is judged and the one that ends the run overlap.
        beside(
            &model,
            |model| model.call(SUCCESS),
            |model| {
                model.end();
            },
        );
        model.call(FAILURE);
        assert_eq!(model.end().2, State::Closed, "a success is between the two");
    });
}

#[test]
fn r10_successes_in_a_row_are_counted_from_the_failure_before_them() {
    model(|| {
        let model = Model::new(RATE);
        let three = |model: &Model| model.calls(&[SUCCESS, FAILURE, SUCCESS]);
        beside(&model, three, |model| {
            let (counts, ..) = model.end();
            if counts.failures == 1 {
                assert!(counts.consecutive_successes <= 1, "{counts:?}");
            }
        });
        assert_eq!(model.end().0.consecutive_successes, 1);
    });
}

#[test]
fn no_success_is_lost_or_counted_twice() {
    model(|| {
        let model = Model::new(RATE);
        let succeed = |model: &Model| {
            model.call(SUCCESS);
            model.end();
            model.call(SUCCESS);
        };
        beside(&model, succeed, succeed);
        let (counts, late, _) = model.end();
        assert_eq!((counts.successes, counts.failures, late), (4, 0, 0));
    });
}
