use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use ractor::{ActorCell, ActorStatus, Message, OutputMessage, OutputPort, SupervisionEvent};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::shell::Bell;
use super::super::{WeakSupervisor, catch};
use super::held::{Group, Held, Queued, Subscription};
use super::listener::Listening;
use super::timers::{Make, TimerKey};
use super::{Scope, ScopeEnded, relay};
use crate::{clock, lock};

/// What the handles of a scope and its incarnation share.
///
/// Nothing of the user's is called or dropped under its lock.
pub(super) struct Shared<M> {
    bell: Weak<Bell>,
    /// None once it has ended.
    held: Mutex<Option<Held<M>>>,
    mail: Weak<dyn Mail>,
    /// Spawns relays and timers, wherever a handle is used.
    runtime: Handle,
    shell: ActorCell,
    supervisor: WeakSupervisor,
    timers_set: Notify,
    token: CancellationToken,
}

/// What an incarnation runs next for its scope.
pub(in super::super) enum Turn<M> {
    /// Something that it monitors has happened.
    Event(SupervisionEvent),
    /// The user's function makes the message; None if there is none.
    Made(Box<dyn FnOnce() -> Option<M> + Send>),
    Message(M),
}

/// Where a shell learns that a scope has something for its incarnation.
pub(in super::super) trait Mail: Send + Sync {
    /// Notes it; returns whether the shell must be woken to look.
    fn note_mail(&self) -> bool;
}

impl<M: Message> Shared<M> {
    pub(super) fn send(&self, turn: Turn<M>) -> Result<(), ScopeEnded> {
        self.add([Queued::Turn(turn)])
    }

    /// Adds to its queue, and wakes the shell; what it does not take is dropped.
    fn add(&self, queued: impl IntoIterator<Item = Queued<M>>) -> Result<(), ScopeEnded> {
        let mut queued = Some(queued);
        if self.shell.get_status() < ActorStatus::Draining {
            self.with(|held| held.queue.extend(queued.take().into_iter().flatten()));
        }
        if queued.is_some() {
            catch::drop_of(queued);
            return Err(ScopeEnded);
        }
        self.wake_shell();
        Ok(())
    }

    fn wake_shell(&self) {
        let must_be_woken = self.mail.upgrade().is_some_and(|mail| mail.note_mail());
        if must_be_woken && let Some(bell) = self.bell.upgrade() {
            let _entered = self.runtime.enter();
            bell.wake(&self.shell);
        }
    }

    pub(super) fn set_timer(self: &Arc<Self>, delay: Duration, make: Make<M>) -> TimerKey {
        let at = clock::after(delay);
        let mut make = Some(make);
        let set = self.with(|held| {
            let is_first = held.timers.is_new();
            make.take()
                .map(|make| (is_first, held.timers.set(at, make)))
        });
        let Some((is_first, timer)) = set.flatten() else {
            catch::drop_of(make);
            return TimerKey::default();
        };
        if is_first {
            self.runtime.spawn(run_timers(Arc::clone(self)));
        }
        self.timers_set.notify_one();
        timer
    }

    pub(super) fn cancel_timer(&self, timer: TimerKey) {
        let make = self.with(|held| held.timers.cancel(timer));
        catch::drop_of(make);
    }

    pub(super) fn supervisor(&self) -> WeakSupervisor {
        self.supervisor.clone()
    }

    pub(super) fn token(&self) -> CancellationToken {
        self.token.child_token()
    }

    pub(super) fn subscribe<T: OutputMessage>(
        self: &Arc<Self>,
        port: &OutputPort<T>,
        convert: impl Fn(T) -> Option<M> + Send + Sync + 'static,
    ) {
        let Some(number) = self.with(Held::next_subscription) else {
            return catch::drop_of(convert);
        };
        let convert = Arc::new(convert);
        let _entered = self.runtime.enter();
        let Some(relay) = relay::subscribe(self, number, port, &convert) else {
            return;
        };
        let mut subscription = Some(Subscription { convert, relay });
        self.with(|held| {
            if let Some(subscription) = subscription.take() {
                held.subscriptions.insert(number, subscription);
            }
        });
        if let Some(subscription) = subscription {
            subscription.end();
        }
    }

    pub(super) fn unsubscribe(&self, subscription: u64) {
        let ended = self.with(|held| held.subscriptions.remove(&subscription));
        catch::drop_of(ended);
    }

    /// Joins a group under the lock, so that it is left when the scope ends meanwhile.
    pub(super) fn join(&self, group: Group) {
        self.with(|held| {
            group.join(&self.shell);
            held.groups.insert(group);
        });
    }

