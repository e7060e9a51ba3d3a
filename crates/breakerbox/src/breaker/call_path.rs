//! The way of a call through a breaker: the gate, the tally, the fuse, the ledger.
//!
//! A message for every call would cost more than most calls and queue without
//! bound, and an actor decides only when the scheduler lets it. So what everybody
//! would say all the time is folded into three small things. The *gate* is the
//! standing answer to "may I?". The *tally* is verdicts added up. The *fuse* says
//! how many failures cannot open the breaker, whatever comes between.
//!
//! The one that burns the fuse is judged at once, by whoever made it: under a
//! lock it brings the owner's [`Ledger`] up to date, enters its verdict, and
//! publishes what the core's rules make of it. So a verdict has one of two ways:
//! it is folded, or it is entered.
//!
//! # Invariants
//!
//! 1. Every verdict is counted in exactly one place: a cell, the fuse, or the
//!    ledger; and from there in exactly one of window and `late`.
//! 2. Of the verdicts of one thread the ledger knows no later one without the
//!    earlier ones.
//! 3. When a verdict that opens the breaker has been settled, the gate is shut.
//! 4. No admission and no verdict waits for the owner to be scheduled, but for one
//!    that a custom policy must judge.

use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{
    BreakerConfig, Circuit, ConfigError, Generation, Orphaned, Outcome, Pace, Question, Standing,
};

use super::packed_ticket::PackedTicket;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::{Judgement, LastFailure, Rejected, clock, lock};

mod commands;
mod consumed;
mod fuse;
mod gate;
mod ledger;
#[cfg(all(test, loom))]
mod loom_tests;
mod news;
mod published_config;
mod questions;
mod streak_end;
mod tally;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg_attr(loom, path = "call_path/loom_thread_slot.rs")]
mod thread_slot;

pub(super) use commands::Command;
use consumed::Reading;
use fuse::SharedFuse;
use gate::{Gate, NotAdmitted};
use ledger::{Asked, Owner};
pub(super) use ledger::{Ledger, Need};
pub(super) use news::News;
pub(super) use published_config::PublishedConfig;
use tally::ShardedTally;

#[derive(Debug)]
pub(super) struct CallPath {
    config: PublishedConfig,
    fuse: SharedFuse,
    gate: Gate,
    ledger: Mutex<Ledger>,
    /// See [`streak_end`].
    streak_end: AtomicU64,
    tally: ShardedTally,
}

/// A question to a custom policy, in the hands of the owner.
#[derive(Debug)]
pub(super) struct AskedQuestion {
    config: Arc<BreakerConfig>,
    failure: Option<LastFailure>,
    question: Question,
}

impl AskedQuestion {
    /// Asks the policy, which runs the user's code.
    pub(super) fn ask(&self) -> bool {
        self.question.ask(&self.config)
    }
}

impl CallPath {
    pub(super) fn new(circuit: Circuit, now: Instant) -> Self {
        let path = Self {
            config: PublishedConfig::new(circuit.config()),
            fuse: SharedFuse::new(circuit.generation()),
            gate: Gate::new(circuit.standing()),
            streak_end: AtomicU64::new(streak_end::mark(circuit.generation(), 0)),
            ledger: Mutex::new(Ledger::new(circuit, now)),
            tally: ShardedTally::new(),
        };
        path.act(now, |_| ());
        path
    }

    pub(super) fn config(&self) -> &PublishedConfig {
        &self.config
    }

    /// Admits a call or says why not; never waits for the owner.
    ///
    /// `ask` asks the owner to look.
    #[inline]
    pub(super) fn admit(&self, ask: impl Fn(Need)) -> Result<PackedTicket, Rejected> {
        match self.gate.try_fast() {
            Some(Ok(generation)) => Ok(PackedTicket::plain(generation)),
            Some(Err(rejected)) => Err(rejected),
            None => self.admit_by_rule(ask),
        }
    }

