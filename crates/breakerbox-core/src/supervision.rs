//! Deciding what becomes of the children of a supervisor.
//!
//! A restart loop looks like three lines, until a child dies while it is being
//! removed, a timer of a former incarnation fires, or one child burns the
//! restarts of all the others. So the loop is not written where things happen:
//! this machine is told what happened and when, and its directives are polled.
//!
//! # Invariants
//!
//! 1. A child has at most one incarnation that was started and not yet stopped:
//!    a [`Directive::Start`] is followed by that incarnation's exit before the
//!    next one is asked for.
//! 2. What is said of another than the current incarnation changes nothing.
//! 3. A failure is charged when it happens, not when the restart is due.
//! 4. Once the supervision stops, it asks for no more starts.
//! 5. Every child that was added ends in exactly one [`Directive::Ended`], once
//!    it was removed, given up, finished or shut down.

mod child;
mod directive;
mod exit;
mod intensity;
mod policy;
mod record;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

pub use child::{ChildId, ChildStatus, Incarnation, Phase};
pub use directive::{Directive, Ending};
pub use exit::Exit;
pub use intensity::{OnLimit, RestartIntensity};
pub use policy::{ChildPolicy, Restart};

use crate::Dice;
use crate::span;
use intensity::Failures;
use record::{Record, State, Wanted};
use stage::Stage;

/// Which siblings share a child's restart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Strategy {
    /// None: the child that failed is restarted alone.
    OneForOne,
}

/// The decisions of one supervisor about its children, as a plain value.
///
/// Children that are added before [`boot`](Self::boot) start one after another,
/// each once the one before is up; the first that fails brings all down again.
/// Children added later start at once, and fail alone.
///
/// Inputs end in `now`, which never goes back: an earlier instant counts as the
/// latest one seen. After every input, poll directives until there are none.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use breakerbox_core::{ChildPolicy, Directive, Exit, RestartIntensity, Strategy, Supervision};
///
/// let now = Instant::now();
/// let intensity = RestartIntensity::new(3, Duration::from_secs(5));
/// let mut supervision = Supervision::new(Strategy::OneForOne, intensity, 7);
/// let child = supervision.add(ChildPolicy::new(), now).expect("it is not stopping");
/// supervision.boot(now);
/// let Some(Directive::Start { incarnation, .. }) = supervision.poll_directive() else { panic!() };
/// supervision.started(child, incarnation, now);
/// supervision.exited(child, incarnation, Exit::Panicked("oh".into()), now);
/// let again = Directive::Start { child, incarnation: incarnation.next() };
/// assert_eq!(supervision.poll_directive(), Some(again));
/// ```
#[derive(Debug)]
pub struct Supervision {
    added: u64,
    dice: Dice,
    directives: VecDeque<Directive>,
    failures: Failures,
    intensity: RestartIntensity,
    latest: Option<Instant>,
    records: BTreeMap<ChildId, Record>,
    stage: Stage,
    strategy: Strategy,
    waits: BTreeSet<(Instant, ChildId)>,
}

impl Supervision {
    /// A supervision without children, whose backoffs fall as `seed` says.
    #[must_use]
    pub fn new(strategy: Strategy, intensity: RestartIntensity, seed: u64) -> Self {
        Self {
            added: 0,
            dice: Dice::seeded(seed),
            directives: VecDeque::new(),
            failures: Failures::default(),
            intensity,
            latest: None,
            records: BTreeMap::new(),
            stage: Stage::Assembling,
            strategy,
            waits: BTreeSet::new(),
        }
    }

    /// Adds a child, or `None` when the supervision is stopping.
    ///
    /// Ids are never used twice, so that a late word about a child that was
    /// removed cannot reach one that was added after it.
    pub fn add(&mut self, policy: ChildPolicy, now: Instant) -> Option<ChildId> {
        let now = self.advance(now);
        if self.stage.is_stopping() {
            return None;
        }
        let child = ChildId::new(self.added);
        self.added += 1;
        self.records.insert(child, Record::new(policy, now));
        if !matches!(self.stage, Stage::Assembling) {
            self.start(child, now);
        }
        Some(child)
    }

