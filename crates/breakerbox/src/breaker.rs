use std::fmt;
use std::future::pending;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use breakerbox_core::{BreakerConfig, FailureKind, Outcome, Override, RejectReason, State};
use ractor::{ActorRef, Message, RpcReplyPort};
use tokio::task::consume_budget;
use tokio::time::{sleep, sleep_until};

use crate::guarded::Guarded;
use crate::{
    AskError, BreakerBox, CallError, CommandError, Events, Failure, Judgement, Rejected, ask,
};

mod answers;
mod call;
mod call_path;
mod endpoint_breaker;
mod housed;
mod log;
mod message;
mod nobody;
mod owner;
mod packed_ticket;
mod permit;
mod shared;
mod snapshot;
mod streaming_call;
mod streaming_probe;
mod weak;

use call::Call;
use call_path::Command;
pub(crate) use endpoint_breaker::EndpointBreaker;
pub(crate) use housed::Housed;
pub use message::BreakerMessage;
pub(crate) use nobody::address as nobody;
pub(crate) use owner::Owner;
pub use permit::{Decision, OwnedPermit, Permit};
pub(crate) use shared::Shared;
pub use snapshot::Snapshot;
pub use weak::WeakBreaker;

/// A circuit breaker: keeps calls away from what is down.
///
/// It is a handle on an actor that owns the breaker's state. The handle is
/// cheap to clone, and stays good across crashes of the actor. It keeps its
/// [`BreakerBox`] alive, so a function may make a box and return a breaker of it.
/// Once the box has been shut down, or the breaker removed from it, it admits or
/// rejects as [`BreakerConfig::orphaned`] says, and its snapshot tells so.
///
/// A child of the box's own tree holds a [`WeakBreaker`]: a strong handle there would
/// keep the tree alive from within, until somebody calls
/// [`shutdown`](BreakerBox::shutdown).
///
/// Whether a call may pass is answered from what the actor has published, never
/// by the actor itself: a call does not wait, and a crashed actor stops nobody.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::{BreakerBox, BreakerConfig, CallError};
///
/// let breakers = BreakerBox::start("checkout").await?;
/// let payments = breakers.breaker("payments", BreakerConfig::new()).await?;
///
/// # async fn charge() -> Result<&'static str, std::io::Error> { Ok("paid") }
/// match payments.call(charge()).await {
///     Ok(receipt) => println!("{receipt}"),
///     Err(CallError::Rejected(rejected)) => println!("come back in {:?}", rejected.retry_after()),
///     Err(other) => return Err(other.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Breaker {
    breakers: BreakerBox,
    shared: Arc<Shared>,
}

impl Breaker {
    pub(crate) fn new(breakers: BreakerBox, shared: Arc<Shared>) -> Self {
        Self { breakers, shared }
    }

