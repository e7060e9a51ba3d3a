use std::sync::{Arc, Mutex};

use breakerbox_core::{
    BreakerConfig, Circuit, ConfigError, Orphaned, Outcome, Standing, State, Transition,
};
use ractor::{ActorRef, RpcReplyPort};
use tokio::sync::{Notify, watch};

use super::answers::Answers;
use super::call_path::{CallPath, Need, PublishedConfig};
use super::packed_ticket::PackedTicket;
use super::{BreakerMessage, Snapshot};
use crate::event::{Event, EventBus};
use crate::supervisor::lifo_slot;
use crate::{Events, Rejected, ask, clock, lock};

/// What a breaker's owner and its callers have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    actor: Mutex<Option<ActorRef<BreakerMessage>>>,
    /// How far custom policies have answered.
    answers: Answers,
    bus: EventBus,
    call_path: CallPath,
    /// How many owners it has had; told anew when there will be no other.
    incarnations: watch::Sender<u64>,
    name: Arc<str>,
    /// Told when a probe has ended, which may have given its place back.
    probe_ended: Notify,
}

impl Shared {
    pub(crate) fn new(
        name: Arc<str>,
        config: BreakerConfig,
        bus: EventBus,
    ) -> Result<Self, ConfigError> {
        let now = clock::now();
        let circuit = Circuit::new(config, fastrand::u64(..), now)?;
        Ok(Self {
            actor: Mutex::new(None),
            answers: Answers::default(),
            bus,
            call_path: CallPath::new(circuit, now),
            incarnations: watch::Sender::new(0),
            name,
            probe_ended: Notify::new(),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> BreakerConfig {
        self.call_path.inspect(|circuit| *circuit.config())
    }

    pub(super) fn standing(&self) -> Standing {
        self.call_path.standing(|need| self.ask_to_look(need))
    }

    /// What a call would be told now that is rejected for sure.
    pub(crate) fn rejection(&self) -> Option<Rejected> {
        self.call_path.rejection(|need| self.ask_to_look(need))
    }

    pub(super) fn state(&self) -> State {
        self.standing().state
    }

    pub(super) fn events(&self) -> Events {
        self.bus.subscribe().only(Arc::clone(&self.name))
    }

    pub(super) fn actor(&self) -> Option<ActorRef<BreakerMessage>> {
        lock::with(&self.actor, |actor| actor.clone())
    }

    /// Admits a call or says why not; never waits.
    #[inline]
    pub(super) fn admit(&self) -> Result<PackedTicket, Rejected> {
        self.call_path.admit(|need| self.ask_to_look(need))
    }

    /// Records a verdict; the number of the question that it leaves to a custom
    /// policy, if it does.
    #[inline(always)]
    pub(super) fn settle(&self, ticket: PackedTicket, outcome: Outcome) -> Option<u64> {
        if self.call_path.fold_plain(&ticket, outcome) {
            return None;
        }
        self.settle_by_rule(ticket, outcome)
    }

    #[inline(never)]
    fn settle_by_rule(&self, ticket: PackedTicket, outcome: Outcome) -> Option<u64> {
        let is_probe = ticket.is_probe();
        let question = self
            .call_path
            .settle(ticket, outcome, |need| self.ask_to_look(need));
        if is_probe {
            self.probe_ended.notify_waiters();
        }
        question
    }

    /// Settles a call whose permit is dropped now.
    #[cold]
    pub(super) fn settle_dropped(&self, ticket: PackedTicket) {
        let outcome = if std::thread::panicking() {
            Outcome::failure()
        } else {
            self.published_config().abandoned(ticket.since())
        };
        self.settle(ticket, outcome);
    }

    /// A number that changes when something happens to the breaker.
    pub(super) fn activity(&self) -> u64 {
        self.call_path.activity(clock::now())
    }

    pub(super) fn published_config(&self) -> &PublishedConfig {
        self.call_path.config()
    }

    pub(super) fn call_path(&self) -> &CallPath {
        &self.call_path
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    pub(super) fn probe_ended(&self) -> &Notify {
        &self.probe_ended
    }

    /// Asks the owner and waits; None if there is none and will be none.
    ///
    /// An owner that crashes over the question is asked again in its next
    /// incarnation, so a question must be harmless twice.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(RpcReplyPort<T>) -> BreakerMessage,
    ) -> Option<T> {
        let mut incarnations = self.incarnations.subscribe();
        while !self.is_orphaned() {
            incarnations.mark_unchanged();
            if let Ok(reply) = ask::patiently(&self.actor()?, &question).await {
                return Some(reply);
            }
            incarnations.changed().await.ok()?;
        }
        None
    }

    /// The snapshot of a breaker that has no owner any more.
    pub(super) fn last_snapshot(&self) -> Snapshot {
        self.snapshot(*self.incarnations.borrow())
    }

    /// The breaker as its ledger has it.
    pub(super) fn snapshot(&self, incarnation: u64) -> Snapshot {
        let in_flight = self.standing().in_flight.calls();
        self.call_path
            .inspect(|circuit| Snapshot::new(&self.name, circuit, incarnation, in_flight))
    }

    /// Takes a new owner's address and returns which incarnation it is; None if
    /// there is to be no owner any more.
    pub(super) fn start_incarnation(&self, actor: ActorRef<BreakerMessage>) -> Option<u64> {
        if self.is_orphaned() {
            return None;
        }
        lock::with(&self.actor, |address| *address = Some(actor));
        self.incarnations.send_modify(|count| *count += 1);
        Some(*self.incarnations.borrow())
    }

    pub(super) fn tell(&self, event: impl FnOnce(Arc<str>) -> Event) {
        self.bus.send(event(Arc::clone(&self.name)));
    }

    pub(super) fn tell_transition(&self, transition: Transition) {
        tracing::info!(
            breaker.name = &*self.name,
            breaker.from = transition.from.as_str(),
            breaker.to = transition.to.as_str(),
            trip.reason = transition.reason.as_str(),
            "breaker changed state"
        );
        self.tell(|breaker| Event::Changed {
            breaker,
            transition,
        });
    }

    /// Settles what callers get when no owner will come any more.
    pub(crate) fn orphan(&self) {
        if self.is_orphaned() {
            return;
        }
        let choice = self.config().on_orphaned();
        self.call_path.orphan(choice);
        self.answers.raise(u64::MAX);
        self.incarnations.send_modify(|_| {});
        let admits = matches!(choice, Orphaned::Admit);
        tracing::info!(
            breaker.name = &*self.name,
            breaker.admits = admits,
            "breaker lost its owner"
        );
        self.tell(|breaker| Event::Orphaned { breaker, choice });
    }

    fn is_orphaned(&self) -> bool {
        self.answers.include(u64::MAX)
    }

    /// Asks the owner to look.
    fn ask_to_look(&self, need: Need) {
        // A send that fails is no loss: the next owner begins by looking.
        let _gone = self.actor().map(|actor| actor.cast(BreakerMessage::Decide));
        if need == Need::Judgement {
            // This thread may go on with blocking code, as after `run`.
            lifo_slot::flush();
        }
    }
}
