use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use ractor::pg::{self, DEFAULT_SCOPE};
use ractor::{ActorCell, ActorStatus};

use super::super::catch;
use super::listener::Listening;
use super::shared::Turn;
use super::timers::{TimerKey, Timers};

/// What a scope holds until it ends.
pub(super) struct Held<M> {
    pub(super) groups: HashSet<Group>,
    latest_subscription: u64,
    /// The actor that monitors others for it, once it monitors any.
    pub(super) listening: Option<Listening>,
    pub(super) queue: VecDeque<Queued<M>>,
    pub(super) subscriptions: HashMap<u64, Subscription>,
    pub(super) timers: Timers<M>,
}

/// What waits for its turn in a scope.
pub(super) enum Queued<M> {
    /// A timer of this key is due.
    Due(TimerKey),
    Turn(Turn<M>),
}

/// A subscription to an output port.
pub(super) struct Subscription {
    /// The user's function, which the relay borrows: so it is gone when the scope is.
    pub(super) convert: Arc<dyn Send + Sync>,
    pub(super) relay: ActorCell,
}

impl<M: 'static> Held<M> {
    pub(super) fn nothing() -> Self {
        Self {
            groups: HashSet::new(),
            latest_subscription: 0,
            listening: None,
            queue: VecDeque::new(),
            subscriptions: HashMap::new(),
            timers: Timers::none(),
        }
    }

    pub(super) const fn next_subscription(&mut self) -> u64 {
        self.latest_subscription += 1;
        self.latest_subscription
    }

    /// Takes the next of the queue; what was cancelled meanwhile is passed over.
    pub(super) fn take(&mut self) -> Option<Turn<M>> {
        loop {
            match self.queue.pop_front()? {
                Queued::Due(timer) => {
                    if let Some(make) = self.timers.take(timer) {
                        return Some(Turn::Made(Box::new(move || Some(make()))));
                    }
                }
                Queued::Turn(turn) => return Some(turn),
            }
        }
    }

    /// Leaves all groups.
    ///
    /// Of one that stops ractor has taken care, and would tell the others once more.
    pub(super) fn leave_groups(&mut self, shell: &ActorCell) {
        let is_member = shell.get_status() <= ActorStatus::Draining;
        for group in self.groups.drain() {
            if is_member {
                group.leave(shell);
            }
        }
    }

    /// Ends its relays, and drops what is the user's.
    pub(super) fn end(self) {
        drop(self.listening);
        self.queue.into_iter().for_each(catch::drop_of);
        self.timers.into_functions().for_each(catch::drop_of);
        for (_, subscription) in self.subscriptions {
            subscription.end();
        }
    }
}

impl Subscription {
    pub(super) fn end(self) {
        self.relay.stop(None);
        catch::drop_of(self.convert);
    }
}

/// The name of a process group, and of the ractor scope that it is in.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Group {
    name: String,
    pg_scope: String,
}

impl Group {
    pub(super) fn of(name: String) -> Self {
        Self::scoped(DEFAULT_SCOPE.to_owned(), name)
    }

    pub(super) const fn scoped(pg_scope: String, name: String) -> Self {
        Self { name, pg_scope }
    }

    pub(super) fn join(&self, actor: &ActorCell) {
        pg::join_scoped(
            self.pg_scope.clone(),
            self.name.clone(),
            vec![actor.clone()],
        );
    }

    pub(super) fn leave(&self, actor: &ActorCell) {
        pg::leave_scoped(
            self.pg_scope.clone(),
            self.name.clone(),
            vec![actor.clone()],
        );
    }
}
