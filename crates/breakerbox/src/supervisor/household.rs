use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use breakerbox_core::{
    ChildId, ChildStatus, Directive, Ending, Exit, Incarnation, Phase, Supervision,
};
use ractor::{ActorId, ActorRef};
use tokio::sync::oneshot;

use super::board::{Board, Place};
use super::chronicle::Chronicle;
use super::errand::Errand;
use super::herald::Herald;
use super::order::Order;
use super::overseer::Founding;
use super::ward::{Care, Ward};
use super::{AddError, ChildSpec, Departure, RemoveError};
use crate::clock;

/// What a supervisor's actor looks after.
///
/// When it is dropped before it was dissolved, its actor was killed: ractor
/// kills the children, and everybody who waits is told.
pub(super) struct Household {
    board: Arc<Board>,
    chronicle: Chronicle,
    herald: Herald,
    myself: ActorRef<Order>,
    shells: HashMap<ActorId, ChildId>,
    supervision: Supervision,
    timer: Option<(Instant, Errand)>,
    wards: HashMap<ChildId, Ward>,
}

impl Household {
    pub(super) fn found(myself: ActorRef<Order>, founding: Founding) -> Self {
        let mut household = Self {
            chronicle: Chronicle::new(founding.founded),
            herald: Herald::new(Arc::clone(founding.board.name()), founding.events),
            board: founding.board,
            myself,
            shells: HashMap::new(),
            supervision: founding.supervision,
            timer: None,
            wards: HashMap::new(),
        };
        for spec in founding.children {
            household.take_in(spec);
        }
        household.supervision.boot(clock::now());
        household.obey();
        household
    }

    pub(super) fn hear(&mut self, order: Order) {
        match order {
            Order::Add(spec, reply) => self.add(spec, reply),
            Order::Deadline => {
                self.timer = None;
                self.supervision.handle_deadline(clock::now());
            }
            Order::Exited(child, incarnation, exit) => self.exited(child, incarnation, exit),
            Order::Gone(child, incarnation, departure, exit) => {
                self.gone(child, incarnation, departure, exit);
            }
            Order::Remove(name, reply) => self.remove(&name, reply),
            Order::ShellEnded(shell) => self.shell_ended(shell),
            Order::Started(child, incarnation) => self.started(child, incarnation),
        }
        self.obey();
    }

    /// Stops all children, one after another, and writes the report.
    pub(super) async fn dissolve(&mut self) {
        self.board.enter(Phase::Stopping);
        self.timer = None;
        // Whoever was sent to stop a child could not report back any more.
        let is_ending = |ward: &Ward| matches!(ward.state, Care::Ending);
        let ending = self.wards.iter().filter(|(_, ward)| is_ending(ward));
        for child in ending.map(|(child, _)| *child).collect::<Vec<_>>() {
            self.see_out(child).await;
        }
        self.supervision.shutdown(clock::now());
        while let Some(directive) = self.supervision.poll_directive() {
            match directive {
                Directive::Stop { child, .. } => self.see_out(child).await,
                other => self.carry_out(other),
            }
        }
        self.board.file(self.chronicle.close());
    }

    fn add(&mut self, spec: ChildSpec, reply: oneshot::Sender<Result<(), AddError>>) {
        if self.board.id(&spec.name).is_some() {
            let child = spec.name.to_string();
            let _gave_up_waiting = reply.send(Err(AddError::Duplicate { child }));
        } else if let Some(ward) = self.take_in(spec) {
            ward.newcomer = Some(reply);
        }
    }

    fn take_in(&mut self, spec: ChildSpec) -> Option<&mut Ward> {
        let child = self.supervision.add(spec.policy, clock::now())?;
        let status = self.supervision.status(child)?.clone();
        let (name, life) = (Arc::clone(&spec.name), Arc::clone(&spec.life));
        let place = Arc::new(Place::new(name, life, status));
        self.board.put_up(child, Arc::clone(&place));
        let ward = Ward::new(spec, place);
        Some(self.wards.entry(child).insert_entry(ward).into_mut())
    }