    /// Counts the verdict on a call of which nothing else matters, if nobody need
    /// judge it. If not, it has done nothing, and [`settle`](Self::settle) is next.
    ///
    /// This and what it calls is always inlined, up to the permit's method: else the
    /// permit would go through memory, which takes as long as all the rest.
    #[inline(always)]
    pub(super) fn fold_plain(&self, ticket: &PackedTicket, outcome: Outcome) -> bool {
        ticket.is_plain() && self.fold(ticket.generation(), outcome)
    }

    /// Records a verdict that is not folded as a plain one.
    ///
    /// Returns the number of the question that a custom policy must answer before
    /// it is known whether the verdict opens the breaker. `ask` asks the owner to
    /// look.
    pub(super) fn settle(
        &self,
        ticket: PackedTicket,
        judgement: impl Into<Judgement>,
        ask: impl Fn(Need),
    ) -> Option<u64> {
        let judgement = judgement.into();
        let outcome = judgement.outcome;
        let pace = ticket
            .since()
            .map_or(Pace::Fast, |since| self.config.pace(since));
        let notice = ticket.notice();
        // What took long can afford the ledger, so slowness is never folded.
        let is_simple = pace == Pace::Fast && judgement.text.is_none();
        let may_fold = is_simple && !ticket.is_plain() && !ticket.is_probe();
        let question = if may_fold && self.fold(notice.generation(), outcome) {
            None
        } else {
            self.enter(ticket, judgement, pace, ask)
        };
        // After the verdict, so that a caller that takes the place comes after it.
        if notice.holds_place() {
            self.gate.hand_back(notice, outcome);
        }
        question
    }

    /// Returns the answer that stands now.
    pub(super) fn standing(&self, ask: impl Fn(Need)) -> Standing {
        let (standing, due) = self.gate.standing();
        let Some(now) = due else { return standing };
        self.with_ledger(now, ask, |_| ());
        self.gate.standing().0
    }

    /// Returns what a call would be told now that is rejected for sure.
    ///
    /// While the breaker ramps up no call is.
    pub(super) fn rejection(&self, ask: impl Fn(Need)) -> Option<Rejected> {
        if let Some(answer) = self.gate.try_fast() {
            return answer.err();
        }
        let reason = self.standing(ask).admit(|| 0).err()?;
        self.gate.rejected(reason)
    }

