//! The ledger: the circuit, and how far it has been brought up to date.
//!
//! The owner decides, but the scheduler decides when. So the owner leaves its
//! ledger open: whoever holds the lock on it brings it up to date by the rules of
//! the core, enters what it came for, and publishes what follows, all in one
//! critical section. What a caller can do that way is what the owner has said in
//! advance: count a verdict, open on a built-in signal, carry on at a deadline.
//! Commands, custom policies and events are the owner's.
//!
//! # Invariants
//!
//! 1. No code of the user runs while the ledger is locked, and nobody waits.
//! 2. Whoever unlocks it has published what the circuit says.
//! 3. At most one message asks the owner to look, and it is sent before the lock is
//!    left.

use std::time::{Duration, Instant};

use breakerbox_core::{Circuit, Generation, Notice, Outcome, Pace, Question, Role, Ticket, Wake};

use super::CallPath;
use super::commands::Commands;
use super::consumed::Consumed;
use super::gate::Answer;
use super::news::{News, Untold};
use super::questions::Questions;
use crate::{Judgement, LastFailure};

#[derive(Debug)]
pub(in crate::breaker) struct Ledger {
    /// When the owner looks without being asked.
    alarm: Option<Instant>,
    /// Whether the owner has been asked to look and has not begun to.
    pub(super) asked: Asked,
    circuit: Circuit,
    pub(super) commands: Commands,
    consumed: Consumed,
    /// The run of failures that the fuse had when it was disarmed.
    disarmed_streak: u32,
    /// The generation that the fuse and the cells count in.
    generation: Generation,
    last_failure: Option<Box<LastFailure>>,
    /// When a verdict was last found here or in the tally.
    pub(super) last_verdict: Instant,
    /// When to look once more after falling asleep.
    look_again: Option<Instant>,
    /// What the owner has not told anybody.
    news: Untold,
    pub(super) owner: Owner,
    published: Option<Answer>,
    pub(super) questions: Questions,
}

/// Whether a message to the owner is on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Asked {
    No,
    Yes,
}

/// Whether there will be an owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    Expected,
    GoneForGood,
}

/// What a caller needs the owner for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::breaker) enum Need {
    /// To judge by a custom policy.
    Judgement,
    /// To carry out a command, to tell the news, or to set its alarm.
    Look,
}

impl Ledger {
    pub(super) fn new(circuit: Circuit, now: Instant) -> Self {
        Self {
            alarm: None,
            asked: Asked::No,
            commands: Commands::default(),
            consumed: Consumed::default(),
            disarmed_streak: 0,
            generation: circuit.generation(),
            circuit,
            last_failure: None,
            last_verdict: now,
            look_again: None,
            news: Untold::default(),
            owner: Owner::Expected,
            published: None,
            questions: Questions::default(),
        }
    }

    pub(in crate::breaker) fn circuit(&self) -> &Circuit {
        &self.circuit
    }

    pub(in crate::breaker) fn circuit_mut(&mut self) -> &mut Circuit {
        &mut self.circuit
    }

    /// Brings the circuit up to date: what was folded, and what is due.
    pub(super) fn catch_up(&mut self, path: &CallPath, now: Instant) {
        let reading = path.read_disarmed(self.generation);
        self.disarmed_streak = reading.word.streak;
        let new = self.consumed.advance(&reading, &self.circuit.counts());
        let was_overridden = self.circuit.overriding().is_some();
        if new.has_verdicts() {
            self.last_verdict = now;
        }
        self.circuit.absorb(&new, now);
        if let Some(last) = self.cut_by(path) {
            self.circuit.admitted(last, now);
        }
        self.collect_transitions(None);
        if was_overridden && self.circuit.overriding().is_none() {
            self.add_news(News::Overridden(None));
        }
    }

    /// Enters a verdict, and returns the number of the question to a custom policy
    /// if there is one.
    pub(super) fn record(
        &mut self,
        ticket: Ticket,
        judgement: Judgement,
        pace: Pace,
        now: Instant,
    ) -> Option<u64> {
        if self.owner == Owner::GoneForGood {
            return None;
        }
        self.last_verdict = now;
        // What has changed before is not by this verdict.
        self.collect_transitions(None);
        let outcome = judgement.outcome;
        let failure = match outcome {
            Outcome::Failure { kind, .. }
                if ticket.notice().generation() == self.circuit.generation() =>
            {
                let text = judgement.text;
                Some(LastFailure {
                    at: now,
                    kind,
                    text,
                })
            }
            _ => None,
        };
        let question = self.circuit.record(ticket, outcome, pace, now);
        self.collect_transitions(failure.as_ref());
        let asked = question.map(|question| self.questions.push(question, failure.clone()));
        if let Some(failure) = failure {
            self.note_failure(failure);
        }
        asked
    }

