//! Deciding what becomes of the children of a supervisor.
//!
//! A restart loop looks like three lines, until a child dies while it is being
//! removed, a timer of a former incarnation fires, or one child burns the
//! restarts of all the others. So the loop is not written where things happen:
//! this machine is told what happened and when, and its directives are polled.
//!
//! # Invariants
//!
//! 1. A child has at most one incarnation that was started and not yet ended: a
//!    [`Directive::Start`] is followed by that incarnation's exit before the
//!    next one is asked for, also where it was stuck in between.
//! 2. What is said of another than the current incarnation changes nothing.
//! 3. A failure is charged when it happens, not when the restart is due. One
//!    that happens while its group is being stopped is part of the failure that
//!    stops it.
//! 4. Once the supervision stops, it asks for no more starts.
//! 5. Every child that was added ends in one [`Directive::Ended`], once it was
//!    removed, stopped, given up, finished or shut down. There is another one
//!    only after its group or [`Supervision::restart`] took it up again, and for
//!    each command that stops or removes it while it is stuck.
//! 6. There is at most one restart of a group at a time. It ends its children in
//!    reverse order, one after another; none is started before all are down and
//!    have waited; then they start in order, each once the one before is up.
//! 7. Children are shut down in reverse order, one after another, but for those
//!    that stop side by side, and unless the time for it is over.
//! 8. A child that is stuck counts as down. Only its own next incarnation waits
//!    until it is gone, and with it those behind it in the restart of their group.
//! 9. A child is forgotten once nothing of it is left and its end was reported, and
//!    a [`Directive::Forgotten`] says so.

mod auto_shutdown;
mod child;
mod children;
mod command;
mod directive;
mod exit;
mod group;
mod intensity;
mod limit;
mod loss;
mod plan;
mod policy;
mod record;
mod shutdown;
mod stage;
mod state;
mod strategy;
mod stuck;
#[cfg(test)]
mod tests;
mod work;

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

pub use auto_shutdown::AutoShutdown;
pub use child::{ChildId, ChildStatus, Incarnation, Phase};
pub use directive::{Directive, Ending};
pub use exit::{Exit, ExitText};
pub use intensity::RestartIntensity;
pub use limit::OnLimit;
pub use policy::{ChildPolicy, Restart};
pub use strategy::Strategy;

use crate::Dice;
use children::Children;
use limit::Limit;
use record::Record;
use stage::Stage;
use state::State;

/// The decisions of one supervisor about its children, as a plain value.
///
/// Children that are added before [`boot`](Self::boot) start one after another,
/// each once the one before is up; the first that fails brings all down again.
/// Children added later fail alone.
///
/// With [`Strategy::OneForAll`] and [`Strategy::RestForOne`] the children that
/// share a failure are restarted together: those that run are ended in reverse
/// order, everybody waits as long as the one that failed has to, then they start
/// in order. Those that had finished start again with the others; temporary
/// ones are stopped and forgotten; those given up or stopped by a command stay
/// down. When one dies or does not come up meanwhile, the restart begins anew
/// with those that share its failure and those that were still to start.
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
    auto_shutdown: AutoShutdown,
    children: Children,
    dice: Dice,
    directives: VecDeque<Directive>,
    latest: Option<Instant>,
    limit: Limit,
    stage: Stage,
    strategy: Strategy,
    waits: BTreeSet<(Instant, ChildId)>,
}

impl Supervision {
    /// A supervision without children, whose backoffs fall as `seed` says.
    ///
    /// `intensity` bounds the restarts of all children together.
    #[must_use]
    pub fn new(strategy: Strategy, intensity: RestartIntensity, seed: u64) -> Self {
        Self {
            added: 0,
            auto_shutdown: AutoShutdown::Never,
            children: Children::none(),
            dice: Dice::seeded(seed),
            directives: VecDeque::new(),
            latest: None,
            limit: Limit::new(intensity, OnLimit::Escalate),
            stage: Stage::Assembling,
            strategy,
            waits: BTreeSet::new(),
        }
    }