    /// Makes a call, if it may be made; an `Err` of it is a failure.
    ///
    /// When this returns, the breaker has taken note: whoever asks it next,
    /// anywhere, meets what follows from this call.
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the call may not be made; then `future` is
    /// never polled. [`CallError::Failed`] with the call's own error.
    /// [`CallError::TimedOut`] if it took longer than
    /// [`BreakerConfig::call_timeout`]; then `future` is dropped.
    ///
    /// # Panics
    ///
    /// When `future` does: that is a failure, and the panic goes on. With a
    /// [`call_timeout`](BreakerConfig::call_timeout) also on a tokio runtime without
    /// timers, which judges nothing; outside of tokio the box has timers of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`. The call then counts as
    /// [`BreakerConfig::abandoned`] says, unless it had ended.
    pub fn call<T, E, F>(&self, future: F) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_with(by_result, future)
    }

    /// Makes a call, if it may be made, and lets `classify` judge how it ended: by an
    /// [`Outcome`], or a [`Failure`] with its kind and text.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call). The verdict does not change what is returned:
    /// an `Err` that was judged a success is still [`CallError::Failed`].
    ///
    /// # Panics
    ///
    /// When `future` or `classify` does: that is a failure, and the panic goes on.
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{Breaker, CallError, Outcome};
    /// # #[derive(Debug)] struct Status(u16);
    /// # async fn get() -> Result<String, Status> { Err(Status(404)) }
    /// # async fn example(catalogue: Breaker) {
    /// let page = catalogue
    ///     .call_with(
    ///         |result| match result {
    ///             Ok(_) => Outcome::Success,
    ///             Err(Status(400..500)) => Outcome::Ignored,
    ///             Err(_) => Outcome::failure(),
    ///         },
    ///         get(),
    ///     )
    ///     .await;
    /// # }
    /// ```
    pub fn call_with<T, E, F, C, J>(
        &self,
        classify: C,
        future: F,
    ) -> impl Future<Output = Result<T, CallError<E>>>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&Result<T, E>) -> J,
        J: Into<Judgement>,
    {
        Call::new(self, classify, future)
    }

    /// Makes a call whose answer goes on after it has begun: a streamed body.
    ///
    /// Where `classify` has no verdict yet, the answer comes with its permit, to
    /// be settled when it has ended. No verdict on an `Err` is a failure.
    /// [`BreakerConfig::call_timeout`] and [`BreakerConfig::slow_after`] are about
    /// the beginning of the answer, and a probe does not wait for the end for ever:
    /// [`BreakerConfig::probe_deadline`] says how long.
    ///
    /// # Errors
    ///
    /// As [`call_with`](Self::call_with).
    ///
    /// # Cancel safety
    ///
    /// As [`call`](Self::call).
    pub async fn call_streaming<T, E, F, C>(
        &self,
        classify: C,
        future: F,
    ) -> Result<(T, Option<OwnedPermit>), CallError<E>>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&Result<T, E>) -> Option<Outcome>,
    {
        let permit = match self.try_acquire_owned() {
            Ok(permit) => permit,
            Err(rejected) => return Err(let_others_run(rejected).await.into()),
        };
        permit.call_streaming(classify, future).await
    }

    /// Makes a blocking call, if it may be made; an `Err` of it is a failure.
    ///
    /// For code that is not async. The breaker has decided on the verdict when this
    /// returns, but for a custom trip policy, which may be asked a moment later.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// When `work` does: that is a failure, and the panic goes on.
    pub fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        let permit = self.try_acquire()?;
        let result = work();
        permit.settle_detached(by_result(&result));
        result.map_err(CallError::Failed)
    }

    /// Asks another actor, if it may be asked, and waits for its reply.
    ///
    /// An actor that is gone, that crashes over the question, drops it or does
    /// not reply `within` its time has failed. The reply itself judges nothing:
    /// one that means "I could not" is yours to report with
    /// [`call_with`](Self::call_with).
    ///
    /// # Errors
    ///
    /// [`CallError::Rejected`] if the actor may not be asked;
    /// [`CallError::Failed`] with an [`AskError`] if it did not reply.
    ///
    /// # Cancel safety
    ///
    /// Dropping it abandons the question: the actor may still handle it.
    pub async fn ask<M, T>(
        &self,
        actor: &ActorRef<M>,
        question: impl FnOnce(RpcReplyPort<T>) -> M,
        within: Duration,
    ) -> Result<T, CallError<AskError>>
    where
        M: Message,
        T: Send + 'static,
    {
        // Before the call is admitted: a runtime without timers is not the actor's fault.
        let over = self.shared.timer(|| sleep(within));
        let over = over.unwrap_or_else(|panic| resume_unwind(panic));
        let asked = ask::ask_until(actor, question, within, over);
        self.call_with(by_answer, asked).await
    }

    /// Asks leave for one call, to be settled by hand.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the call may not be made now. It never waits.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejected> {
        self.shared
            .admit()
            .map(|leave| Permit::new(&self.shared, leave))
    }

    /// Asks leave for one call that outlives this handle.
    ///
    /// For streaming bodies, messages and whatever else must be `'static`.
    ///
    /// # Errors
    ///
    /// [`Rejected`] if the call may not be made now. It never waits.
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejected> {
        OwnedPermit::try_acquire(&self.shared)
    }

    /// Waits while it would reject a call: Open, forced open, orphaned so, or
    /// HalfOpen with all its probes out.
    ///
    /// For a caller that can wait, such as the consumer of a queue. Ready is not
    /// admitted: another caller may take the last place of a HalfOpen breaker. A
    /// loop of `ready` and [`call`](Self::call) lets other tasks run. A breaker that
    /// is orphaned so that it rejects is never ready again.
    ///
    /// # Panics
    ///
    /// If it waits for the end of an opening on a tokio runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn ready(&self) {
        consume_budget().await;
        Guarded::new(self.wait_until_ready()).await;
    }

    async fn wait_until_ready(&self) {
        let mut events = self.events();
        let mut may_change = true;
        loop {
            let mut probe_ended = pin!(self.shared.probe_ended().notified());
            // From now on, so that none is missed between the look and the wait.
            probe_ended.as_mut().enable();
            let Some(rejected) = self.shared.rejection() else {
                return;
            };
            tokio::select! {
                event = events.next(), if may_change => may_change = event.is_some(),
                () = probe_ended => {}
                () = self.until(rejected.retry_at()) => {}
            }
        }
    }

    /// Waits until an instant; forever without one.
    async fn until(&self, instant: Option<Instant>) {
        let Some(instant) = instant else {
            return pending().await;
        };
        let timer = self.shared.timer(|| sleep_until(instant.into()));
        timer.unwrap_or_else(|panic| resume_unwind(panic)).await;
    }

    /// What a call is told while every call is rejected; None at other times.
    ///
    /// Unlike [`try_acquire`](Self::try_acquire) it takes no place from a probe.
    #[must_use]
    pub fn rejection(&self) -> Option<Rejected> {
        let rejected = self.shared.rejection()?;
        (rejected.reason() != RejectReason::HalfOpen).then_some(rejected)
    }

    /// Its name, unique in its box.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// The state beneath any override.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Everything there is to know about it now.
    ///
    /// It waits for nobody, so a breaker whose actor is stuck or gone can be inspected
    /// too. All verdicts that were given before are counted; what a custom trip policy
    /// has yet to say about them is not known.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// What happens to it from now on, until it is orphaned.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.events()
    }

    /// Puts an override in force, in place of one that already is.
    ///
    /// When this returns, admission follows it.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stuck`] if its owner has not carried it out within a second, and
    /// [`CommandError::Stopped`] if it has none any more.
    ///
    /// # Panics
    ///
    /// If it has to wait on a tokio runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn force(&self, word: Override) -> Result<(), CommandError> {
        self.shared.command(Command::Override(Some(word))).await
    }

    /// Ends the override, if there is one; the state beneath rules at once.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stuck`] if its owner has not carried it out within a second, and
    /// [`CommandError::Stopped`] if it has none any more.
    ///
    /// # Panics
    ///
    /// If it has to wait on a tokio runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn release(&self) -> Result<(), CommandError> {
        self.shared.command(Command::Override(None)).await
    }

    /// Goes back to Closed and forgets verdicts and past openings.
    ///
    /// Calls in flight no longer count. An override stays in force.
    ///
    /// # Errors
    ///
    /// [`CommandError::Stuck`] if its owner has not carried it out within a second, and
    /// [`CommandError::Stopped`] if it has none any more.
    ///
    /// # Panics
    ///
    /// If it has to wait on a tokio runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn reset(&self) -> Result<(), CommandError> {
        self.shared.command(Command::Reset).await
    }

    /// Changes its configuration while it works.
    ///
    /// State and permits stay good, and counts too where the window stays the
    /// same. An opening keeps its length, a HalfOpen its number of probes.
    ///
    /// # Errors
    ///
    /// [`CommandError::Config`] if the configuration contradicts itself, and
    /// then the old one stays; [`CommandError::Stuck`] if the breaker's owner has not
    /// carried it out within a second, and [`CommandError::Stopped`] if it has none any
    /// more.
    ///
    /// # Panics
    ///
    /// If it has to wait on a tokio runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the command back.
    pub async fn reconfigure(&self, config: BreakerConfig) -> Result<(), CommandError> {
        self.shared.reconfigure(Arc::new(config)).await
    }

    /// Returns a handle that keeps neither the box nor the breaker alive.
    #[must_use]
    pub fn downgrade(&self) -> WeakBreaker {
        WeakBreaker::new(&self.breakers, &self.shared)
    }

    /// The breaker's actor, for other actors to talk to in [`BreakerMessage`]s.
    ///
    /// It stays the same when the actor crashes and is restarted. After a
    /// `stop`, `drain` or `kill` from outside it is another one, and after the end of
    /// the breaker one that nobody answers at.
    #[must_use]
    pub fn actor(&self) -> ActorRef<BreakerMessage> {
        let owner = self.shared.actor();
        owner.unwrap_or_else(|| self.breakers.context().nobody())
    }

    #[inline]
    fn call_timeout(&self) -> Option<Duration> {
        self.shared.published_config().call_timeout()
    }

    pub(crate) fn breakers(&self) -> &BreakerBox {
        &self.breakers
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish()
    }
}

/// Takes part in tokio's cooperative scheduling, so that a loop of rejected calls
/// does not keep its thread to itself.
async fn let_others_run(rejected: Rejected) -> Rejected {
    consume_budget().await;
    rejected
}

/// The verdict on a question to an actor.
fn by_answer<T>(answer: &Result<T, AskError>) -> Judgement {
    let Err(error) = answer else {
        return Outcome::Success.into();
    };
    let kind = match error {
        AskError::Crashed => FailureKind::PANIC,
        AskError::NotRunning | AskError::QueueFull => FailureKind::REFUSED,
        AskError::TimedOut(_) => FailureKind::TIMEOUT,
    };
    Failure::of(kind).text(error).into()
}

/// The verdict of a call that is judged by nothing but its result.
fn by_result<T, E>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(_) => Outcome::failure(),
    }
}