    /// Starts the children added so far, in order; a second call does nothing.
    pub fn boot(&mut self, now: Instant) {
        let now = self.advance(now);
        if let Stage::Assembling = self.stage {
            self.stage = Stage::booting(self.records.keys().copied());
            self.boot_next(now);
        }
    }

    /// An incarnation is up.
    pub fn started(&mut self, child: ChildId, incarnation: Incarnation, now: Instant) {
        let now = self.advance(now);
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        if record.is_starting(incarnation) {
            record.enter(State::Up, now);
            self.boot_past(child, now);
        }
    }

    /// An incarnation ended, could not be started, or has been stopped.
    pub fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: Exit, now: Instant) {
        let now = self.advance(now);
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        if record.incarnation() != incarnation {
            return;
        }
        match record.state() {
            State::Starting if incarnation == Incarnation::FIRST => {
                record.failed_to_start(exit);
                self.never_started(child, now);
            }
            State::Starting | State::Up => {
                let wanted = record.lost(exit, now);
                self.lost(child, wanted, now);
            }
            State::Stopping(why) => self.stopped(child, why, exit, now),
            State::BackingOff { .. } | State::Down | State::Queued => {}
        }
    }

    /// Stops a child and forgets it; false when there is no such child.
    ///
    /// It may be up, starting, waiting for its restart, stopping or down.
    pub fn remove(&mut self, child: ChildId, now: Instant) -> bool {
        let now = self.advance(now);
        let Some(record) = self.records.get_mut(&child) else {
            return false;
        };
        match record.state() {
            State::Down => {
                self.records.remove(&child);
            }
            State::Queued => {
                self.records.remove(&child);
                self.say_ended(child, Ending::Removed);
            }
            State::Stopping(Ending::ShutDown) => {}
            State::Stopping(_) => record.enter(State::Stopping(Ending::Removed), now),
            State::BackingOff { .. } | State::Starting | State::Up => {
                self.stop(child, Ending::Removed, now);
            }
        }
        true
    }

    /// Stops all children, the last one started first, one after another.
    pub fn shutdown(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.stage.is_stopping() {
            return;
        }
        let left = self.records.keys().copied().collect();
        self.stage = Stage::Stopping { left };
        self.waits.clear();
        self.stop_next(now);
    }

    /// When [`handle_deadline`](Self::handle_deadline) is to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waits.first().map(|&(until, _)| until)
    }

    /// Starts the children whose wait is over.
    pub fn handle_deadline(&mut self, now: Instant) {
        let now = self.advance(now);
        while let Some(&(until, child)) = self.waits.first()
            && until <= now
        {
            self.start(child, now);
        }
    }

    /// The next thing to do, in the order in which it was decided.
    pub fn poll_directive(&mut self) -> Option<Directive> {
        self.directives.pop_front()
    }

    /// How a child does, or `None` once it is forgotten.
    #[must_use]
    pub fn status(&self, child: ChildId) -> Option<&ChildStatus> {
        self.records.get(&child).map(Record::status)
    }

    /// Whether every child of the boot is up.
    #[must_use]
    pub fn is_booted(&self) -> bool {
        matches!(self.stage, Stage::Running)
    }

    /// Whether it was shut down or gave up, and no child is left to stop.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Stopping { left } if left.is_empty())
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }

    /// Asks for a child's next incarnation.
    fn start(&mut self, child: ChildId, now: Instant) {
        self.forget_wait(child);
        if let Some(record) = self.records.get_mut(&child) {
            let incarnation = record.begin(now);
            self.directives
                .push_back(Directive::Start { child, incarnation });
        }
    }

    /// Asks for a child's end, whatever it is doing.
    fn stop(&mut self, child: ChildId, why: Ending, now: Instant) {
        self.forget_wait(child);
        if let Some(record) = self.records.get_mut(&child) {
            record.enter(State::Stopping(why), now);
            let incarnation = record.incarnation();
            self.directives
                .push_back(Directive::Stop { child, incarnation });
        }
    }

    fn forget_wait(&mut self, child: ChildId) {
        if let Some(State::BackingOff { until }) = self.records.get(&child).map(Record::state) {
            self.waits.remove(&(until, child));
        }
    }

    fn boot_next(&mut self, now: Instant) {
        while let Some(child) = self.stage.await_next() {
            if self.records.contains_key(&child) {
                return self.start(child, now);
            }
        }
    }

    /// Goes on with the boot when `child` is the one that it waits for.
    fn boot_past(&mut self, child: ChildId, now: Instant) {
        if self.stage.awaits(child) {
            self.boot_next(now);
        }
    }

    /// A first incarnation did not come up: nobody restarts what never ran.
    fn never_started(&mut self, child: ChildId, now: Instant) {
        let fails_the_boot = self.stage.awaits(child);
        if fails_the_boot {
            self.directives.push_back(Directive::Escalate { child });
        }
        self.stop(child, Ending::StartFailed, now);
        if fails_the_boot {
            self.shutdown(now);
        }
    }

    /// An incarnation that had been wanted is gone.
    fn lost(&mut self, child: ChildId, wanted: Wanted, now: Instant) {
        match wanted {
            _ if self.stage.is_stopping() => {
                self.stop(child, Ending::ShutDown, now);
            }
            Wanted::No => self.stop(child, Ending::Finished, now),
            Wanted::OverItsLimit(OnLimit::StopChild) => self.give_up(child, now),
            Wanted::OverItsLimit(OnLimit::Escalate) => self.escalate(child, now),
            Wanted::Yes if self.failures.charge(self.intensity, now) => self.escalate(child, now),
            Wanted::Yes => self.restart(child, now),
        }
    }

    fn restart(&mut self, child: ChildId, now: Instant) {
        // One strategy so far; the next one stops siblings here.
        let Strategy::OneForOne = self.strategy;
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        match record.wait(&mut self.dice) {
            None => self.start(child, now),
            Some(wait) => {
                let until = span::after(now, wait);
                record.enter(State::BackingOff { until }, now);
                self.waits.insert((until, child));
            }
        }
    }

    fn give_up(&mut self, child: ChildId, now: Instant) {
        self.directives.push_back(Directive::GaveUp { child });
        self.stop(child, Ending::GaveUp, now);
    }

    fn escalate(&mut self, child: ChildId, now: Instant) {
        self.directives.push_back(Directive::Escalate { child });
        self.give_up(child, now);
        self.shutdown(now);
    }

    /// A child that was asked to stop has done so.
    fn stopped(&mut self, child: ChildId, why: Ending, exit: Exit, now: Instant) {
        let Some(record) = self.records.get_mut(&child) else {
            return;
        };
        record.stopped(why, exit, now);
        let stays = record.is_worth_keeping(why) || self.stage.is_stopping();
        if !stays {
            self.records.remove(&child);
        }
        self.say_ended(child, why);
        self.boot_past(child, now);
        self.stop_next(now);
    }

    /// Turns to the last child that is not down, when all are to stop.
    fn stop_next(&mut self, now: Instant) {
        while let Stage::Stopping { left } = &mut self.stage
            && let Some(&child) = left.last()
        {
            match self.records.get(&child).map(Record::state) {
                Some(State::Stopping(_)) => return,
                None | Some(State::Down) => {
                    left.pop();
                }
                Some(State::Queued) => {
                    left.pop();
                    self.never_begun(child, now);
                }
                Some(State::BackingOff { .. } | State::Starting | State::Up) => {
                    return self.stop(child, Ending::ShutDown, now);
                }
            }
        }
    }

    fn never_begun(&mut self, child: ChildId, now: Instant) {
        if let Some(record) = self.records.get_mut(&child) {
            record.enter(State::Down, now);
            self.say_ended(child, Ending::ShutDown);
        }
    }

    fn say_ended(&mut self, child: ChildId, why: Ending) {
        self.directives.push_back(Directive::Ended { child, why });
    }
}
