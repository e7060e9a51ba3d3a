use std::sync::{Arc, Mutex};

use breakerbox_core::{
    BreakerConfig, Circuit, ConfigError, Notice, Orphaned, Outcome, Pace, State, Ticket, Transition,
};
use ractor::{ActorRef, RpcReplyPort};
use tokio::sync::watch;

use super::call_path::{CallPath, Fold, Glance, PublishedConfig};
use super::ledger::Ledger;
use super::packed_ticket::PackedTicket;
use super::reports::{Report, Reports, Verdict};
use super::{BreakerMessage, Snapshot};
use crate::event::{Event, EventBus};
use crate::{Events, Rejected, ask, clock, lock};

/// What a breaker's owner and its callers have in common.
///
/// The owner keeps the circuit in its hands while it lives and leaves it here
/// when it goes, however it goes; the next owner takes it up. So a crash loses
/// nothing but the time it takes.
#[derive(Debug)]
pub(crate) struct Shared {
    bus: EventBus,
    call_path: CallPath,
    /// How many owners it has had; told anew when there will be no other.
    incarnations: watch::Sender<u64>,
    name: Arc<str>,
    reports: Reports,
    resting: Mutex<Resting>,
    published_config: PublishedConfig,
}

/// What the owner leaves behind, and where it can be found.
#[derive(Debug)]
struct Resting {
    actor: Option<ActorRef<BreakerMessage>>,
    /// Here while no owner has it.
    ledger: Option<Box<Ledger>>,
    config: BreakerConfig,
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
            bus,
            call_path: CallPath::new(circuit.standing(), now),
            incarnations: watch::Sender::new(0),
            name,
            reports: Reports::new(),
            resting: Mutex::new(Resting {
                actor: None,
                config,
                ledger: Some(Box::new(Ledger::new(circuit))),
            }),
            published_config: PublishedConfig::new(&config),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> BreakerConfig {
        lock::with(&self.resting, |resting| resting.config)
    }

    pub(super) fn state(&self) -> State {
        self.call_path.standing().state
    }

    pub(super) fn events(&self) -> Events {
        self.bus.subscribe().only(Arc::clone(&self.name))
    }

    pub(super) fn actor(&self) -> Option<ActorRef<BreakerMessage>> {
        lock::with(&self.resting, |resting| resting.actor.clone())
    }

    /// Admits a call or says why not; never waits.
    #[inline]
    pub(super) fn admit(&self) -> Result<PackedTicket, Rejected> {
        match self.call_path.glance() {
            Glance::Admitted(generation) if !self.published_config.is_timed() => {
                Ok(PackedTicket::plain(generation))
            }
            Glance::Rejected(rejected) => Err(rejected),
            Glance::Admitted(_) | Glance::Unclear => self.admit_by_rule(),
        }
    }

    #[inline(never)]
    fn admit_by_rule(&self) -> Result<PackedTicket, Rejected> {
        let admitted = self.call_path.admit()?;
        let ticket = admitted.ticket(clock::now);
        if admitted.is_news() {
            self.notice(ticket.notice());
        }
        Ok(PackedTicket::new(&ticket, self.published_config.begin()))
    }

    /// Records a verdict; the number of its report, if the owner must judge it.
    #[inline]
    pub(super) fn settle(&self, packed: PackedTicket, outcome: Outcome) -> Option<u64> {
        let generation = packed.generation();
        let counted = match outcome {
            Outcome::Failure { retry_after: None } if packed.is_plain() => {
                self.call_path.count_failure(generation, clock::now)
            }
            Outcome::Success if packed.is_plain() => self.call_path.count_success(generation),
            _ => false,
        };
        if counted {
            return None;
        }
        self.settle_by_rule(packed, outcome)
    }

    #[inline(never)]
    fn settle_by_rule(&self, packed: PackedTicket, outcome: Outcome) -> Option<u64> {
        let pace = packed
            .since()
            .map_or(Pace::Fast, |since| self.published_config.pace(since));
        let ticket = packed.into_ticket();
        let notice = ticket.notice();
        // What took long can afford the report, so slowness is never folded.
        let folded =
            pace == Pace::Fast && self.call_path.fold(&ticket, outcome, clock::now) == Fold::Done;
        let number = (!folded).then(|| self.report(ticket, outcome, pace));
        // After the verdict, so that who takes the place comes after it.
        if notice.holds_place() {
            self.call_path.hand_back(notice, outcome);
        }
        number
    }