    fn remove(&mut self, name: &str, reply: oneshot::Sender<Result<Departure, RemoveError>>) {
        let known = self.board.id(name);
        let Some((child, ward)) = known.and_then(|id| Some((id, self.wards.get_mut(&id)?))) else {
            let child = name.to_owned();
            let _gave_up_waiting = reply.send(Err(RemoveError::Unknown { child }));
            return;
        };
        ward.removers.push(reply);
        self.supervision.remove(child, clock::now());
        // One that was down already ends no second time.
        if self.supervision.status(child).is_none() {
            self.forget(child);
        }
    }

    fn started(&mut self, child: ChildId, incarnation: Incarnation) {
        if !self.is_in(&[Phase::Starting], child, incarnation) {
            return;
        }
        self.supervision.started(child, incarnation, clock::now());
        let Some(ward) = self.wards.get_mut(&child) else {
            return;
        };
        if let Some(shell) = ward.place.shell() {
            ward.shell = Some(shell.get_id());
            // One that has ended already will not be heard of again.
            if ward.ended_shell != ward.shell {
                self.shells.insert(shell.get_id(), child);
            }
        }
        if let Some(newcomer) = ward.newcomer.take() {
            let _gave_up_waiting = newcomer.send(Ok(()));
        }
        self.publish(child);
        self.told_of(child, Herald::started);
        self.shell_was_lost(child, incarnation);
    }

    fn exited(&mut self, child: ChildId, incarnation: Incarnation, exit: Exit) {
        if !self.is_in(&[Phase::Starting, Phase::Up], child, incarnation) {
            return;
        }
        self.told_of(child, |herald, name, _| {
            herald.exited(name, incarnation, exit.clone());
        });
        self.supervision
            .exited(child, incarnation, exit, clock::now());
        self.publish(child);
    }

    /// An end of the actor itself, which no life behind it survives.
    ///
    /// While a child starts, it is not known whether it does so behind this
    /// shell; `started` looks it up.
    fn shell_ended(&mut self, shell: ActorId) {
        let Some(child) = self.shells.remove(&shell) else {
            return;
        };
        if let (Some(ward), Some(status)) =
            (self.wards.get_mut(&child), self.supervision.status(child))
        {
            ward.ended_shell = Some(shell);
            let incarnation = status.incarnation;
            if status.phase == Phase::Up {
                self.shell_was_lost(child, incarnation);
            }
        }
    }

    /// Counts the end of a shell as the exit of the life behind it.
    fn shell_was_lost(&mut self, child: ChildId, incarnation: Incarnation) {
        let exit = self.wards.get(&child).and_then(Ward::farewell);
        if let Some(exit) = exit {
            self.exited(child, incarnation, exit);
        }
    }

    fn gone(&mut self, child: ChildId, incarnation: Incarnation, departure: Departure, exit: Exit) {
        if let Some(ward) = self.wards.get_mut(&child) {
            ward.state = Care::Gone(departure);
            let shell = ward.shell.take();
            shell.and_then(|shell| self.shells.remove(&shell));
        }
        self.supervision
            .exited(child, incarnation, exit, clock::now());
        self.publish(child);
    }

    /// Does what was decided, and gets ready for what is next.
    fn obey(&mut self) {
        while let Some(directive) = self.supervision.poll_directive() {
            self.carry_out(directive);
            if self.chronicle.has_escalated() {
                // The rest is obeyed on the way out.
                return self.myself.stop(None);
            }
        }
        if self.supervision.is_booted() && self.board.phase() == Phase::Starting {
            self.board.enter(Phase::Up);
            self.chronicle.booted();
        }
        self.set_timer();
    }