    /// Returns the instant from which another try is worth it, where that is known.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.gate.retry_at().map(crate::moment::Moment::instant)
    }

    /// Does something to the ledger, which is up to date, and publishes what follows.
    ///
    /// The owner needs nobody to ask it to look; a caller uses `with_ledger`.
    pub(super) fn act<T>(&self, now: Instant, act: impl FnOnce(&mut Ledger) -> T) -> T {
        lock::with(&self.ledger, |ledger| self.act_on(ledger, now, act))
    }

    /// Reads the circuit as the last one left it who looked.
    pub(super) fn inspect<T>(&self, inspect: impl FnOnce(&Circuit) -> T) -> T {
        lock::with(&self.ledger, |ledger| inspect(ledger.circuit()))
    }

    /// Reads the circuit, brought up to date.
    pub(super) fn inspect_now<T>(
        &self,
        now: Instant,
        ask: impl Fn(Need),
        inspect: impl FnOnce(&Circuit, Option<&LastFailure>) -> T,
    ) -> T {
        self.with_ledger(now, ask, |ledger| {
            inspect(ledger.circuit(), ledger.last_failure())
        })
    }

    /// Gives the owner a command; returns its number, or None if it will never be
    /// carried out.
    pub(super) fn give(&self, command: Command, ask: impl Fn(Need)) -> Option<u64> {
        self.with_ledger(clock::now(), ask, |ledger| {
            let has_owner = ledger.owner == Owner::Expected;
            has_owner.then(|| ledger.commands.give(command))
        })
    }

    /// Takes the next command to the owner, and its number.
    pub(super) fn next_command(&self) -> Option<(u64, Command)> {
        lock::with(&self.ledger, |ledger| ledger.commands.take())
    }

    /// Notes that the owner has carried out the command with this number.
    pub(super) fn note_carried_out(&self, number: u64) {
        lock::with(&self.ledger, |ledger| {
            ledger.commands.note_carried_out(number);
        });
    }

    /// Returns the number up to which commands are carried out.
    pub(super) fn carried_out(&self) -> u64 {
        lock::with(&self.ledger, |ledger| ledger.commands.carried_out())
    }

    /// Changes the configuration, for the circuit and for callers.
    pub(super) fn reconfigure(
        &self,
        config: impl Into<Arc<BreakerConfig>>,
        now: Instant,
    ) -> Result<(), ConfigError> {
        let config = config.into();
        self.act(now, |ledger| {
            if !ledger.has_owner() {
                return Ok(());
            }
            ledger.circuit_mut().reconfigure(Arc::clone(&config), now)?;
            self.config.publish(&config);
            ledger.add_news(News::Reconfigured);
            Ok(())
        })
    }

    /// Returns the number up to which no question is left to ask.
    ///
    /// Those may have no answer: their policy panicked, or their generation is over.
    pub(super) fn asked_questions(&self) -> u64 {
        lock::with(&self.ledger, |ledger| ledger.questions.taken())
    }

    /// Begins a look of the owner: a caller that needs it from now on asks again.
    pub(super) fn begin_look(&self, now: Instant) {
        self.act(now, |ledger| ledger.asked = Asked::No);
    }

    /// Takes the next thing that the owner has to tell.
    pub(super) fn next_news(&self) -> Option<News> {
        lock::with(&self.ledger, Ledger::next_news)
    }

    /// Takes the next question to a custom policy.
    pub(super) fn next_question(&self) -> Option<AskedQuestion> {
        lock::with(&self.ledger, |ledger| {
            let (question, failure) = ledger.questions.take()?;
            Some(AskedQuestion {
                config: Arc::clone(ledger.circuit().config()),
                failure,
                question,
            })
        })
    }

    /// Opens the breaker, because a custom policy has said so.
    pub(super) fn answer_open(&self, asked: &AskedQuestion, now: Instant) {
        self.act(now, |ledger| {
            ledger.answer_open(&asked.question, asked.failure.as_ref(), now);
        });
    }

    /// Ends a look of the owner. Returns when it must look without being asked, and
    /// whether questions are left.
    pub(super) fn end_look(&self) -> (Option<Instant>, bool) {
        lock::with(&self.ledger, |ledger| {
            (ledger.set_alarm(), ledger.questions.are_waiting())
        })
    }

    /// Sets what callers get because there will be no owner any more.
    ///
    /// Verdicts judge nothing from now on.
    pub(super) fn orphan(&self, choice: Orphaned) {
        lock::with(&self.ledger, |ledger| {
            ledger.owner = Owner::GoneForGood;
            ledger.questions.void();
            ledger.commands.void();
            self.gate.orphan(choice);
        });
    }

    /// Since when no verdict has come; None where to forget the breaker would lose
    /// something that counts.
    pub(super) fn idle_since(&self, now: Instant, ask: impl Fn(Need)) -> Option<Instant> {
        self.with_ledger(now, ask, |ledger| {
            let is_blank = ledger.owner == Owner::GoneForGood || ledger.circuit().is_blank();
            is_blank.then_some(ledger.last_verdict)
        })
    }

    #[inline(never)]
    fn admit_by_rule(&self, ask: impl Fn(Need)) -> Result<PackedTicket, Rejected> {
        let admitted = loop {
            match self.gate.admit() {
                Ok(admitted) => break admitted,
                Err(NotAdmitted::Rejected(rejected)) => return Err(rejected),
                Err(NotAdmitted::Due(now)) => self.with_ledger(now, &ask, |_| ()),
            }
        };
        let ticket = admitted.ticket();
        if admitted.is_news() {
            let now = clock::now();
            self.with_ledger(now, ask, |ledger| {
                ledger.circuit_mut().admitted(ticket.notice(), now);
            });
        }
        Ok(PackedTicket::new(&ticket, self.config.begin()))
    }

    /// Counts a verdict, if nobody need judge it. If not, it has done nothing.
    #[inline(always)]
    fn fold(&self, generation: Generation, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Failure {
                kind: None,
                retry_after: None,
            } => self.fuse.fold(generation),
            Outcome::Failure { .. } => false,
            Outcome::Ignored => self.fold_ignored(generation),
            Outcome::Success => self.fold_success(generation),
        }
    }

    /// Counts a success, which mostly takes a look, a load and a store.
    #[inline(always)]
    fn fold_success(&self, generation: Generation) -> bool {
        let word = self.fuse.read();
        if !word.folds(generation) {
            return false;
        }
        let counted = thread_slot::numbered()
            .is_some_and(|slot| self.tally.count_success_again(slot, generation))
            || self.fold_first_success(generation);
        if counted && word.streak > 0 {
            self.end_streak(generation);
        }
        counted
    }

    /// Counts the first success of a thread in a generation.
    #[cold]
    fn fold_first_success(&self, generation: Generation) -> bool {
        let slot = thread_slot::current();
        slot.is_some_and(|slot| {
            self.tally.count_success(slot, generation);
            true
        })
    }

    #[inline(never)]
    fn fold_ignored(&self, generation: Generation) -> bool {
        let slot = thread_slot::current().filter(|_| self.fuse.read().folds(generation));
        slot.is_some_and(|slot| {
            self.tally.count_ignored(slot, generation);
            true
        })
    }

    #[cold]
    fn end_streak(&self, generation: Generation) {
        let before = self.tally.sum(generation).successes - 1;
        // Relaxed: read after the fuse, whose change below releases it.
        self.streak_end
            .store(streak_end::mark(generation, before), Ordering::Relaxed);
        self.fuse.end_streak(generation);
    }

    /// Enters a verdict in the ledger.
    #[cold]
    fn enter(
        &self,
        ticket: PackedTicket,
        judgement: Judgement,
        pace: Pace,
        ask: impl Fn(Need),
    ) -> Option<u64> {
        let now = clock::now();
        self.with_ledger(now, ask, |ledger| {
            ledger.record(ticket.into_ticket(), judgement, pace, now)
        })
    }

    /// Does something to the ledger, which is up to date, publishes what follows, and
    /// asks the owner to look where it is needed.
    fn with_ledger<T>(
        &self,
        now: Instant,
        ask: impl Fn(Need),
        act: impl FnOnce(&mut Ledger) -> T,
    ) -> T {
        lock::with(&self.ledger, |ledger| {
            let done = self.act_on(ledger, now, act);
            if let Some(need) = ledger.needs_owner() {
                ledger.asked = Asked::Yes;
                ask(need);
            }
            done
        })
    }

    fn act_on<T>(
        &self,
        ledger: &mut Ledger,
        now: Instant,
        act: impl FnOnce(&mut Ledger) -> T,
    ) -> T {
        ledger.catch_up(self, now);
        let done = act(ledger);
        ledger.publish(self, now);
        done
    }

    /// Disarms the fuse and reads what has been counted.
    fn read_disarmed(&self, generation: Generation) -> Reading {
        // The fuse first: every success that a counted failure has seen is in.
        let word = self.fuse.disarm();
        // Relaxed: read after the fuse, which released it.
        let successes_at_streak_end = self.streak_end.load(Ordering::Relaxed);
        Reading {
            generation,
            sum: self.tally.sum(generation),
            successes_at_streak_end,
            word,
        }
    }

    /// Starts a generation for verdicts; returns what a run's end is marked by.
    fn start_generation(&self, generation: Generation) -> u64 {
        let mark = streak_end::mark(generation, 0);
        // Relaxed: the fuse's release comes after it.
        self.streak_end.store(mark, Ordering::Relaxed);
        self.fuse.start_generation(generation);
        mark
    }
}
