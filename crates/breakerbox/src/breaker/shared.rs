use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use breakerbox_core::{
    BreakerConfig, Circuit, ConfigError, Orphaned, Outcome, Standing, State, Transition,
};
use ractor::ActorRef;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answers::Answers;
use super::call_path::{CallPath, Command, Need, PublishedConfig};
use super::packed_ticket::PackedTicket;
use super::{BreakerMessage, Snapshot};
use crate::event::{Event, EventBus};
use crate::guarded::Guarded;
use crate::supervisor::lifo_slot;
use crate::{CommandError, Events, Rejected, clock, lock};

/// What a breaker's owner and its callers have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    actor: Mutex<Option<ActorRef<BreakerMessage>>>,
    /// How far custom policies have answered.
    answers: Answers,
    bus: EventBus,
    call_path: CallPath,
    /// How far commands have been carried out.
    commands: Answers,
    /// How many owners it has had.
    incarnations: AtomicU64,
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
            commands: Answers::default(),
            incarnations: AtomicU64::new(0),
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

    pub(super) fn commands(&self) -> &Answers {
        &self.commands
    }

    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }

    pub(super) fn probe_ended(&self) -> &Notify {
        &self.probe_ended
    }

    /// Gives the owner a command, and waits until it is carried out.
    ///
    /// An owner that crashes meanwhile leaves it to its next incarnation.
    pub(super) async fn command(&self, command: Command) -> Result<(), CommandError> {
        let given = self.call_path.give(command, |need| self.ask_to_look(need));
        let number = given.ok_or(CommandError::Stopped)?;
        if let Some(answer) = self.commands.of(number) {
            let in_time = Guarded::new(timeout(STUCK_AFTER, answer)).await;
            in_time.map_err(|_| CommandError::Stuck)?;
        }
        // Or else there is no owner any more who could.
        let is_carried_out = self.call_path.carried_out() >= number;
        is_carried_out.then_some(()).ok_or(CommandError::Stopped)
    }

    /// Reads the breaker as it is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        // Relaxed: only a number.
        let incarnation = self.incarnations.load(Ordering::Relaxed);
        let standing = self.standing();
        self.call_path.inspect_now(
            clock::now(),
            |need| self.ask_to_look(need),
            |circuit| Snapshot::new(&self.name, circuit, incarnation, standing),
        )
    }

    /// Takes a new owner's address and returns which incarnation it is; None if
    /// there is to be no owner any more.
    pub(super) fn start_incarnation(&self, actor: ActorRef<BreakerMessage>) -> Option<u64> {
        if self.is_orphaned() {
            return None;
        }
        lock::with(&self.actor, |address| *address = Some(actor));
        // Relaxed: as in `snapshot`.
        Some(self.incarnations.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn tell(&self, event: impl FnOnce(Arc<str>) -> Event) {
        self.bus.send(event(Arc::clone(&self.name)));
    }

    pub(super) fn tell_missed(&self, events: u64) {
        tracing::warn!(
            breaker.name = &*self.name,
            breaker.events_missed = events,
            "breaker told nothing while its owner was stuck"
        );
        self.bus.send(Event::Missed { events });
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
        self.commands.raise(u64::MAX);
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

/// How long a caller waits for its command to be carried out.
const STUCK_AFTER: Duration = Duration::from_secs(1);