    /// Opens the breaker because a custom policy has said so, unless there is no owner
    /// any more to have asked it. `failure` is what it was asked about.
    pub(super) fn answer_open(
        &mut self,
        question: &Question,
        failure: Option<&LastFailure>,
        now: Instant,
    ) {
        if self.has_owner() {
            self.collect_transitions(None);
            self.circuit.answer_open(question, now);
            self.collect_transitions(failure);
        }
    }

    /// Whether there is an owner, or will be one.
    pub(in crate::breaker) fn has_owner(&self) -> bool {
        self.owner == Owner::Expected
    }

    /// Publishes what holds from now on.
    pub(super) fn publish(&mut self, path: &CallPath, now: Instant) {
        self.collect_transitions(None);
        if self.circuit.generation() != self.generation {
            self.generation = self.circuit.generation();
            let mark = path.start_generation(self.generation);
            self.consumed.start_generation(mark);
            // A custom policy is asked about the living generation only.
            self.questions.void();
            self.disarmed_streak = 0;
        }
        let answer = Answer::of(&self.circuit);
        let streak = self.circuit.counts().consecutive_failures;
        let wake = answer.wake();
        let folds = path
            .fuse
            .install(self.circuit.fuse(), streak, self.disarmed_streak, wake);
        self.consumed.install(folds);
        self.plan_second_look(wake, now);
        // The gate last: a caller that is admitted in a generation finds its fuse.
        if self.published.replace(answer) != Some(answer) {
            path.gate.publish(answer);
        }
    }

    /// What the owner is needed for, unless it has been asked.
    pub(super) fn needs_owner(&self) -> Option<Need> {
        let asks = self.asked == Asked::No && self.owner == Owner::Expected;
        if asks && self.questions.are_waiting() {
            return Some(Need::Judgement);
        }
        let due = self.next_deadline();
        let due_before_alarm = due.is_some_and(|due| self.alarm.is_none_or(|alarm| due < alarm));
        let has_work = !self.news.is_empty() || self.commands.are_waiting();
        (asks && (due_before_alarm || has_work)).then_some(Need::Look)
    }

    pub(in crate::breaker) fn add_news(&mut self, news: News) {
        // Nobody is there to tell it.
        if self.has_owner() {
            self.news.add(news);
        }
    }

    pub(super) fn next_news(&mut self) -> Option<News> {
        self.news.next()
    }

    /// Sets the alarm for when there is something to do without being asked.
    pub(super) fn set_alarm(&mut self) -> Option<Instant> {
        self.alarm = self.next_deadline();
        self.alarm
    }

    /// The last failure that was entered here.
    pub(super) fn last_failure(&self) -> Option<&LastFailure> {
        self.last_failure.as_deref()
    }

    fn note_failure(&mut self, failure: LastFailure) {
        match &mut self.last_failure {
            Some(last) => **last = failure,
            None => self.last_failure = Some(Box::new(failure)),
        }
    }

    /// Takes what has changed into the news. `failure` is the verdict that led to it, if
    /// that was one.
    fn collect_transitions(&mut self, failure: Option<&LastFailure>) {
        while let Some(transition) = self.circuit.poll_transition() {
            let failure = failure.filter(|_| transition.reason.is_by_failure());
            self.add_news(News::Changed(transition, failure.cloned().map(Box::new)));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let due = self.circuit.next_deadline();
        due.into_iter().chain(self.look_again).min()
    }

    /// The call that cut the gate, if one has and nobody has entered it yet.
    fn cut_by(&self, path: &CallPath) -> Option<Notice> {
        let is_cut = path.gate.is_cut_in(self.generation);
        is_cut.then(|| Ticket::new(self.generation, Role::Last).notice())
    }

    /// A success that was being counted while the window fell asleep is found by a
    /// second look.
    fn plan_second_look(&mut self, wake: Wake, now: Instant) {
        let before = self.published.map(|answer| answer.wake());
        self.look_again = match wake {
            Wake::Asleep if before == Some(Wake::Awake) => Some(now + LOOK_AGAIN),
            Wake::Asleep => self.look_again.filter(|at| *at > now),
            Wake::Awake => None,
        };
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(100);
