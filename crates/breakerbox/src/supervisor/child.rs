use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use breakerbox_core::{ChildStatus, Phase};
use ractor::{ActorRef, Message, MessagingErr, RpcReplyPort};

use super::cast::CastError;
use super::child_path::ChildPath;
use super::published::ChildEntry;
use crate::{AskError, ask};

/// A handle on one child of a supervisor.
///
/// `Child<M>` is one on an actor that takes messages of type `M`. A plain `Child` is
/// one on any child: it looks and waits, and [`typed`](Self::typed) makes the other of
/// it.
///
/// It stays good across the child's restarts. It also does when a supervisor above the
/// child is restarted: then it leads to the child that has the same path, once there is
/// one. It does not lead to a later child that has the name of one that was removed.
///
/// Dropping it ends nothing, and it keeps nothing running: when the child was removed,
/// or the tree has ended, it leads to an actor that is not running.
pub struct Child<M = AnyMessage> {
    messages: PhantomData<fn(M)>,
    path: Arc<ChildPath>,
    seen: Seen,
}

/// The message type of a handle that does not know which messages its child takes.
///
/// There are no values of it. It is not `Send`, so no actor takes it.
#[derive(Debug)]
pub struct AnyMessage {
    _not_send: PhantomData<*const ()>,
}

/// The change of a child that its handle has told of last.
#[derive(Clone)]
struct Seen {
    entry: Arc<ChildEntry>,
    version: u64,
}

impl Child {
    pub(super) fn new(path: ChildPath) -> Self {
        Self::seeing(Arc::new(path))
    }

    /// The same child as an actor that takes messages of type `M`.
    ///
    /// # Errors
    ///
    /// When it takes other messages, is no actor, or has not come up yet.
    pub fn typed<M: Message>(&self) -> Result<Child<M>, ChildError> {
        self.path.now().actor::<M>()?;
        Ok(Child::seeing(Arc::clone(&self.path)))
    }
}

impl<M: Message> Child<M> {
    /// The actor that stands for it.
    ///
    /// It is the same across crashes. Only when that actor itself was stopped,
    /// drained or killed, or a supervisor above it was restarted, is the next
    /// incarnation run by another one; so do not keep it where somebody does that.
    #[must_use]
    pub fn actor(&self) -> ActorRef<M> {
        self.found().1
    }

    /// Sends it a message that it does not reply to.
    ///
    /// A message that is sent between two incarnations waits for the next one. Each is
    /// handled at most once: one that the child crashes over is gone, and so are those
    /// that still wait when the actor ends for good.
    ///
    /// # Errors
    ///
    /// [`CastError`], which gives the message back: when the actor is not running, or the
    /// child is down and as many messages wait for it as
    /// [`queue_while_down`](crate::ChildSpec::queue_while_down) lets.
    pub fn cast(&self, message: M) -> Result<(), CastError<M>> {
        let (entry, actor) = self.found();
        let Ok(entered) = entry.enter_queue() else {
            return Err(CastError::QueueFull(message));
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

    /// Asks it, and waits `within` a time for its reply.
    ///
    /// A question that is asked between two incarnations waits for the next one.
    ///
    /// # Errors
    ///
    /// [`AskError::Crashed`] when it dropped the question, because it crashed
    /// over it, ended before it got there, or forgot to reply: whether it had an
    /// effect is unknown. [`AskError::NotRunning`] when the question never
    /// reached it. [`AskError::QueueFull`] when it is down and as many messages wait
    /// for it as [`queue_while_down`](crate::ChildSpec::queue_while_down) lets.
    /// [`AskError::TimedOut`] when it took too long; it may still
    /// handle the question, and can look at `reply.is_closed()` before it does.
    ///
    /// # Cancel safety
    ///
    /// Dropping it does not take the question back.
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

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.name()
    }

    /// How it does, as its supervisor last published it.
    #[must_use]
    pub fn status(&self) -> ChildStatus {
        self.path.now().status()
    }

    /// Waits until it does other than when this was called last, and returns how.
    ///
    /// The first call waits for a change since the handle was made; a clone goes on
    /// from where this one is. Of changes in quick succession it tells the last. It
    /// returns None when no more can follow but by a command: the child was removed,
    /// or its supervisor has ended and is not restarted.
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
    /// Dropping it loses no change.
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

    /// Waits until it is down, and returns how it is then.
    ///
    /// It is down when it has finished, was given up, stopped or removed, or when its
    /// supervisor has ended; not while it waits for a restart of its own. A restart by
    /// command, or of its supervisor, may bring it back.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing; call it again.
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

/// Equal are handles on the same path in the same tree.
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

/// A supervisor has no such child to hand out.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChildError {
    /// The child is no set.
    NoSet {
        /// The child's name.
        child: String,
    },
    /// The child is no supervisor.
    NoSupervisor {
        /// The child's name.
        child: String,
    },
    /// The child is a set whose children are made from other arguments.
    OtherArguments {
        /// The type that was asked for.
        asked_for: &'static str,
        /// The child's name.
        child: String,
    },
    /// The child takes messages of another type, or none as it is no actor.
    OtherMessages {
        /// The type that was asked for.
        asked_for: &'static str,
        /// The child's name.
        child: String,
    },
    /// The child has not come up yet.
    Starting {
        /// The child's name.
        child: String,
    },
    /// There is no child of that name.
    Unknown {
        /// The name that was asked for.
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