    fn carry_out(&mut self, directive: Directive) {
        match directive {
            Directive::Start { child, incarnation } => {
                self.publish(child);
                if let Some(ward) = self.wards.get_mut(&child) {
                    ward.start(child, incarnation, &self.myself);
                }
            }
            Directive::Stop { child, incarnation } => {
                self.publish(child);
                if let Some(ward) = self.wards.get_mut(&child) {
                    ward.stop(child, incarnation, &self.myself);
                }
            }
            Directive::GaveUp { child } => self.give_up(child),
            Directive::Escalate { child } => self.escalate(child),
            Directive::Ended { child, why } => self.ended(child, why),
        }
    }

    fn give_up(&mut self, child: ChildId) {
        if let Some(ward) = self.wards.get_mut(&child) {
            ward.down_hook.tell(Ending::GaveUp);
        }
        self.told_of(child, Herald::gave_up);
    }

    fn escalate(&mut self, child: ChildId) {
        let ward = self.wards.get(&child);
        let status = self.supervision.status(child);
        let exit = status.and_then(|status| status.last_exit.clone());
        if let (Some(ward), Some(exit)) = (ward, exit) {
            let child = Arc::clone(ward.place.name());
            self.herald.escalated(&child, &exit);
            self.chronicle.escalated(child, exit);
        }
    }

    fn ended(&mut self, child: ChildId, why: Ending) {
        self.publish(child);
        if let Some(ward) = self.wards.get_mut(&child) {
            ward.down_hook.tell(why);
            if why == Ending::StartFailed {
                ward.disappoint();
            }
            self.herald.ended(ward.place.name(), why);
        }
        if self.supervision.status(child).is_none() {
            self.forget(child);
        }
    }

    /// Takes leave of a child that was removed, or is not worth keeping.
    fn forget(&mut self, child: ChildId) {
        self.board.take_down(child);
        if let Some(ward) = self.wards.remove(&child) {
            ward.dismiss();
        }
    }

    /// Stops a child on the way out, and waits for it.
    async fn see_out(&mut self, child: ChildId) {
        let ward = self.wards.get_mut(&child);
        let (Some(ward), Some(status)) = (ward, self.supervision.status(child)) else {
            return;
        };
        let (name, incarnation) = (Arc::clone(ward.place.name()), status.incarnation);
        let ended = ward.end();
        self.publish(child);
        let (departure, exit) = ended.await;
        self.chronicle.stopped(name, departure);
        self.gone(child, incarnation, departure, exit);
    }

    fn set_timer(&mut self) {
        let due = self.supervision.next_deadline();
        if self.timer.as_ref().map(|(at, _)| *at) != due {
            self.timer = due.map(|due| {
                let myself = self.myself.clone();
                let wait = async move {
                    tokio::time::sleep_until(due.into()).await;
                    let _stopping = myself.cast(Order::Deadline);
                };
                (due, Errand::run(wait))
            });
        }
    }

    /// Whether this is the child's current incarnation, in one of these phases.
    fn is_in(&self, phases: &[Phase], child: ChildId, incarnation: Incarnation) -> bool {
        self.supervision.status(child).is_some_and(|status| {
            status.incarnation == incarnation && phases.contains(&status.phase)
        })
    }

    fn told_of(&self, child: ChildId, tell: impl FnOnce(&Herald, &Arc<str>, &ChildStatus)) {
        let ward = self.wards.get(&child);
        if let (Some(ward), Some(status)) = (ward, self.supervision.status(child)) {
            tell(&self.herald, ward.place.name(), status);
        }
    }

    fn publish(&self, child: ChildId) {
        let ward = self.wards.get(&child);
        if let (Some(ward), Some(status)) = (ward, self.supervision.status(child)) {
            ward.place.post(status.clone());
        }
    }
}

impl Drop for Household {
    fn drop(&mut self) {
        for (_, ward) in self.wards.drain() {
            ward.abandon();
        }
        self.board.close();
    }
}
