use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{ChildStatus, Phase};
use ractor::{ActorRef, ActorStatus, Message, MessagingErr, RpcReplyPort};

use super::cast::CastError;
use super::child_path::ChildPath;
use super::published::ChildEntry;
use crate::{AskError, ask};

/// A handle on one child of a supervisor.
///
/// A `Child<M>` is a handle on an actor that takes messages of type `M`. A plain `Child`
/// is a handle on a child of any kind, which can look and wait;
/// [`typed`](Self::typed) turns it into a `Child<M>`.
///
/// The handle stays good across the child's restarts. It also stays good when a
/// supervisor above the child is restarted: it then leads to the child that has the same
/// path, as soon as there is one. It does not lead to a later child that has the name of
/// a child that was removed.
///
/// Dropping the handle ends nothing, and the handle keeps nothing running. When the child
/// was removed, or the tree has ended, it leads to an actor that is not running.
pub struct Child<M = AnyMessage> {
    messages: PhantomData<fn(M)>,
    path: Arc<ChildPath>,
    seen: Seen,
}

/// The message type of a handle that does not know which messages its child takes.
///
/// The type has no values. It is not `Send`, so no actor takes it.
#[derive(Debug)]
pub struct AnyMessage {
    _not_send: PhantomData<*const ()>,
}

/// The change of a child that its handle has reported last.
#[derive(Clone)]
struct Seen {
    entry: Arc<ChildEntry>,
    version: u64,
}

impl Child {
    pub(super) fn new(path: ChildPath) -> Self {
        Self::seeing(Arc::new(path))
    }

    /// Returns a handle on the same child as an actor that takes messages of type `M`.
    ///
    /// # Errors
    ///
    /// Returns [`ChildError::OtherMessages`] if the child takes other messages or is not an
    /// actor, and [`ChildError::Starting`] if it has not come up yet.
    pub fn typed<M: Message>(&self) -> Result<Child<M>, ChildError> {
        let path = self.path.apart();
        path.latest().actor::<M>()?;
        Ok(Child::seeing(Arc::new(path)))
    }
}

impl<M: Message> Child<M> {
    /// Returns the address of the child as it is now.
    ///
    /// The address stays the same across crashes. It changes when that actor itself was
    /// stopped, drained or killed, when the child was stopped by command, when a
    /// supervisor above it was restarted, and with each incarnation of a child that has a
    /// [`new_address`](crate::ChildSpec::new_address). Do not keep the `ActorRef` where
    /// any of these may happen.
    #[must_use]
    pub fn actor(&self) -> ActorRef<M> {
        self.found().1
    }

    /// Sends the child a message that it does not reply to, without waiting.
    ///
    /// A message that is sent between two incarnations waits for the next one, unless the
    /// child has a [`new_address`](crate::ChildSpec::new_address). The child handles each
    /// message at most once. A message that crashes the child is lost, and so are those
    /// that still wait when the actor ends for good.
    ///
    /// # Errors
    ///
    /// Each error returns the message. [`CastError::NotRunning`] means that the actor is
    /// not running. [`CastError::QueueFull`] means that the child is down and that as many
    /// messages wait for it as
    /// [`queue_while_down`](crate::ChildSpec::queue_while_down) allows.
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        let (entry, actor) = self.found();
        let Ok(entered) = entry.enter_queue() else {
            // Its next incarnation may have another address, and not be up yet.
            return Err(match actor.get_status() < ActorStatus::Draining {
                true => CastError::QueueFull(message),
                false => CastError::NotRunning(message),
            });
        };
        actor.cast(message).map_err(|refused| {
            entry.leave_queue(entered);
            match refused {
                MessagingErr::SendErr(message) => CastError::NotRunning(message),
                MessagingErr::ChannelClosed | MessagingErr::InvalidActorType => {
                    unreachable!("an actor on this node, of this type, gives the message back")
                }
            }
        })
    }

    /// Asks the child a question, and waits at most `within` for the reply.
    ///
    /// A question that is asked between two incarnations waits for the next one, unless
    /// the child has a [`new_address`](crate::ChildSpec::new_address).
    ///
    /// # Errors
    ///
    /// - [`AskError::Crashed`]: the child dropped the question, because it crashed over
    ///   it, ended before it handled it, or forgot to reply. Whether the question had an
    ///   effect is unknown.
    /// - [`AskError::NotRunning`]: the question never reached the child.
    /// - [`AskError::QueueFull`]: the child is down, and as many messages wait for it as
    ///   [`queue_while_down`](crate::ChildSpec::queue_while_down) allows.
    /// - [`AskError::TimedOut`]: the child took too long. It may still handle the question,
    ///   and can check `reply.is_closed()` before it does.
    ///
    /// # Cancel safety
    ///
    /// Once the future has been polled, dropping it does not take the question back.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(RpcReplyPort<T>) -> M,
        within: Duration,
    ) -> Result<T, AskError> {
        let send = |message| self.cast(message).map_err(|refused| refused.as_ask_error());
        ask::ask_by(send, question, within).await
    }

    fn found(&self) -> (Arc<ChildEntry>, ActorRef<M>) {
        let found = self.path.actor();
        found.expect("there was one of this type when this handle was made")
    }
}

