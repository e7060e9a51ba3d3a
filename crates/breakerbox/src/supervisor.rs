//! Supervising actors: what crashes is started again, in place and in time.
//!
//! An actor that crashes takes its mailbox, its address and everybody's plans
//! with it, and the code that starts it again is where the next outage hides: a
//! restart loop without an end, two of it at once, a shutdown that kills. Here
//! that code is one [`Supervision`](breakerbox_core::Supervision) which decides,
//! and a supervisor which obeys it; and a child's address outlives its crashes.
//!
//! # Invariants
//!
//! 1. Two incarnations of a child never overlap.
//! 2. While it serves, a supervisor waits for nobody: a stuck child, a hung
//!    start or a caller that gave up leave it responsive.
//! 3. No child outlives its supervisor, however that ends, but for code that
//!    blocks its thread, which the report names.

mod actor_life;
mod board;
mod child;
mod child_spec;
mod chronicle;
mod down_hook;
mod errand;
mod event;
mod herald;
mod household;
mod kin;
mod life;
mod lifeline;
mod living;
mod lodging;
mod order;
mod overseer;
mod report;
mod shell;
mod slot;
mod snapshot;
mod spec;
#[cfg(test)]
mod tests;
mod ward;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use breakerbox_core::Exit;
use ractor::{ActorRef, Message};
use tokio::sync::oneshot;

use board::Board;
pub use child::{Child, ChildError};
pub use child_spec::{ChildSpec, Shutdown};
pub use event::{SupervisorEvent, SupervisorEvents};
use order::Order;
pub use report::{Departure, End, Report, Stopped};
pub use snapshot::{ChildSnapshot, SupervisorSnapshot};
pub use spec::{StartError, SupervisorSpec};

/// A running supervisor and its children.
///
/// Clones are handles on the same one. Dropping the last handle stops its
/// children in the background, in reverse order; to wait for that, and learn how
/// it went, use [`shutdown`](Self::shutdown).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use breakerbox::{ChildSpec, Restart, RestartIntensity, Strategy, SupervisorSpec};
/// use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
///
/// struct Counter;
///
/// impl Actor for Counter {
///     type Msg = RpcReplyPort<u64>;
///     type State = u64;
///     type Arguments = u64;
///
///     async fn pre_start(&self, _: ActorRef<Self::Msg>, from: u64) -> Result<u64, ActorProcessingErr> {
///         Ok(from)
///     }
///
///     async fn handle(
///         &self,
///         _: ActorRef<Self::Msg>,
///         reply: RpcReplyPort<u64>,
///         count: &mut u64,
///     ) -> Result<(), ActorProcessingErr> {
///         *count += 1;
///         Ok(reply.send(*count)?)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let orders = SupervisorSpec::new("orders", Strategy::OneForOne)
///     .intensity(RestartIntensity::new(5, Duration::from_secs(30)))
///     .child(ChildSpec::actor("counter", || (Counter, 100)).restart(Restart::Transient))
///     .start()
///     .await?;
/// let counter = orders.child::<RpcReplyPort<u64>>("counter")?;
/// assert_eq!(counter.ask(|reply| reply, Duration::from_secs(1)).await?, 101);
/// let report = orders.shutdown().await;
/// assert_eq!(report.unwilling().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Supervisor {
    board: Arc<Board>,
    /// Stops the actor when the last handle drops it.
    keeper: Arc<Keeper>,
}

impl Supervisor {
    fn new(actor: ActorRef<Order>, board: Arc<Board>) -> Self {
        Self {
            board,
            keeper: Arc::new(Keeper { actor }),
        }
    }

    /// A handle on the child of that name, which takes messages of type `M`.
    ///
    /// # Errors
    ///
    /// When there is no such child, it takes other messages, or it was added and
    /// has not come up yet.
    pub fn child<M: Message>(&self, name: &str) -> Result<Child<M>, ChildError> {
        match self.board.place(name) {
            Some(place) => Child::at(place),
            None => Err(ChildError::Unknown {
                child: name.to_owned(),
            }),
        }
    }

    /// Adds a child, and returns when it is up.
    ///
    /// # Errors
    ///
    /// When the name is taken, or the child does not come up; the supervisor
    /// then forgets it. When the supervisor ends meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the child back.
    pub async fn add(&self, child: ChildSpec) -> Result<(), AddError> {
        let (reply, added) = oneshot::channel();
        if self.keeper.actor.cast(Order::Add(child, reply)).is_err() {
            return Err(AddError::Ended);
        }
        added.await.unwrap_or(Err(AddError::Ended))
    }

    /// Stops a child, forgets it, and returns when it is gone.
    ///
    /// The name stays taken until then. It may be up, starting, between two
    /// lives, stopping or down.
    ///
    /// # Errors
    ///
    /// When there is no such child, or the supervisor ends meanwhile, which
    /// stops the child as well.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not keep the child.
    pub async fn remove(&self, child: &str) -> Result<Departure, RemoveError> {
        let (reply, removed) = oneshot::channel();
        let order = Order::Remove(child.to_owned(), reply);
        if self.keeper.actor.cast(order).is_err() {
            return Err(RemoveError::Ended);
        }
        removed.await.unwrap_or(Err(RemoveError::Ended))
    }

    /// How it and its children do, as it last published it.
    ///
    /// It asks nobody, so it answers at any time: while children start or stop,
    /// while one is stuck, and after the end.
    #[must_use]
    pub fn snapshot(&self) -> SupervisorSnapshot {
        self.board.snapshot()
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> SupervisorEvents {
        SupervisorEvents::new(self.board.events())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.board.name()
    }

    /// Stops all children in reverse order, and returns when they are gone.
    ///
    /// Each is asked, waited for as long as its [`Shutdown`] says, killed, and
    /// waited for a second more. Of several callers each gets the report.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not call the shutdown off.
    pub async fn shutdown(&self) -> Report {
        self.keeper.actor.stop(None);
        self.ended().await
    }

    /// Waits until it has ended, by a shutdown, an escalation or a kill.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
    pub async fn ended(&self) -> Report {
        self.board.closed().await;
        // Without a timeout this cannot fail.
        let _ended = self.keeper.actor.wait(None).await;
        self.board.report().unwrap_or_else(Report::killed)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("name", &self.board.name())
            .finish_non_exhaustive()
    }
}

struct Keeper {
    actor: ActorRef<Order>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.actor.stop(None);
    }
}

/// A child was not added.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AddError {
    /// There is a child of that name already.
    Duplicate {
        /// The name.
        child: String,
    },
    /// The supervisor has ended, or the child was removed before it was up.
    Ended,
    /// The child did not come up.
    Failed {
        /// Its name.
        child: String,
        /// How it ended.
        exit: Exit,
    },
}

impl Error for AddError {}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate { child } => write!(f, "there is a child {child:?} already"),
            Self::Ended => f.write_str("the supervisor or the child was ended meanwhile"),
            Self::Failed { child, exit } => write!(f, "child {child:?} {exit}"),
        }
    }
}

/// A child was not removed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RemoveError {
    /// The supervisor has ended, and its children with it.
    Ended,
    /// There is no child of that name.
    Unknown {
        /// The name.
        child: String,
    },
}

impl Error for RemoveError {}

impl fmt::Display for RemoveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the supervisor has ended"),
            Self::Unknown { child } => write!(f, "there is no child {child:?}"),
        }
    }
}
