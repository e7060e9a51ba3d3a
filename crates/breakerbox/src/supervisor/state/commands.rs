//! What handles ask a supervisor for while it serves.

use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{ChildId, OnLimit, Phase, RestartIntensity, Supervision};
use tokio::sync::oneshot;

use super::super::published::ChildEntry;
use super::super::{AddError, ChildKey, ChildSpec, Departure, RemoveError, RestartError, catch};
use super::SupervisorState;
use crate::clock;

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

impl SupervisorState {
    pub(super) fn add(&mut self, spec: ChildSpec, reply: Reply<Arc<ChildEntry>, AddError>) {
        if self.publisher.id(&spec.name).is_some() {
            let child = spec.name.to_string();
            catch::drop_apart(spec);
            refuse(reply, AddError::Duplicate { child });
        } else if let Some(maximum) = self.maximum.filter(|most| self.children.len() >= *most) {
            catch::drop_apart(spec);
            refuse(reply, AddError::Full { maximum });
        } else if let Some(managed) = self.insert(self.as_member(spec)) {
            managed.add_reply = Some(reply);
        }
    }

    /// Gives the child of a set what all of them have, whoever adds it.
    fn as_member(&self, mut spec: ChildSpec) -> ChildSpec {
        if self.maximum.is_some() {
            let policy = spec.policy.or_intensity(PER_CHILD, OnLimit::StopChild);
            spec.policy = policy.side_by_side();
        }
        spec
    }

    pub(super) fn remove(&mut self, name: &str, reply: Reply<Departure, RemoveError>) {
        let Some(child) = self.publisher.id(name) else {
            return refuse(reply, unknown(name));
        };
        if let Some(managed) = self.children.get_mut(&child) {
            managed.remove_replies.push(reply);
        }
        self.supervision.remove(child, clock::now());
    }

    pub(super) fn remove_this(
        &mut self,
        name: &str,
        child: &ChildKey,
        reply: Reply<Departure, RemoveError>,
    ) {
        let known = self.publisher.id(name);
        let managed = known.and_then(|id| self.children.get(&id));
        if managed.is_some_and(|managed| child.runs(managed.entry.runnable())) {
            self.remove(name, reply);
        } else {
            refuse(reply, unknown(name));
        }
    }

    pub(super) fn restart(&mut self, name: &str, reply: Reply<(), RestartError>) {
        let known = self.publisher.id(name);
        let Some(child) = known.filter(|id| self.command(*id, Supervision::restart)) else {
            let child = name.to_owned();
            return refuse(reply, RestartError::Unknown { child });
        };
        if let Some(managed) = self.children.get_mut(&child) {
            managed.restart_replies.push(reply);
        }
        if self.phase_of(child) == Some(Phase::Stuck)
            && let Some(managed) = self.children.get_mut(&child)
            && managed.due.is_none()
        {
            managed.await_gone();
            self.note_due(child);
        }
    }

    pub(super) fn stop(&mut self, name: &str, reply: Reply<Departure, RemoveError>) {
        let known = self.publisher.id(name);
        let Some(child) = known.filter(|id| self.command(*id, Supervision::stop)) else {
            return refuse(reply, unknown(name));
        };
        if let Some(managed) = self.children.get_mut(&child) {
            managed.stop_replies.push(reply);
            // For one that was down already there is no directive.
            if self.phase_of(child) == Some(Phase::Down) {
                self.reply_stopped(child);
            }
        }
    }

    fn command(
        &mut self,
        child: ChildId,
        command: impl FnOnce(&mut Supervision, ChildId, std::time::Instant) -> bool,
    ) -> bool {
        command(&mut self.supervision, child, clock::now())
    }

    pub(super) fn phase_of(&self, child: ChildId) -> Option<Phase> {
        Some(self.supervision.status(child)?.phase)
    }

    fn reply_stopped(&mut self, child: ChildId) {
        if let Some(managed) = self.children.get_mut(&child) {
            managed.reply_stopped();
        }
    }
}

fn refuse<T, E>(reply: Reply<T, E>, error: E) {
    let _gave_up_waiting = reply.send(Err(error));
}

fn unknown(child: &str) -> RemoveError {
    RemoveError::Unknown {
        child: child.to_owned(),
    }
}

/// As much as a supervisor bears of all its children, unless the child has a limit.
const PER_CHILD: RestartIntensity = RestartIntensity::new(3, Duration::from_secs(5));