impl<M> Child<M> {
    fn seeing(path: Arc<ChildPath>) -> Self {
        let entry = path.now();
        let version = entry.version();
        Self {
            messages: PhantomData,
            path,
            seen: Seen { entry, version },
        }
    }

    /// Returns the child's name, unescaped and without the path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.name()
    }

    /// Returns the child's status, as its supervisor last published it.
    ///
    /// This asks no actor, so it returns at any time.
    #[must_use]
    pub fn status(&self) -> ChildStatus {
        self.path.now().status()
    }

    /// Waits until the child's status has changed since the last call, and returns it.
    ///
    /// The first call waits for a change since the handle was made. A clone continues
    /// where the original handle is. After several changes in quick succession, `changed`
    /// returns only the last one. It returns `None` when only a command could bring about
    /// another change: the child was removed, or its supervisor has ended and is not
    /// restarted.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{CancellationToken, ChildSpec, Phase, Strategy, SupervisorSpec};
    ///
    /// # async fn consume(stop: CancellationToken) -> Result<(), std::io::Error> {
    /// #     stop.cancelled().await;
    /// #     Ok(())
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let orders = SupervisorSpec::new("orders", Strategy::OneForOne).start().await?;
    /// let mut consumer = orders.add(ChildSpec::task("consumer", consume)).await?;
    /// orders.stop("consumer").await?;
    /// while let Some(status) = consumer.changed().await {
    ///     if status.phase == Phase::Down {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no change.
    pub async fn changed(&mut self) -> Option<ChildStatus> {
        loop {
            let entry = self.path.now();
            let (status, version) = entry.versioned_status();
            let is_same = Arc::ptr_eq(&entry, &self.seen.entry) && version == self.seen.version;
            if !is_same {
                self.seen = Seen { entry, version };
                return Some(status);
            }
            if !entry.is_closed() {
                entry.changed_since(version).await;
            } else if !entry.ended_with_supervisor() || !self.path.may_have_another().await {
                return None;
            }
        }
    }

    /// Waits until the child is down, and returns its status then.
    ///
    /// A child is down when it has finished, when it was given up, stopped or removed, and
    /// when its supervisor has ended. A child that waits for its restart is not down. A
    /// restart by command, or of its supervisor, may bring the child back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; call `ended` again.
    pub async fn ended(&self) -> ChildStatus {
        let entry = self.path.now();
        loop {
            let (status, version) = entry.versioned_status();
            if status.phase == Phase::Down {
                return status;
            }
            entry.changed_since(version).await;
        }
    }
}

impl<M> Clone for Child<M> {
    fn clone(&self) -> Self {
        Self {
            messages: PhantomData,
            path: Arc::clone(&self.path),
            seen: self.seen.clone(),
        }
    }
}

/// Two handles are equal if they have the same path in the same tree.
impl<M> PartialEq for Child<M> {
    fn eq(&self, other: &Self) -> bool {
        self.path.is(&other.path)
    }
}

impl<M> Eq for Child<M> {}

impl<M> fmt::Debug for Child<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.name())
            .field("status", &self.status())
            .finish()
    }
}

/// The reason why a supervisor has no such child to return.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChildError {
    /// The child is not a set.
    NoSet {
        /// The child's name.
        child: String,
    },
    /// The child is not a supervisor.
    NoSupervisor {
        /// The child's name.
        child: String,
    },
    /// The child is a set of other arguments, or one that has ended for good.
    OtherArguments {
        /// The type that was asked for.
        asked_for: &'static str,
        /// The child's name.
        child: String,
    },
    /// The child takes messages of another type, or is not an actor.
    OtherMessages {
        /// The type that was asked for.
        asked_for: &'static str,
        /// The child's name.
        child: String,
    },
    /// The child, or a supervisor on the path to it, has not come up yet.
    Starting {
        /// The name of the one that has not come up.
        child: String,
    },
    /// There is no child of that name or path.
    Unknown {
        /// The name or path that was asked for.
        child: String,
    },
}

impl Error for ChildError {}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSet { child } => write!(f, "child {child:?} is no set"),
            Self::OtherArguments { asked_for, child } => {
                write!(f, "the children of {child:?} are not made from {asked_for}")
            }
            Self::OtherMessages { asked_for, child } => {
                write!(
                    f,
                    "child {child:?} does not take messages of type {asked_for}"
                )
            }
            Self::NoSupervisor { child } => write!(f, "child {child:?} is no supervisor"),
            Self::Starting { child } => write!(f, "child {child:?} has not come up yet"),
            Self::Unknown { child } => write!(f, "there is no child {child:?}"),
        }
    }
}