    pub(super) fn leave(&self, group: &Group) {
        self.with(|held| {
            if held.groups.remove(group) {
                group.leave(&self.shell);
            }
        });
    }

    pub(super) fn monitor_group(self: &Arc<Self>, group: String) {
        self.listen(|listening| listening.monitor_group(group));
    }

    pub(super) fn demonitor_group(&self, group: &str) {
        self.with(|held| {
            if let Some(listening) = &mut held.listening {
                listening.demonitor_group(group);
            }
        });
    }

    #[cfg(feature = "monitors")]
    pub(super) fn monitor(self: &Arc<Self>, actor: &ActorCell) {
        self.listen(|listening| listening.monitor(actor));
    }

    #[cfg(feature = "monitors")]
    pub(super) fn unmonitor(&self, actor: &ActorCell) {
        self.with(|held| {
            if let Some(listening) = &mut held.listening {
                listening.unmonitor(actor);
            }
        });
    }

    #[cfg(feature = "monitors")]
    pub(super) fn forget_monitored(&self, event: &SupervisionEvent) {
        self.with(|held| {
            if let Some(listening) = &mut held.listening {
                listening.forget(event);
            }
        });
    }

    fn listen(self: &Arc<Self>, listen: impl FnOnce(&mut Listening)) {
        let _entered = self.runtime.enter();
        self.with(|held| {
            if held.listening.is_none() {
                held.listening = Listening::begin(Arc::downgrade(self));
            }
            if let Some(listening) = &mut held.listening {
                listen(listening);
            }
        });
    }

    /// Adds the timers that are due, and returns when the next one is.
    fn run_due_timers(&self) -> Option<Instant> {
        let due = self.with(|held| held.timers.due(clock::now()))?;
        if !due.is_empty() {
            let _has_ended = self.add(due.into_iter().map(Queued::Due));
        }
        self.with(|held| held.timers.next_deadline()).flatten()
    }

    /// Takes what is next, for the incarnation to run.
    fn take(&self) -> Option<Turn<M>> {
        self.with(Held::take).flatten()
    }

    fn has_turn(&self) -> bool {
        self.with(|held| !held.queue.is_empty()) == Some(true)
    }

    fn end(&self) {
        let held = lock::with(&self.held, |held| {
            let mut held = held.take()?;
            held.leave_groups(&self.shell);
            Some(held)
        });
        if let Some(held) = held {
            catch::run_drop(|| self.token.cancel());
            held.end();
        }
    }

    /// None once it has ended.
    fn with<R>(&self, read_or_write: impl FnOnce(&mut Held<M>) -> R) -> Option<R> {
        lock::with(&self.held, |held| held.as_mut().map(read_or_write))
    }
}

impl<M> Shared<M> {
    pub(super) fn has_ended(&self) -> bool {
        self.token.is_cancelled()
    }
}

/// Runs the timers of a scope until it has ended.
async fn run_timers<M: Message>(scope: Arc<Shared<M>>) {
    loop {
        let next = scope.run_due_timers();
        let next_is_due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = scope.token.cancelled() => return,
            () = scope.timers_set.notified() => {}
            () = next_is_due => {}
        }
    }
}

/// The scope of an incarnation, which ends when this is dropped.
pub(in super::super) struct OpenScope<M: Message> {
    shared: Arc<Shared<M>>,
}

impl<M: Message> OpenScope<M> {
    /// Opens a scope, in a task of the runtime that its incarnation will run in.
    pub(in super::super) fn new(
        shell: ActorCell,
        mail: Weak<dyn Mail>,
        bell: &Arc<Bell>,
        supervisor: WeakSupervisor,
    ) -> Self {
        let shared = Shared {
            bell: Arc::downgrade(bell),
            held: Mutex::new(Some(Held::nothing())),
            mail,
            runtime: Handle::current(),
            shell,
            supervisor,
            timers_set: Notify::new(),
            token: CancellationToken::new(),
        };
        let shared = Arc::new(shared);
        Self { shared }
    }

    pub(in super::super) fn handle(&self) -> Scope<M> {
        let shared = Arc::clone(&self.shared);
        Scope { shared }
    }

    /// Takes what is next, for the incarnation to run.
    pub(in super::super) fn take(&self) -> Option<Turn<M>> {
        self.shared.take()
    }

    /// Returns whether something waits for its turn.
    pub(in super::super) fn has_turn(&self) -> bool {
        self.shared.has_turn()
    }
}

impl<M: Message> Drop for OpenScope<M> {
    fn drop(&mut self) {
        self.shared.end();
    }
}