    /// Whether significant children end it; [`AutoShutdown::Never`] unless set.
    #[must_use]
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
        self
    }

    /// What exceeding its intensity leads to; [`OnLimit::Escalate`] unless set.
    ///
    /// Where children are stopped one by one, whoever fails next within the
    /// period is stopped as well.
    #[must_use]
    pub const fn on_limit(mut self, on_limit: OnLimit) -> Self {
        self.limit.on_limit(on_limit);
        self
    }

    /// Starts the children added so far, in order; a second call does nothing.
    pub fn boot(&mut self, now: Instant) {
        let now = self.advance(now);
        if let Stage::Assembling = self.stage {
            let before = ChildId::new(self.added);
            self.stage = Stage::Booting { before };
            self.children.plan_boot();
            self.proceed(now);
        }
    }

    /// An incarnation is up.
    pub fn started(&mut self, child: ChildId, incarnation: Incarnation, now: Instant) {
        let now = self.advance(now);
        let record = self.children.get(child);
        if record.is_some_and(|record| record.is_starting(incarnation)) {
            self.children.change(child, |record| record.came_up(now));
            self.proceed(now);
        }
    }

    /// An incarnation ended, could not be started, or has been stopped.
    ///
    /// Nothing of it is left. If something is, [`stuck`](Self::stuck) says so first.
    pub fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: Exit, now: Instant) {
        let now = self.advance(now);
        let Some(record) = self.children.get(child) else {
            return;
        };
        if record.incarnation() != incarnation {
            return;
        }
        match record.state() {
            State::Starting if record.was_never_up() => self.never_started(child, exit, now),
            State::Starting | State::Up => self.lost(child, exit, now),
            State::EndingIncarnation | State::StuckIncarnation => {
                self.incarnation_ended(child, exit, now);
            }
            State::Stopping(why) => self.stopped(child, why, exit, now),
            State::StoppingToStart(why) if self.stage.is_stopping() => {
                self.stopped(child, why, exit, now);
            }
            State::StoppingToStart(why) => {
                self.say_ended(child, why);
                self.start_once_gone(child, why, exit, now);
            }
            State::Stuck(why) => self.gone(child, why, exit, now),
            State::StuckToStart(why) if self.stage.is_stopping() => {
                self.gone(child, why, exit, now);
                self.never_begun(child, now);
            }
            State::StuckToStart(why) => self.start_once_gone(child, why, exit, now),
            State::BackingOff { .. }
            | State::Down(_)
            | State::Held(_)
            | State::Paused { .. }
            | State::Queued => return,
        }
        self.proceed(now);
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
            self.forget_wait(child);
            self.start_after_wait(child, now);
        }
        self.proceed(now);
    }

    /// The next thing to do, in the order in which it was decided.
    pub fn poll_directive(&mut self) -> Option<Directive> {
        self.directives.pop_front()
    }

    /// How a child does, or `None` once it is forgotten.
    #[must_use]
    pub fn status(&self, child: ChildId) -> Option<&ChildStatus> {
        self.children.get(child).map(Record::status)
    }

    /// Whether every child of the boot is up.
    #[must_use]
    pub fn is_booted(&self) -> bool {
        matches!(self.stage, Stage::Running)
    }

    /// Whether it was shut down or gave up, and no child is left to stop.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&self.stage, Stage::Stopping { left, under_way } if left.is_empty() && under_way.is_empty())
    }

    fn advance(&mut self, now: Instant) -> Instant {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }

    /// Does what became possible with the last input.
    fn proceed(&mut self, now: Instant) {
        match self.stage {
            Stage::Assembling => {}
            Stage::Booting { .. } | Stage::Running => self.follow_plan(now),
            Stage::Stopping { .. } => self.stop_next(now),
        }
    }

    /// Asks for a child's next incarnation.
    fn start(&mut self, child: ChildId, now: Instant) {
        if let Some(incarnation) = self.children.change(child, |record| record.begin(now)) {
            self.directives
                .push_back(Directive::Start { child, incarnation });
        }
    }

    /// Asks for the end of an incarnation whose child stays.
    fn end_incarnation(&mut self, child: ChildId, now: Instant) {
        if let Some(incarnation) = self.leave(child, State::EndingIncarnation, now) {
            self.directives
                .push_back(Directive::EndIncarnation { child, incarnation });
        }
    }

    /// Asks for a child's end, whatever it is doing.
    fn stop_for(&mut self, child: ChildId, why: Ending, now: Instant) {
        self.forget_wait(child);
        if let Some(incarnation) = self.leave(child, State::Stopping(why), now) {
            self.directives
                .push_back(Directive::Stop { child, incarnation });
        }
    }

    /// Begins to end its incarnation, and returns which that is.
    fn leave(&mut self, child: ChildId, ending: State, now: Instant) -> Option<Incarnation> {
        self.children.change(child, |record| {
            record.relax(now);
            record.enter(ending, now);
            record.incarnation()
        })
    }

    /// A child that was asked to stop has done so.
    fn stopped(&mut self, child: ChildId, why: Ending, exit: Exit, now: Instant) {
        self.stage.went_down(child);
        self.say_ended(child, why);
        self.gone(child, why, exit, now);
    }

    /// Nothing is left of a child that was stopped, and whose end was told.
    fn gone(&mut self, child: ChildId, why: Ending, exit: Exit, now: Instant) {
        let is_kept = self.children.change(child, |record| {
            record.stopped(why, exit, State::Down(why), now);
            record.is_worth_keeping(why)
        });
        if is_kept == Some(false) && !self.stage.is_stopping() {
            self.forget(child);
        }
    }

    /// Nothing is left of a child that is to start again.
    ///
    /// It is not down in between, or it would leave a plan that waits for it.
    fn start_once_gone(&mut self, child: ChildId, why: Ending, exit: Exit, now: Instant) {
        self.children.change(child, |record| {
            record.stopped(why, exit, State::Queued, now);
        });
        self.start_in_turn(child, now);
    }

    fn forget_wait(&mut self, child: ChildId) {
        let state = self.children.state(child);
        if let Some(until) = state.and_then(State::until) {
            self.waits.remove(&(until, child));
        }
    }

    fn enter(&mut self, child: ChildId, state: State, now: Instant) {
        self.children
            .change(child, |record| record.enter(state, now));
    }

    fn note(&mut self, child: ChildId, exit: Exit) {
        self.children.change(child, |record| record.note(exit));
    }

    fn forget(&mut self, child: ChildId) {
        self.children.remove(child);
        self.directives.push_back(Directive::Forgotten { child });
    }

    fn say_ended(&mut self, child: ChildId, why: Ending) {
        self.directives.push_back(Directive::Ended { child, why });
    }
}
