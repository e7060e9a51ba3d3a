//! What is left to the owner, and an owner that comes late, dies or is gone.

use std::pin::Pin;
use std::sync::atomic::AtomicUsize as Wakes;
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::breaker::answers::Answers;

const CUSTOM: BreakerConfig = CONFIG.trip_on(TripPolicy::custom(|counts| counts.failures >= 2));

/// Looks as an owner does: at questions too.
fn look(model: &Model, answers: &Answers) {
    let path = &model.path;
    path.begin_look(clock::now());
    while path.next_news().is_some() {}
    let mut last = path.asked_questions();
    while let Some(asked) = path.next_question() {
        let number = path.asked_questions();
        assert!(number > last, "it is asked for the second time");
        last = number;
        if asked.ask() {
            path.answer_open(&asked, clock::now());
        }
        answers.raise(path.asked_questions());
    }
    path.end_look();
}

#[test]
fn r23_a_question_to_a_custom_policy_is_asked_once_and_opens_before_it_is_answered() {
    model(|| {
        let model = Model::new(CUSTOM);
        let answers = Answers::default();
        model.call(FAILURE);
        let theirs = answers.clone();
        let fail = move |model: &Model| {
            let ticket = model.admit().unwrap();
            let question = model.settle(ticket, FAILURE).unwrap();
            let open = theirs.include(question).then(|| model.admit().is_none());
            assert_ne!(open, Some(false), "it was answered, and two had failed");
        };
        beside(&model, fail, |model| look(model, &answers));
        look(&model, &answers);
        assert_eq!(model.end().2, State::Open);
        assert!(model.path.next_question().is_none());
    });
}

#[test]
fn r23_an_answer_about_a_generation_that_is_over_opens_nothing() {
    model(|| {
        let model = Model::new(CUSTOM);
        model.calls(&[FAILURE, FAILURE]);
        let asked = model.path.next_question().unwrap();
        let answer = move |model: &Model| model.path.answer_open(&asked, clock::now());
        beside(&model, answer, Model::reset);
        assert_eq!(model.end().2, State::Closed);
    });
}

#[test]
fn r21_a_question_that_died_with_its_owner_is_not_asked_again_and_nobody_waits() {
    model(|| {
        let model = Model::new(CUSTOM);
        let fail = |model: &Model| {
            let ticket = model.admit().unwrap();
            model.settle(ticket, FAILURE).unwrap()
        };
        let question = beside(&model, fail, |model| {
            model.path.begin_look(clock::now());
            // The owner dies with what it has taken.
            drop(model.path.next_question());
        });
        let answers = Answers::default();
        answers.raise(model.path.asked_questions());
        let left = model.path.next_question();
        assert_ne!(answers.include(question), left.is_some());
        assert_eq!(model.end().0.failures, 1, "the verdict stays counted");
    });
}

#[test]
fn r04_a_question_of_a_generation_that_is_over_is_void_and_nobody_waits() {
    model(|| {
        let model = Model::new(CUSTOM);
        let fail = |model: &Model| {
            let ticket = model.admit().unwrap();
            model.settle(ticket, FAILURE)
        };
        let question = beside(&model, fail, Model::reset);
        let generation = model.path.inspect(Circuit::generation);
        let left = model.path.next_question();
        let is_living = |asked: &AskedQuestion| asked.question.generation() == generation;
        assert!(left.as_ref().is_none_or(is_living));
        let answers = Answers::default();
        answers.raise(model.path.asked_questions());
        assert!(question.is_none_or(|number| answers.include(number)));
    });
}

#[test]
fn r22_whoever_needs_the_owner_after_it_has_begun_to_look_asks_again() {
    model(|| {
        let model = Model::new(CONFIG);
        let answers = Answers::default();
        let open = |model: &Model| model.calls(&[FAILURE, FAILURE]);
        beside(&model, open, |model| look(model, &answers));
        let messages = model.messages.load(Ordering::Relaxed);
        assert!(messages <= 1, "nobody looked in between");
        // It was told of the opening, or has been asked to look.
        assert_eq!(messages, 1);
        assert_eq!(model.end().2, State::Open);
    });
}

#[test]
fn r22_a_need_that_comes_while_the_owner_looks_is_not_lost() {
    model(|| {
        // A message has told of the opening, and the owner looks because of it.
        let model = Model::due(CONFIG);
        let answers = Answers::default();
        let fail = |model: &Model| model.call(FAILURE);
        beside(&model, fail, |model| look(model, &answers));
        let is_left = model.path.next_news().is_some();
        let messages = model.messages.load(Ordering::Relaxed);
        assert!(!is_left || messages >= 2, "nobody will look");
    });
}

#[test]
fn r22_two_callers_who_need_the_owner_send_one_message() {
    model(|| {
        let model = Model::new(CUSTOM);
        let fail = |model: &Model| model.call(FAILURE);
        beside(&model, fail, fail);
        assert_eq!(model.messages.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn r40_an_orphaned_breaker_stays_so_beside_a_verdict_that_opens_it() {
    for choice in [Orphaned::Admit, Orphaned::Reject] {
        model(move || {
            let model = Model::new(CONFIG);
            model.call(FAILURE);
            let fail = |model: &Model| model.call(FAILURE);
            beside(&model, fail, |model| model.path.orphan(choice));
            let admits = choice == Orphaned::Admit;
            assert_eq!(model.admit().is_some(), admits);
            model.reset();
            assert_eq!(model.admit().is_some(), admits, "also for a late owner");
        });
    }
}

#[test]
fn r40_no_verdict_judges_once_the_owner_is_gone() {
    model(|| {
        let model = Model::new(CONFIG);
        let fail = |model: &Model| model.calls(&[FAILURE, FAILURE]);
        let mut state = State::Closed;
        beside(&model, fail, |model| {
            model.path.orphan(Orphaned::Admit);
            state = model.path.inspect(Circuit::state);
        });
        fail(&model);
        assert_eq!(model.end().2, state);
    });
}

#[test]
fn r40_an_answer_opens_nothing_once_the_owner_is_gone() {
    model(|| {
        let model = Model::new(CUSTOM);
        model.calls(&[FAILURE, FAILURE]);
        let asked = model.path.next_question().unwrap();
        let answer = move |model: &Model| {
            model.path.answer_open(&asked, clock::now());
            model.path.inspect(Circuit::state)
        };
        let mut state = State::Closed;
        let then = beside(&model, answer, |model| {
            model.path.orphan(Orphaned::Admit);
            state = model.path.inspect(Circuit::state);
        });
        assert_eq!(then, state, "it was answered before");
        assert!(
            model.path.next_question().is_none(),
            "the rest is forgotten"
        );
    });
}

/// Counts how often it was woken.
struct Woken(Wakes);

impl Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn r20_whoever_waits_for_an_answer_is_woken_however_they_meet() {
    model(|| {
        let answers = Answers::default();
        let theirs = answers.clone();
        let thread = thread::spawn(move || theirs.raise(1));
        if let Some(mut answer) = answers.of(1) {
            let woken = std::sync::Arc::new(Woken(Wakes::new(0)));
            let waker = Waker::from(std::sync::Arc::clone(&woken));
            let first = Pin::new(&mut answer).poll(&mut Context::from_waker(&waker));
            thread.join().unwrap();
            let wakes = woken.0.load(std::sync::atomic::Ordering::Relaxed);
            assert!(first.is_ready() || wakes == 1, "it would wait forever");
            let then = Pin::new(&mut answer).poll(&mut Context::from_waker(&waker));
            assert_eq!(then, Poll::Ready(()));
        } else {
            thread.join().unwrap();
        }
    });
}