    /// Settles a call whose permit is dropped now.
    #[cold]
    pub(super) fn settle_dropped(&self, packed: PackedTicket) {
        let outcome = if std::thread::panicking() {
            Outcome::failure()
        } else {
            self.published_config.abandoned(packed.since())
        };
        self.settle(packed, outcome);
    }

    /// A number that changes when something happens to the breaker.
    pub(super) fn activity(&self) -> u64 {
        self.call_path.activity().wrapping_add(self.reports.made())
    }

    pub(super) fn published_config(&self) -> &PublishedConfig {
        &self.published_config
    }

    pub(super) fn call_path(&self) -> &CallPath {
        &self.call_path
    }

    pub(super) fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Asks the owner and waits; None if there is none and will be none.
    ///
    /// An owner that crashes over the question is asked again in its next
    /// incarnation,
    /// so a question must be harmless twice.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(RpcReplyPort<T>) -> BreakerMessage,
    ) -> Option<T> {
        let mut incarnations = self.incarnations.subscribe();
        while !self.reports.are_over() {
            incarnations.mark_unchanged();
            if let Ok(reply) = ask::patiently(&self.actor()?, &question).await {
                return Some(reply);
            }
            incarnations.changed().await.ok()?;
        }
        None
    }

    /// The snapshot of a breaker whose circuit no owner has.
    pub(super) fn last_snapshot(&self) -> Option<Snapshot> {
        let incarnation = *self.incarnations.borrow();
        lock::with(&self.resting, |resting| {
            let ledger = resting.ledger.as_ref()?;
            Some(self.snapshot_of(ledger.circuit(), incarnation))
        })
    }

    pub(super) fn snapshot_of(&self, circuit: &Circuit, incarnation: u64) -> Snapshot {
        let places = self.call_path.standing().places;
        Snapshot::new(&self.name, circuit, incarnation, places)
    }

    /// Hands the circuit to a new owner, unless another one has it or nobody
    /// was to have it any more.
    pub(super) fn take_up(&self, actor: ActorRef<BreakerMessage>) -> Option<(Box<Ledger>, u64)> {
        if self.reports.are_over() {
            return None;
        }
        let ledger = lock::with(&self.resting, |resting| {
            let ledger = resting.ledger.take()?;
            resting.actor = Some(actor);
            Some(ledger)
        })?;
        self.incarnations.send_modify(|count| *count += 1);
        Some((ledger, *self.incarnations.borrow()))
    }

    /// Takes the circuit back from an owner that ends.
    pub(super) fn put_down(&self, ledger: Box<Ledger>) {
        lock::with(&self.resting, |resting| resting.ledger = Some(ledger));
    }

    pub(super) fn publish_config(&self, config: BreakerConfig) {
        self.published_config.publish(&config);
        lock::with(&self.resting, |resting| resting.config = config);
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
        if self.reports.are_over() {
            return;
        }
        let choice = self.config().on_orphaned();
        self.call_path.orphan(choice);
        self.reports.end();
        self.incarnations.send_modify(|_| {});
        let admits = matches!(choice, Orphaned::Admit);
        tracing::info!(
            breaker.name = &*self.name,
            breaker.admits = admits,
            "breaker lost its owner"
        );
        self.tell(|breaker| Event::Orphaned { breaker, choice });
    }

    #[cold]
    fn report(&self, ticket: Ticket, outcome: Outcome, pace: Pace) -> u64 {
        let report = || {
            let reading = self.call_path.reading_at(&ticket, outcome);
            Report::Settled(Verdict {
                outcome,
                pace,
                reading,
                ticket,
            })
        };
        self.reports
            .make(clock::now(), report, || self.ask_to_look())
    }

    #[cold]
    fn notice(&self, notice: Notice) {
        let report = || Report::Admitted(notice, self.call_path.reading_of(notice.generation()));
        self.reports
            .make(clock::now(), report, || self.ask_to_look());
    }

    /// Asks the owner to look at the reports.
    fn ask_to_look(&self) {
        // A send that fails is no loss: the next owner begins by looking.
        let _gone = self.actor().map(|actor| actor.cast(BreakerMessage::Decide));
    }
}
