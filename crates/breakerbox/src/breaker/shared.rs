use std::any::Any;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use breakerbox_core::{
    BreakerConfig, Circuit, ConfigError, FailureKind, Orphaned, Outcome, Reason, Standing, State,
    Transition,
};
use ractor::ActorRef;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answers::Answers;
use super::call_path::{CallPath, Command, Need, News, PublishedConfig};
use super::packed_ticket::PackedTicket;
use super::{BreakerMessage, Snapshot, log};
use crate::breaker_box::BoxContext;
use crate::event::{Event, Told};
use crate::guarded::Guarded;
use crate::lifo_slot;
use crate::{CommandError, Events, Judgement, LastFailure, Rejected, clock, lock};

/// The state that a breaker's owner and its callers share.
#[derive(Debug)]
pub(crate) struct Shared {
    actor: Mutex<Option<ActorRef<BreakerMessage>>>,
    /// The numbers of the questions that custom policies have answered.
    answers: Answers,
    call_path: CallPath,
    /// The numbers of the commands that have been carried out.
    commands: Answers,
    /// The part of its box that the breaker holds.
    context: Arc<BoxContext>,
    /// The number of owners that the breaker has had.
    incarnations: AtomicU64,
    /// The breaker's own copy of its name, which no namesake shares.
    name: Arc<str>,
    /// The number of its holders that are pools.
    pools: AtomicUsize,
    /// Notified when a probe has ended, which may have given its place back.
    probe_ended: Notify,
    /// True once all events of the breaker have been sent.
    told_end: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        config: Arc<BreakerConfig>,
        context: Arc<BoxContext>,
    ) -> Result<Self, ConfigError> {
        let now = clock::now();
        let circuit = Circuit::new(config, fastrand::u64(..), now)?;
        Ok(Self {
            actor: Mutex::new(None),
            answers: Answers::default(),
            call_path: CallPath::new(circuit, now),
            commands: Answers::default(),
            context,
            incarnations: AtomicU64::new(0),
            name: Arc::from(name),
            pools: AtomicUsize::new(0),
            probe_ended: Notify::new(),
            told_end: AtomicBool::new(false),
        })
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Returns the part of its box that the breaker holds.
    pub(super) fn context(&self) -> &BoxContext {
        &self.context
    }

    /// Returns how many of its holders are pools.
    pub(super) fn pools(&self) -> usize {
        // Relaxed: a number, read beside another one.
        self.pools.load(Ordering::Relaxed)
    }

    pub(super) fn add_pool(&self) {
        self.pools.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_pool(&self) {
        self.pools.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns the configuration in force.
    pub(crate) fn config(&self) -> Arc<BreakerConfig> {
        self.call_path
            .inspect(|circuit| Arc::clone(circuit.config()))
    }

    pub(super) fn standing(&self) -> Standing {
        self.call_path.standing(|need| self.ask_to_look(need))
    }

    /// Returns the rejection of a call that is sure to be rejected now.
    pub(crate) fn rejection(&self) -> Option<Rejected> {
        self.call_path.rejection(|need| self.ask_to_look(need))
    }

    pub(super) fn state(&self) -> State {
        self.standing().state
    }

    pub(super) fn events(self: &Arc<Self>) -> Events {
        Events::of_one(self.context.events.subscribe(), self)
    }

    /// Reports whether all events of the breaker have been sent.
    pub(crate) fn has_told_its_end(&self) -> bool {
        // Acquire: pairs with the release in `orphan`, once everything has been sent.
        self.told_end.load(Ordering::Acquire)
    }

    pub(super) fn actor(&self) -> Option<ActorRef<BreakerMessage>> {
        lock::with(&self.actor, |actor| actor.clone())
    }

    /// Admits a call or says why not; never waits.
    #[inline]
    pub(super) fn admit(&self) -> Result<PackedTicket, Rejected> {
        self.call_path.admit(|need| self.ask_to_look(need))
    }

    /// Records a verdict; returns the number of the question that it leaves to a
    /// custom policy, if any.
    #[inline(always)]
    pub(super) fn settle(
        &self,
        ticket: PackedTicket,
        judgement: impl Into<Judgement>,
    ) -> Option<u64> {
        let judgement = judgement.into();
        if judgement.text.is_none() && self.call_path.fold_plain(&ticket, judgement.outcome) {
            return None;
        }
        self.settle_by_rule(ticket, judgement)
    }

    #[inline(never)]
    fn settle_by_rule(&self, ticket: PackedTicket, judgement: Judgement) -> Option<u64> {
        let is_probe = ticket.is_probe();
        let question = self
            .call_path
            .settle(ticket, judgement, |need| self.ask_to_look(need));
        if is_probe {
            self.probe_ended.notify_waiters();
        }
        question
    }

    /// Settles a call whose permit is dropped now.
    #[cold]
    pub(super) fn settle_dropped(&self, ticket: PackedTicket) {
        let outcome = if std::thread::panicking() {
            Outcome::failure_of(FailureKind::PANIC)
        } else {
            self.abandoned(ticket.since())
        };
        self.settle(ticket, outcome);
    }

    /// Returns what a call counts as that began then and is dropped now.
    pub(crate) fn abandoned(&self, since: Option<Instant>) -> Outcome {
        self.published_config().abandoned(since)
    }

    /// Returns whether failures opened it, and not calls that are slow or many, a
    /// probe without an end, or an operator.
    pub(crate) fn is_opened_by_failures(&self) -> bool {
        let opened_by = self.call_path.inspect(Circuit::opened_by);
        opened_by.is_some_and(Reason::is_by_failure)
    }

    /// Returns the instant since which the breaker has not been used; None if
    /// forgetting it would lose something.
    pub(crate) fn idle_since(&self, now: Instant) -> Option<Instant> {
        self.call_path
            .idle_since(now, |need| self.ask_to_look(need))
    }

    /// Returns the instant from which a rejected call is worth another try, if known.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.call_path.retry_at()
    }

    /// Returns the state, or what the override or the lack of an owner makes of it.
    pub(crate) fn effective_state(&self) -> State {
        self.standing().effective_state()
    }

    /// Returns the longest time for which a call's wish to be left alone is obeyed.
    pub(crate) fn retry_after_cap(&self) -> Duration {
        self.config().most_retry_after()
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

    /// Changes the configuration; see [`Breaker::reconfigure`](super::Breaker::reconfigure).
    pub(crate) async fn reconfigure(&self, config: Arc<BreakerConfig>) -> Result<(), CommandError> {
        config
            .refuse_contradictions()
            .map_err(CommandError::Config)?;
        self.command(Command::Reconfigure(config)).await
    }

    /// Gives the owner a command, and waits until it is carried out.
    ///
    /// An owner that crashes meanwhile leaves the command to its next incarnation.
    pub(super) async fn command(&self, command: Command) -> Result<(), CommandError> {
        let given = self.call_path.give(command, |need| self.ask_to_look(need));
        let number = given.ok_or(CommandError::Stopped)?;
        if let Some(answer) = self.commands.of(number) {
            let limited = self.timer(|| timeout(STUCK_AFTER, answer));
            let limited = limited.unwrap_or_else(|panic| resume_unwind(panic));
            let in_time = Guarded::new(limited).await;
            in_time.map_err(|_| CommandError::Stuck)?;
        }
        // Otherwise there is no owner any more that could carry it out.
        let is_carried_out = self.call_path.carried_out() >= number;
        is_carried_out.then_some(()).ok_or(CommandError::Stopped)
    }

    pub(super) fn runtime(&self) -> &Handle {
        self.context.runtime()
    }

    /// Makes a timer, or returns the panic of a runtime that has no timers.
    pub(crate) fn timer<T>(&self, make: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
        self.context.timer(make)
    }

    /// Reads the breaker as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        // Relaxed: only a number.
        let incarnation = self.incarnations.load(Ordering::Relaxed);
        let standing = self.standing();
        self.call_path.inspect_now(
            clock::now(),
            |need| self.ask_to_look(need),
            |circuit, failure| {
                Snapshot::new(&self.name, circuit, incarnation, standing, failure.cloned())
            },
        )
    }

    /// Takes a new owner's address and returns the number of its incarnation; None if
    /// there is to be no owner any more.
    pub(super) fn start_incarnation(&self, actor: ActorRef<BreakerMessage>) -> Option<u64> {
        if self.is_orphaned() {
            return None;
        }
        let former = lock::with(&self.actor, |address| address.replace(actor));
        // This may be the last address of a mailbox with a message in it.
        drop(former);
        if self.is_orphaned() {
            self.forget_actor();
            return None;
        }
        // Relaxed: as in `snapshot`.
        Some(self.incarnations.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(super) fn tell(&self, event: impl FnOnce(Arc<str>) -> Event) {
        let event = event(Arc::clone(&self.name));
        self.context.events.send(Told::Event(event));
    }

    /// Reports the news that has not been reported yet.
    pub(super) fn tell_news(&self) {
        for _ in 0..NEWS_AT_ONCE {
            match self.call_path.next_news() {
                Some(news) => self.tell_one(news),
                None => return,
            }
        }
    }

    fn tell_one(&self, news: News) {
        match news {
            News::Changed(transition, failure) => {
                self.tell_transition(transition, failure.map(|failure| *failure));
            }
            News::Missed(events) => {
                log::missed(&self.name, events);
                self.context
                    .events
                    .send(Told::Event(Event::Missed { events }));
            }
            News::Overridden(word) => self.tell(|breaker| Event::Overridden { breaker, word }),
            News::Reconfigured => self.tell(|breaker| Event::Reconfigured { breaker }),
        }
    }

    fn tell_transition(&self, transition: Transition, failure: Option<LastFailure>) {
        log::changed(&self.name, &transition, failure.as_ref());
        self.tell(|breaker| Event::Changed {
            breaker,
            failure,
            transition,
        });
    }

    /// Settles what callers get once no owner will come any more, and reports it.
    ///
    /// Returns the choice, unless it was settled before.
    pub(super) fn orphan(&self) -> Option<Orphaned> {
        if self.is_orphaned() {
            return None;
        }
        let choice = self.config().on_orphaned();
        self.call_path.orphan(choice);
        self.answers.raise(u64::MAX);
        self.commands.raise(u64::MAX);
        self.forget_actor();
        self.tell_news();
        self.tell(|breaker| Event::Orphaned { breaker, choice });
        self.told_end.store(true, Ordering::Release);
        // A listener that has received that and waits learns that there is no more.
        self.context.events.send(Told::End {
            breaker: Arc::clone(&self.name),
        });
        Some(choice)
    }

    /// Drops the owner's address: a message in its mailbox may hold this breaker,
    /// which would hold the address.
    fn forget_actor(&self) {
        let address = lock::with(&self.actor, Option::take);
        drop(address);
    }

    /// Reports whether the breaker has lost its owner for good.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.answers.include(u64::MAX)
    }

    /// Asks the owner to look.
    fn ask_to_look(&self, need: Need) {
        let actor = self.actor();
        // A send that fails loses nothing: the next owner begins by looking.
        without_subscriber(|| actor.map(|actor| actor.cast(BreakerMessage::Decide)));
        if need == Need::Judgement {
            // This thread may go on with blocking code, as after `run`.
            lifo_slot::flush();
        }
    }
}

/// Casts while the ledger is locked, when none of the user's code may run.
///
/// With the feature `message-spans` ractor asks the subscriber for the span that a
/// message is sent in, and this message belongs to none.
fn without_subscriber<T>(cast: impl FnOnce() -> T) -> T {
    if cfg!(feature = "message-spans") {
        let nobody = tracing::Dispatch::none();
        return tracing::dispatcher::with_default(&nobody, cast);
    }
    cast()
}

/// The most news reported in one go: more than are kept at a time. The owner has been
/// asked to report any that came later.
const NEWS_AT_ONCE: usize = 1_024;

/// The longest time that a caller waits for its command to be carried out.
const STUCK_AFTER: Duration = Duration::from_secs(1);
